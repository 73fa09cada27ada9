package statetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
)

// RunConcurrent checks what only shows when many act at once. It is apart from [Run]
// because it means little without the race detector and takes longer.
func RunConcurrent(t *testing.T, open func(t *testing.T) State) {
	t.Run("ForgottenWhileBatchesFly", func(t *testing.T) { testForgetInFlight(t, open(t)) })
	t.Run("ErasedWhileBatchesFly", func(t *testing.T) { testEraseInFlight(t, open(t)) })
	t.Run("EverythingAtOnce", func(t *testing.T) { testEverything(t, open(t)) })
	t.Run("LimiterIsExact", func(t *testing.T) { testLimiterExact(t, open(t)) })
}

// testForgetInFlight forgets each record at another moment of its way to the disk.
func testForgetInFlight(t *testing.T, s State) {
	accounts := []uuid.UUID{uuid.New(), uuid.New(), uuid.New(), uuid.New()}
	var group sync.WaitGroup
	for _, account := range accounts {
		group.Go(func() {
			for i := range 60 {
				gone, stays := numbered("gone", i), numbered("stays", i)
				s.Add(newToken(account, gone, Start.Add(time.Duration(i)*time.Millisecond)))
				s.Add(newToken(account, stays, Start.Add(time.Duration(i)*time.Millisecond)))
				time.Sleep(time.Duration(i%12) * 500 * time.Microsecond)
				if err := s.Forget(t.Context(), account, gone); err != nil {
					t.Error(err)
				}
				for _, token := range list(t, s, account) {
					if token.JTI == gone {
						t.Errorf("%s is back", gone)
					}
				}
			}
		})
	}
	group.Wait()
	s = s.Reopen(t)
	for _, account := range accounts {
		live := list(t, s, account)
		if len(live) != 60 {
			t.Errorf("%d records, want 60", len(live))
		}
		for _, token := range live {
			if token.JTI < "stays" {
				t.Errorf("%s is back after a restart", token.JTI)
			}
		}
	}
}

func testEraseInFlight(t *testing.T, s State) {
	var group sync.WaitGroup
	var gone []uuid.UUID
	for worker := range 4 {
		ids := make([]uuid.UUID, 30)
		for i := range ids {
			ids[i] = uuid.New()
		}
		gone = append(gone, ids...)
		group.Go(func() {
			for i, account := range ids {
				for n := range 5 {
					s.Add(newToken(account, numbered("j", n), Start))
					s.Touch(newUse(account, Start))
				}
				time.Sleep(time.Duration((i+worker)%12) * 500 * time.Microsecond)
				if err := s.Erase(t.Context(), []uuid.UUID{account}); err != nil {
					t.Error(err)
				}
				wantNothing(t, s, account)
			}
		})
	}
	group.Wait()
	s = s.Reopen(t)
	for _, account := range gone {
		wantNothing(t, s, account)
	}
}

func wantNothing(t *testing.T, s State, account uuid.UUID) {
	t.Helper()
	live, err := s.List(t.Context(), account)
	uses, usesErr := s.Seen(t.Context(), []uuid.UUID{account})
	if err != nil || usesErr != nil || len(live)+len(uses) > 0 {
		t.Errorf("%d records and %d uses are back: %v, %v", len(live), len(uses), err, usesErr)
	}
}

func testEverything(t *testing.T, s State) {
	ctx, end := t.Context(), time.Now().Add(500*time.Millisecond)
	account, secret := uuid.New(), newUse(uuid.New(), Start)
	var clock atomic.Int64
	loop := func(act func(n int64) error) func() {
		return func() {
			for time.Now().Before(end) {
				if err := act(clock.Add(1)); err != nil {
					t.Error(err)
				}
			}
		}
	}
	actions := []func(n int64) error{
		func(n int64) error {
			s.Add(newToken(account, uuid.NewString(), Start.Add(time.Duration(n)*time.Microsecond)))
			time.Sleep(100 * time.Microsecond)
			return nil
		},
		func(n int64) error {
			use := secret
			use.At = Start.Add(time.Duration(n) * time.Microsecond)
			s.Touch(use)
			uses, err := s.Seen(ctx, []uuid.UUID{use.AccountID})
			if err == nil && (len(uses) != 1 || uses[0].At.Before(use.At)) {
				t.Errorf("a use of %v is not seen at once: %v", use.At, uses)
			}
			return err
		},
		func(int64) error { _, err := s.List(ctx, account); return err },
		func(int64) error { time.Sleep(time.Millisecond); _, err := s.Sweep(ctx); return err },
		func(int64) error { time.Sleep(time.Millisecond); return s.Forget(ctx, account, "none") },
		func(int64) error { s.Allow(ctx, "key", 1, time.Second); return nil },
		func(int64) error { s.Advance(time.Microsecond); return nil },
	}
	var group sync.WaitGroup
	for _, act := range actions {
		group.Go(loop(act))
	}
	group.Wait()
}

func testLimiterExact(t *testing.T, s State) {
	var allowed atomic.Int64
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for range 20 {
				if ok, _ := s.Allow(t.Context(), "shared", 100, time.Minute); ok {
					allowed.Add(1)
				}
			}
		})
	}
	group.Wait()
	if allowed.Load() != 100 {
		t.Errorf("%d of 100 allowed", allowed.Load())
	}
}
