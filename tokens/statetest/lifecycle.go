package statetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/tokens"
)

func testRestart(t *testing.T, s State) {
	account := uuid.New()
	var uses []accounts.Use
	var live []tokens.LiveToken
	for i := range 5 {
		use := newUse(account, Start.Add(time.Duration(i)*time.Second))
		token := newToken(account, numbered("j", i), Start.Add(time.Duration(i)*time.Second))
		uses, live = append(uses, use), append([]tokens.LiveToken{token}, live...)
		s.Touch(use)
		s.Add(token)
		s = s.Reopen(t)
		wantUses(t, "after a restart", s, []uuid.UUID{account}, uses...)
		wantLive(t, "after a restart", s, account, live...)
	}
}

// During an outage nothing blocks, memory is bounded, what is given up is the oldest and
// counted, and afterwards the rest is written.
func testOverflow(t *testing.T, s State) {
	account := uuid.New()
	resume := s.Stall(t)
	newest := newUse(account, Start)
	begin := time.Now()
	for i := range 20 * Queue {
		newest.At = Start.Add(time.Duration(i) * time.Microsecond)
		s.Touch(newest)
	}
	if s.Dropped() != 0 {
		t.Errorf("%d dropped: uses of one secret are one", s.Dropped())
	}
	for i := range 4 * Queue {
		s.Add(newToken(account, numbered("j", i), Start.Add(time.Duration(i)*time.Millisecond)))
	}
	// One queue waits and one more may be on its way.
	dropped := s.Dropped()
	if dropped < 2*Queue || dropped > 4*Queue {
		t.Errorf("%d of %d dropped", dropped, 4*Queue)
	}
	for range 4 * Queue {
		s.Touch(newUse(uuid.New(), Start))
	}
	if more := s.Dropped() - dropped; more < 2*Queue-1 || more > 4*Queue+1 {
		t.Errorf("%d of %d uses dropped", more, 4*Queue)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("callers waited for %v", took)
	}
	resume()
	last := newToken(account, "last", Start.Add(time.Hour))
	s.Add(last)
	s = s.Reopen(t)
	live := list(t, s, account)
	if len(live) < Queue/2 || live[0].JTI != "last" {
		t.Fatalf("%d records survived", len(live))
	}
	for i, token := range live[1:] {
		if want := numbered("j", 4*Queue-1-i); i < Queue/2 && token.JTI != want {
			t.Fatalf("record %d is %s, want %s: the newest must survive", i, token.JTI, want)
		}
	}
}

func testCloseInTime(t *testing.T, s State) {
	resume := s.Stall(t)
	defer resume()
	s.Add(newToken(uuid.New(), "lost", Start))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if err := s.Close(ctx); err == nil {
		t.Error("Close does not tell that something was not written")
	}
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("Close took %v", took)
	}
	if s.Dropped() != 1 {
		t.Errorf("%d dropped", s.Dropped())
	}
}

func testClosed(t *testing.T, s State) {
	ctx := t.Context()
	for range 2 {
		if err := s.Close(ctx); err != nil {
			t.Fatal(err)
		}
	}
	s.Add(newToken(uuid.New(), "late", Start))
	s.Touch(newUse(uuid.New(), Start))
	if s.Dropped() != 2 {
		t.Errorf("%d dropped, want what came after the end", s.Dropped())
	}
}

// What cannot be asked, or not in time, must never look like an empty answer or a mistake of
// the caller.
func testUnavailable(t *testing.T, s State) {
	resume := s.Stall(t)
	s.Add(newToken(uuid.New(), "queued", Start))
	stalled, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	wantUnavailable(t, "Forget, stalled", s.Forget(stalled, uuid.New(), "j"))
	wantUnavailable(t, "Erase, stalled", s.Erase(stalled, []uuid.UUID{uuid.New()}))
	resume()
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, listed := s.List(t.Context(), uuid.New())
	_, seen := s.Seen(t.Context(), []uuid.UUID{uuid.New()})
	_, swept := s.Sweep(t.Context())
	for what, err := range map[string]error{
		"List": listed, "Seen": seen, "Sweep": swept,
		"Forget": s.Forget(t.Context(), uuid.New(), "j"), "Erase": s.Erase(t.Context(), []uuid.UUID{uuid.New()}),
	} {
		wantUnavailable(t, what+", closed", err)
	}
}

func wantUnavailable(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, accounts.ErrUnavailable) {
		t.Errorf("%s: %v, want %v", what, err, accounts.ErrUnavailable)
	}
}

func testLeak(t *testing.T, s State) {
	before := goleak.IgnoreCurrent()
	s = s.Reopen(t)
	s.Add(newToken(uuid.New(), "j", Start))
	s.Touch(newUse(uuid.New(), Start))
	list(t, s, uuid.New())
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	goleak.VerifyNone(t, before)
}
