package redisstate_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/redisstate"
)

// lines is a log that may be read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) count(text string) int { return strings.Count(l.String(), text) }

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// openAt opens a state under a prefix of its own, unless change gives it another.
func openAt(t testing.TB, url string, change ...func(*redisstate.Config)) (*redisstate.State, *lines) {
	t.Helper()
	log := &lines{}
	cfg := redisstate.Config{URL: secret.New(url), Prefix: newPrefix(), Log: slog.New(slog.NewTextHandler(log, nil))}
	for _, c := range change {
		c(&cfg)
	}
	s, err := redisstate.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// What a test leaves unwritten on purpose is its own affair.
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		_ = s.Close(ctx)
	})
	return s, log
}

func prefix(text string) func(*redisstate.Config) {
	return func(cfg *redisstate.Config) { cfg.Prefix = text }
}

func checkEvery(d time.Duration) func(*redisstate.Config) {
	return func(cfg *redisstate.Config) { cfg.CheckEvery = d }
}

// patient is for tests that are not about time, on a busy machine.
func patient(cfg *redisstate.Config) {
	cfg.BatchTimeout, cfg.AskTimeout = 2*time.Second, 5*time.Second
}

func token(account uuid.UUID, n int) tokens.LiveToken {
	issued := time.Now().Add(time.Duration(n) * time.Millisecond).Truncate(time.Microsecond).UTC()
	return tokens.LiveToken{
		JTI: fmt.Sprintf("j%05d", n), AccountID: account, CredentialID: uuid.New(), ClientID: "client", Scope: "llm:*",
		Audience: []string{"https://a.example"}, IssuedAt: issued, ExpiresAt: issued.Add(time.Hour), Gen: 1, SecretSeq: 1,
	}
}

func use(account, secretID uuid.UUID, at time.Time) accounts.Use {
	return accounts.Use{
		AccountID: account, CredentialID: account, SecretID: secretID, At: at.Truncate(time.Microsecond).UTC(),
		Addr: netip.MustParseAddr("192.0.2.1"), UserAgent: "agent " + at.Format(time.RFC3339Nano),
	}
}

// eventually waits for what the state does in its own time.
func eventually(t testing.TB, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !happened(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never happened: %s", what)
		}
	}
}

func written(t testing.TB, s *redisstate.State) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); s.Waiting() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not everything is written: %s", s.Report())
		}
	}
}

// jtis lists what the state shows of an account.
func jtis(t testing.TB, s *redisstate.State, account uuid.UUID) []string {
	t.Helper()
	live, err := s.List(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]string, len(live))
	for i, token := range live {
		ids[i] = token.JTI
	}
	return ids
}

// seenAt returns the last use of the account's one secret.
func seenAt(t testing.TB, s *redisstate.State, account uuid.UUID) (last accounts.Use) {
	t.Helper()
	uses, err := s.Seen(t.Context(), []uuid.UUID{account})
	if err != nil || len(uses) > 1 {
		t.Fatalf("%d uses, %v", len(uses), err)
	}
	if len(uses) == 1 {
		last = uses[0]
	}
	return last
}
