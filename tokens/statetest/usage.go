package statetest

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/tokens"
)

func testUseAtOnce(t *testing.T, s State) {
	a, b, other := uuid.New(), uuid.New(), uuid.New()
	both := []uuid.UUID{a, b}
	wantUses(t, "nothing yet", s, both)
	first, second, third, foreign := newUse(a, Start), newUse(a, Start.Add(time.Second)), newUse(b, Start), newUse(other, Start)
	third.Addr, third.UserAgent = netip.Addr{}, ""
	for _, use := range []accounts.Use{first, second, third, foreign} {
		s.Touch(use)
	}
	for _, state := range []string{"queued", "written"} {
		wantUses(t, state, s, both, first, second, third)
		wantUses(t, state+", one account", s, []uuid.UUID{b}, third)
		wantUses(t, state+", the same account twice", s, []uuid.UUID{b, b}, third)
		wantUses(t, state+", no account", s, nil)
		wantUses(t, state+", an account without uses", s, []uuid.UUID{uuid.New()})
		s = s.Reopen(t)
	}
}

func testNewestUse(t *testing.T, s State) {
	account := uuid.New()
	ids := []uuid.UUID{account}
	newest := newUse(account, Start.Add(time.Minute))
	older, oldest := newest, newest
	older.At, older.UserAgent, older.Addr = Start, "older", netip.MustParseAddr("192.0.2.1")
	oldest.At, oldest.UserAgent = Start.Add(-time.Minute), "oldest"

	s.Touch(older)
	s.Touch(newest)
	s.Touch(oldest)
	wantUses(t, "out of order in the queue", s, ids, newest)
	s = s.Reopen(t)
	wantUses(t, "written", s, ids, newest)
	s.Touch(older)
	wantUses(t, "older than what is written", s, ids, newest)
	s = s.Reopen(t)
	wantUses(t, "older, written over", s, ids, newest)
	later := newest
	later.At, later.UserAgent, later.CredentialID = Start.Add(time.Hour), "later", uuid.New()
	s.Touch(later)
	wantUses(t, "newer than what is written", s, ids, later)
	wantUses(t, "newer, written over", s.Reopen(t), ids, later)
}

func testSweepUses(t *testing.T, s State) {
	account := uuid.New()
	old, young := newUse(account, Start), newUse(account, Start.Add(time.Minute))
	s.Touch(old)
	s.Touch(young)
	s = s.Reopen(t)
	s.Advance(24 * time.Hour)
	sweep(t, s)
	wantUses(t, "a day old", s, []uuid.UUID{account}, old, young)
	s.Advance(time.Second)
	sweep(t, s)
	wantUses(t, "more than a day old", s, []uuid.UUID{account}, young)
}

func testErase(t *testing.T, s State) {
	ctx := t.Context()
	gone, goneToo, stays := uuid.New(), uuid.New(), uuid.New()
	all := []uuid.UUID{gone, goneToo, stays}
	uses := map[uuid.UUID]accounts.Use{}
	live := map[uuid.UUID]tokens.LiveToken{}
	for _, account := range all {
		uses[account], live[account] = newUse(account, Start), newToken(account, "j", Start)
	}
	for _, written := range []bool{false, true} {
		for _, account := range all {
			s.Touch(uses[account])
			s.Add(live[account])
		}
		if written {
			s = s.Reopen(t)
		}
		for _, ids := range [][]uuid.UUID{{gone, goneToo}, {gone}, {uuid.New()}, nil} {
			if err := s.Erase(ctx, ids); err != nil {
				t.Fatal(err)
			}
		}
		for _, state := range []string{"erased", "erased and reopened"} {
			wantUses(t, state, s, all, uses[stays])
			wantLive(t, state, s, gone)
			wantLive(t, state, s, goneToo)
			wantLive(t, state, s, stays, live[stays])
			s = s.Reopen(t)
		}
	}
}
