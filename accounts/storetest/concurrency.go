package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
)

const (
	workers = 8
	rounds  = 10
)

// testConcurrency is apart from the rest because its failures are not repeatable: it is
// about lost updates, which only show when writers meet.
func testConcurrency(t *testing.T, s *suite) {
	w := newWorld(t, s, "acme")
	t.Run("TestI19_NoUpdateIsLost", func(t *testing.T) { testLostUpdates(t, s, w) })
	t.Run("TestI19_BothSidesOfMembership", func(t *testing.T) { testLostMembers(t, s, w) })
	t.Run("TestI46_UsesAreMonotone", func(t *testing.T) { testLostUses(t, s, w) })
	t.Run("SlugsAreGivenOnce", func(t *testing.T) { testSlugRace(t, s, w) })
}

func together(fn func(worker int)) {
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() { fn(worker) })
	}
	group.Wait()
}

// Each worker reads in one transaction and updates in another, as clients with If-Match do.
func testLostUpdates(t *testing.T, s *suite, w *world) {
	before := read(t, s, getAccount(t, w.account))
	together(func(worker int) {
		for range rounds {
			for {
				account, err := tryRead(t, s, getAccount(t, w.account))
				if err != nil {
					t.Error(err)
					return
				}
				account.Gen++
				account.Description = fmt.Sprint("by ", worker)
				err = s.try(t, func(tx accounts.Tx) error { return tx.UpdateAccount(t.Context(), account) })
				if err == nil {
					break
				}
				if !errors.Is(err, accounts.ErrConflict) {
					t.Error(err)
					return
				}
			}
		}
	})
	after := read(t, s, getAccount(t, w.account))
	if after.Gen-before.Gen != workers*rounds || after.Version-before.Version != workers*rounds {
		t.Errorf("%d updates raised gen by %d and version by %d", workers*rounds, after.Gen-before.Gen, after.Version-before.Version)
	}
}

// Accounts join a group from their own side while others are put into it from its side.
func testLostMembers(t *testing.T, s *suite, w *world) {
	ctx := t.Context()
	club := newGroup(w.org, "club")
	s.write(t, func(tx accounts.Tx) error { return tx.InsertGroup(ctx, club) })
	together(func(worker int) {
		joiner := newAccount(w.org, fmt.Sprintf("joiner-%d", worker))
		err := s.try(t, func(tx accounts.Tx) error {
			if err := tx.InsertAccount(ctx, joiner); err != nil {
				return err
			}
			if worker%2 == 0 {
				joiner.Groups = []uuid.UUID{club.ID}
				return tx.UpdateAccount(ctx, joiner)
			}
			group, err := tx.Group(ctx, w.org.ID, club.ID)
			group.Members = append(group.Members, joiner.ID)
			return firstError(err, tx.UpdateGroup(ctx, group))
		})
		if err != nil {
			t.Error(err)
		}
	})
	if got := read(t, s, getGroup(t, club)); len(got.Members) != workers || got.Version != club.Version+workers {
		t.Errorf("%d members at version %d, want %d at %d", len(got.Members), got.Version, workers, club.Version+workers)
	}
}

func testLostUses(t *testing.T, s *suite, w *world) {
	together(func(worker int) {
		for round := range rounds {
			at := start.Add(time.Duration(round*workers+worker+1) * time.Hour)
			if err := s.store.SaveUsage(t.Context(), []accounts.Use{newUse(w.secret, w.account.ID, at)}); err != nil {
				t.Error(err)
			}
			if got, err := tryRead(t, s, getCredential(t, w.credential)); err != nil || got.LastUse.At.Before(at) {
				t.Errorf("after a use at %v the last use is %v, %v", at, got.LastUse.At, err)
			}
		}
	})
	want := start.Add(workers * rounds * time.Hour)
	if got := read(t, s, getCredential(t, w.credential)).LastUse.At; !got.Equal(want) {
		t.Errorf("last use at %v, want %v", got, want)
	}
}

func testSlugRace(t *testing.T, s *suite, w *world) {
	errs := make([]error, workers)
	together(func(worker int) {
		errs[worker] = s.try(t, func(tx accounts.Tx) error {
			return tx.InsertAccount(t.Context(), newAccount(w.org, "contested"))
		})
	})
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, accounts.ErrExists) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d inserts of one slug succeeded", won)
	}
}
