package statetest

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/tokens"
)

func testLiveAtOnce(t *testing.T, s State) {
	account, other := uuid.New(), uuid.New()
	wantLive(t, "nothing yet", s, account)
	token := newToken(account, "j1", Start)
	s.Add(token)
	wantLive(t, "queued", s, account, token)
	wantLive(t, "another account", s, other)
	s = s.Reopen(t)
	wantLive(t, "written", s, account, token)
	bare := tokens.LiveToken{JTI: "bare", AccountID: other, IssuedAt: Start, ExpiresAt: Start.Add(time.Minute), Audience: []string{"a"}}
	s.Add(bare)
	wantLive(t, "little, queued", s, other, bare)
	wantLive(t, "little, written", s.Reopen(t), other, bare)
}

func testLiveSorted(t *testing.T, s State) {
	account := uuid.New()
	var want []tokens.LiveToken
	for i := range 20 {
		want = append(want, newToken(account, numbered("j", i), Start.Add(time.Duration(i)*time.Second)))
	}
	for i, n := range rand.Perm(len(want)) {
		s.Add(want[n])
		if i == len(want)/2 {
			s = s.Reopen(t)
		}
	}
	slices.Reverse(want)
	wantLive(t, "half of them queued", s, account, want...)
	s.Add(want[3])
	wantLive(t, "the same record twice", s, account, want...)
	wantLive(t, "all of them written", s.Reopen(t), account, want...)
}

func testTrim(t *testing.T, s State) {
	account, other := uuid.New(), uuid.New()
	kept := newToken(other, "other", Start)
	s.Add(kept)
	const more = Queue
	var all []tokens.LiveToken
	for i := range tokens.MaxLive + more {
		all = append(all, newToken(account, numbered("j", i), Start.Add(time.Duration(i)*time.Millisecond)))
	}
	// Older ones that come late must not push out newer ones.
	for i, n := range rand.Perm(len(all)) {
		s.Add(all[n])
		if i%(Queue/2) == Queue/2-1 {
			s = s.Reopen(t)
		}
	}
	newest := slices.Clone(all[more:])
	slices.Reverse(newest)
	wantLive(t, "some queued", s, account, newest...)
	s = s.Reopen(t)
	wantLive(t, "all written", s, account, newest...)
	wantLive(t, "another account", s, other, kept)
	if s.Dropped() != 0 {
		t.Errorf("%d dropped", s.Dropped())
	}
}

func testExpiry(t *testing.T, s State) {
	account := uuid.New()
	short, long := newToken(account, "short", Start), newToken(account, "long", Start)
	short.ExpiresAt = Start.Add(time.Minute)
	s.Add(short)
	s.Add(long)
	s.Advance(time.Minute - time.Microsecond)
	wantLive(t, "the last instant", s, account, short, long)
	s = s.Reopen(t)
	wantLive(t, "the last instant, written", s, account, short, long)
	s.Advance(time.Microsecond)
	wantLive(t, "expired, written", s, account, long)
	queued := newToken(account, "queued", Start)
	queued.ExpiresAt = Start.Add(time.Minute)
	s.Add(queued)
	wantLive(t, "expired, queued", s, account, long)
	sweep(t, s)
	wantLive(t, "swept", s, account, long)
	s.Advance(14 * time.Minute)
	wantLive(t, "all expired", s, account)
	s = s.Reopen(t)
	sweep(t, s)
	s.Advance(-15 * time.Minute)
	wantLive(t, "all swept, and the clock set back", s.Reopen(t), account)
}

// sweep also covers what waits in the queue.
func sweep(t *testing.T, s State) {
	t.Helper()
	eventually(t, "a sweep that finds nothing more", func() bool {
		n, err := s.Sweep(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n == 0
	})
}

func testForget(t *testing.T, s State) {
	ctx := t.Context()
	account, other := uuid.New(), uuid.New()
	gone, stays, foreign := newToken(account, "gone", Start), newToken(account, "stays", Start), newToken(other, "gone", Start)
	for _, written := range []bool{false, true} {
		for _, token := range []tokens.LiveToken{gone, stays, foreign} {
			s.Add(token)
		}
		if written {
			s = s.Reopen(t)
		}
		for range 2 {
			if err := s.Forget(ctx, account, "gone"); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Forget(ctx, account, "never there"); err != nil {
			t.Errorf("an absent record: %v", err)
		}
		wantLive(t, "forgotten", s, account, stays)
		wantLive(t, "another account's of that name", s, other, foreign)
		s = s.Reopen(t)
		wantLive(t, "forgotten and reopened", s, account, stays)
		wantLive(t, "another account's, reopened", s, other, foreign)
	}
}

// testLiveAlike has what an implementation may store together: records of one origin.
func testLiveAlike(t *testing.T, s State) {
	account := uuid.New()
	var want []tokens.LiveToken
	for i := range 20 {
		token := newToken(account, numbered("j", i), Start.Add(time.Duration(i)*time.Second))
		if i > 0 {
			token.CredentialID, token.ClientID = want[0].CredentialID, want[0].ClientID
		}
		want = append([]tokens.LiveToken{token}, want...)
		s.Add(token)
	}
	wantLive(t, "queued", s, account, want...)
	s = s.Reopen(t)
	wantLive(t, "written", s, account, want...)
	for _, gone := range []int{19, 7, 0} {
		if err := s.Forget(t.Context(), account, want[gone].JTI); err != nil {
			t.Fatal(err)
		}
		want = slices.Delete(want, gone, gone+1)
		wantLive(t, "one forgotten", s, account, want...)
	}
	s.Advance(15*time.Minute + 10*time.Second)
	sweep(t, s)
	unexpired := slices.DeleteFunc(slices.Clone(want), func(token tokens.LiveToken) bool {
		return !token.ExpiresAt.After(Start.Add(15*time.Minute + 10*time.Second))
	})
	wantLive(t, "half of them expired", s.Reopen(t), account, unexpired...)
}

// testLiveApart has records that differ in one thing each.
func testLiveApart(t *testing.T, s State) {
	account := uuid.New()
	want := []tokens.LiveToken{newToken(account, numbered("j", 0), Start)}
	for i, change := range []func(*tokens.LiveToken){
		func(token *tokens.LiveToken) { token.CredentialID = uuid.New() },
		func(token *tokens.LiveToken) { token.ClientID = "other" },
		func(token *tokens.LiveToken) { token.Scope = "" },
		func(token *tokens.LiveToken) { token.Audience = token.Audience[:1] },
		func(token *tokens.LiveToken) { token.Audience = []string{token.Audience[1], token.Audience[0]} },
		func(token *tokens.LiveToken) { token.IssuedAt = Start.Add(-time.Microsecond) },
		func(token *tokens.LiveToken) { token.ExpiresAt = Start.Add(time.Microsecond) },
		func(token *tokens.LiveToken) { token.Gen++ },
		func(token *tokens.LiveToken) { token.SecretSeq++ },
	} {
		token := want[0]
		token.JTI = numbered("j", i+1)
		change(&token)
		want = append(want, token)
	}
	for _, token := range want {
		s.Add(token)
	}
	slices.SortFunc(want, func(a, b tokens.LiveToken) int {
		return cmp.Or(b.IssuedAt.Compare(a.IssuedAt), cmp.Compare(b.JTI, a.JTI))
	})
	wantLive(t, "queued", s, account, want...)
	wantLive(t, "written", s.Reopen(t), account, want...)
}
