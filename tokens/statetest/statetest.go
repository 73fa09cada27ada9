package statetest

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/tokens"
)

// Queue is how many records, and as many uses, the state under test lets wait in memory.
const Queue = 500

// State is what the suite exercises. The last three methods are the test's own.
type State interface {
	accounts.Usage
	tokens.Live
	Allow(ctx context.Context, key string, limit int, window time.Duration) (allowed bool, retryAfter time.Duration)
	// Sweep removes what has expired and counts it. Records that were written together may go
	// together, with the last of them.
	Sweep(ctx context.Context) (int, error)
	Dropped() uint64
	Close(ctx context.Context) error

	// Advance moves the clock that the state reads. It begins at [Start].
	Advance(d time.Duration)
	// Stall keeps the state from writing until resume, as an outage of what is behind it does.
	Stall(t *testing.T) (resume func())
	// Reopen closes the state and opens it again where it was, with a memory of its own.
	Reopen(t *testing.T) State
}

// Start is what the clock shows first. It has no part below a microsecond.
var Start = time.Date(2026, 11, 22, 10, 0, 0, 123456000, time.UTC)

// Run checks one state after the other, each opened fresh by open, which also closes it in
// the end.
func Run(t *testing.T, open func(t *testing.T) State) {
	tests := []struct {
		name string
		run  func(*testing.T, State)
	}{
		{"FixturesAreComplete", testFixtures},
		{"LiveTokensAreVisibleAtOnce", testLiveAtOnce},
		{"LiveTokensAreSorted", testLiveSorted},
		{"LiveTokensOfOneOrigin", testLiveAlike},
		{"LiveTokensKeepTheirDifferences", testLiveApart},
		{"LiveTokensAreTrimmed", testTrim},
		{"LiveTokensExpire", testExpiry},
		{"LiveTokensAreForgotten", testForget},
		{"UsesAreVisibleAtOnce", testUseAtOnce},
		{"TestI46_NewestUseWins", testNewestUse},
		{"UsesAreSwept", testSweepUses},
		{"TestI13_AccountsAreErased", testErase},
		{"RestartKeepsWhatWasWritten", testRestart},
		{"TestI37_OutageIsBounded", testOverflow},
		{"CloseEndsInTime", testCloseInTime},
		{"ClosedStateTakesNothing", testClosed},
		{"TestI11_StateThatDoesNotAnswer", testUnavailable},
		{"CloseLeavesNoGoroutine", testLeak},
		{"LimiterCountsInWindows", testLimiter},
		{"LimiterCountsWhateverTheSpread", testLimiterSpread},
		{"LimiterKeepsKeysApart", testLimiterKeys},
		{"LimiterRefusesAtTheEdge", testLimiterEdges},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, open(t)) })
	}
}

func newToken(account uuid.UUID, jti string, issued time.Time) tokens.LiveToken {
	return tokens.LiveToken{
		JTI: jti, AccountID: account, CredentialID: uuid.New(), ClientID: "client-" + jti, Scope: "llm:* tools:read",
		Audience: []string{"https://a.example", "https://b.example/\"x\""}, IssuedAt: issued, ExpiresAt: issued.Add(15 * time.Minute),
		Gen: 1 << 40, SecretSeq: 3,
	}
}

func newUse(account uuid.UUID, at time.Time) accounts.Use {
	return accounts.Use{
		AccountID: account, CredentialID: uuid.New(), SecretID: uuid.New(), At: at,
		Addr: netip.MustParseAddr("2001:db8::1"), UserAgent: "ärger/1.0 'x' \"y\"",
	}
}

// testFixtures fails when a field was added that the suite does not set: no test would
// notice that an implementation loses it.
func testFixtures(t *testing.T, _ State) {
	for _, fixture := range []any{newToken(uuid.New(), "j", Start), newUse(uuid.New(), Start)} {
		value := reflect.ValueOf(fixture)
		for i := range value.NumField() {
			if value.Field(i).IsZero() {
				t.Errorf("the fixture of %T does not set %s", fixture, value.Type().Field(i).Name)
			}
		}
	}
}

func list(t *testing.T, s State, account uuid.UUID) []tokens.LiveToken {
	t.Helper()
	found, err := s.List(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func seen(t *testing.T, s State, ids ...uuid.UUID) []accounts.Use {
	t.Helper()
	found, err := s.Seen(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func wantLive(t *testing.T, what string, s State, account uuid.UUID, want ...tokens.LiveToken) {
	t.Helper()
	if diff := cmp.Diff(want, list(t, s, account), sameTime, emptyIsNil[tokens.LiveToken]()); diff != "" {
		t.Errorf("%s: live tokens (-want +got):\n%s", what, diff)
	}
}

// wantUses compares without order.
func wantUses(t *testing.T, what string, s State, ids []uuid.UUID, want ...accounts.Use) {
	t.Helper()
	bySecret := func(uses []accounts.Use) map[uuid.UUID]accounts.Use {
		m := map[uuid.UUID]accounts.Use{}
		for _, use := range uses {
			if _, twice := m[use.SecretID]; twice {
				t.Errorf("%s: two uses of secret %s", what, use.SecretID)
			}
			m[use.SecretID] = use
		}
		return m
	}
	got := seen(t, s, ids...)
	same := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	if diff := cmp.Diff(bySecret(want), bySecret(got), sameTime, same); diff != "" {
		t.Errorf("%s: uses (-want +got):\n%s", what, diff)
	}
}

var sameTime = cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) && a.Location() == b.Location() })

func emptyIsNil[T any]() cmp.Option {
	return cmp.Transformer("emptyIsNil", func(s []T) []T { return append([]T{}, s...) })
}

// eventually waits for what the state does in its own time.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if happened() {
			return
		}
	}
	t.Fatalf("it never happened: %s", what)
}

func numbered(prefix string, n int) string { return fmt.Sprintf("%s-%05d", prefix, n) }
