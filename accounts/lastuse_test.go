package accounts_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
)

var errStateDown = errors.New("state is down")

// used is an account with a credential and its first secret.
type used struct {
	*fixture
	issued accounts.Issued
	secret uuid.UUID
}

func newUsed(t *testing.T) used {
	f := newFixture(t)
	issued := f.account(f.org("acme"), accounts.NewAccount{Slug: "bot", Credential: &accounts.FirstCredential{}})
	secrets, err := f.Secrets(t.Context(), operator(), refTo(issued.Account), issued.Credential.ID)
	must(t, err)
	return used{f, issued, secrets[0].ID}
}

func (u used) use(at time.Time) accounts.Use {
	return accounts.Use{
		AccountID: u.issued.Account.ID, CredentialID: u.issued.Credential.ID, SecretID: u.secret,
		At: at, Addr: netip.MustParseAddr("192.0.2.7"), UserAgent: "agent/1",
	}
}

// check reads the last use of everything by every method that tells it.
func (u used) check(s *accounts.Service, want accounts.LastUse) {
	u.t.Helper()
	ctx, at, id := u.t.Context(), refTo(u.issued.Account), u.issued.Credential.ID
	account, err := s.Account(ctx, operator(), at)
	must(u.t, err)
	list, _, err := s.Accounts(ctx, operator(), at.Org, accounts.Query{Limit: 5})
	must(u.t, err)
	got := map[string]accounts.LastUse{"account": account.LastUse, "accounts": list[0].LastUse}
	if credential, err := s.Credential(ctx, operator(), at, id); !errors.Is(err, accounts.ErrNotFound) {
		must(u.t, err)
		credentials, _, err := s.Credentials(ctx, operator(), at, accounts.Query{Limit: 5})
		must(u.t, err)
		got["credential"], got["credentials"] = credential.LastUse, credentials[0].LastUse
		secrets, err := s.Secrets(ctx, operator(), at, id)
		must(u.t, err)
		for _, secret := range secrets {
			if secret.ID == u.secret {
				got["secret"] = secret.LastUse
			}
		}
	}
	for name, use := range got {
		if use != want {
			u.t.Errorf("%s was last used %+v, want %+v", name, use, want)
		}
	}
}

func at(moment time.Time) accounts.LastUse {
	return accounts.LastUse{At: moment, Addr: netip.MustParseAddr("192.0.2.7"), UserAgent: "agent/1"}
}

func TestI46_LastUse(t *testing.T) {
	u := newUsed(t)
	u.check(u.Service, accounts.LastUse{})
	u.Touch(u.use(start.Add(2 * time.Second)))
	u.check(u.Service, at(start.Add(2*time.Second)))
	u.Touch(u.use(start.Add(time.Second))) // an older one comes late
	u.check(u.Service, at(start.Add(2*time.Second)))
	u.usage.lose(nil) // what is not in the store yet is this process's alone
	u.check(u.Service, at(start.Add(2*time.Second)))
	must(t, u.FlushUsage(t.Context()))
	u.check(u.Service, at(start.Add(2*time.Second)))
	u.check(u.open(u.store), at(start.Add(2*time.Second)))
	u.Touch(u.use(start.Add(time.Second)))
	must(t, u.FlushUsage(t.Context()))
	u.check(u.Service, at(start.Add(2*time.Second)))
	must(t, u.FlushUsage(t.Context()))
	u.check(u.open(u.store), at(start.Add(2*time.Second)))
}

// Answers of writes tell the last use too.
func TestI46_LastUseInAnswers(t *testing.T) {
	u := newUsed(t)
	u.Touch(u.use(start))
	account, err := u.UpdateAccount(t.Context(), operator(), refTo(u.issued.Account), accounts.AccountPatch{})
	must(t, err)
	credential, err := u.UpdateCredential(t.Context(), operator(), refTo(u.issued.Account), u.issued.Credential.ID, accounts.CredentialPatch{})
	must(t, err)
	rotated, err := u.Rotate(t.Context(), operator(), refTo(u.issued.Account), accounts.Rotation{})
	must(t, err)
	for name, got := range map[string]accounts.LastUse{
		"update account": account.LastUse, "update credential": credential.LastUse, "rotate": rotated.Account.LastUse,
	} {
		if got != at(start) {
			t.Errorf("%s answers %+v", name, got)
		}
	}
}

func TestRow62_UnknownIsNotNever(t *testing.T) {
	u := newUsed(t)
	u.usage.lose(errStateDown)
	u.check(u.Service, accounts.LastUse{Unknown: true})
	u.Touch(u.use(start))
	u.check(u.Service, at(start))
	must(t, u.FlushUsage(t.Context()))
	u.check(u.open(u.store), at(start))
	u.usage.lose(nil)
	u.check(u.open(u.store), at(start))
}

// TestI46_DeletionKeepsTheLastUse deletes what was used, with the shared state alive and gone.
func TestI46_DeletionKeepsTheLastUse(t *testing.T) {
	for name, remove := range map[string]func(ctx context.Context, u used) error{
		"secret": func(ctx context.Context, u used) error {
			return u.RetireSecret(ctx, operator(), refTo(u.issued.Account), u.issued.Credential.ID, u.secret)
		},
		"rotation": func(ctx context.Context, u used) error {
			return fails(u.Rotate(ctx, operator(), refTo(u.issued.Account), accounts.Rotation{}))
		},
		"credential": func(ctx context.Context, u used) error {
			return u.DeleteCredential(ctx, operator(), refTo(u.issued.Account), u.issued.Credential.ID, nil)
		},
	} {
		for state, lost := range map[string]error{"state alive": nil, "state lost": errStateDown} {
			t.Run(name+", "+state, func(t *testing.T) {
				u := newUsed(t)
				u.usage.lose(lost)
				u.Touch(u.use(start))
				must(t, remove(t.Context(), u))
				u.check(u.Service, at(start))
				must(t, u.FlushUsage(t.Context()))
				must(t, u.FlushUsage(t.Context()))
				u.usage.lose(nil)
				u.check(u.Service, at(start))
				u.check(u.open(u.store), at(start))
			})
		}
	}
}

func TestI46_FailedFlushKeepsUses(t *testing.T) {
	u := newUsed(t)
	u.usage.lose(errStateDown)
	fail := true
	s := u.open(brokenStore{Store: u.store, saveUsage: func(ctx context.Context, uses []accounts.Use) error {
		if fail {
			return accounts.ErrUnavailable
		}
		return u.store.SaveUsage(ctx, uses)
	}})
	s.Touch(u.use(start))
	wantErr(t, s.FlushUsage(t.Context()), accounts.ErrUnavailable)
	u.check(s, at(start))
	s.Touch(u.use(start.Add(time.Second)))
	wantErr(t, s.FlushUsage(t.Context()), accounts.ErrUnavailable)
	fail = false
	must(t, s.FlushUsage(t.Context()))
	u.usage.lose(nil)
	u.check(u.open(u.store), at(start.Add(time.Second)))
}

// TestI46_LastUseDuringAFlush reads while a batch is on its way and the shared state is gone.
func TestI46_LastUseDuringAFlush(t *testing.T) {
	u := newUsed(t)
	u.usage.lose(errStateDown)
	var s *accounts.Service
	s = u.open(brokenStore{Store: u.store, saveUsage: func(ctx context.Context, uses []accounts.Use) error {
		u.check(s, at(start))
		err := u.store.SaveUsage(ctx, uses)
		u.check(s, at(start))
		return err
	}})
	s.Touch(u.use(start))
	must(t, s.FlushUsage(t.Context()))
	u.check(s, at(start))
}

func TestUserAgentIsCutAndCleaned(t *testing.T) {
	long := strings.Repeat("x", accounts.MaxUserAgentBytes-1)
	for sent, kept := range map[string]string{
		"agent/1":         "agent/1",
		long + "é and on": long,
		"a\xffgent\xc3":   "agent",
		"\xff\xfe":        "",
	} {
		u := newUsed(t)
		use := u.use(start)
		use.UserAgent = sent
		u.Touch(use)
		if shared := u.usage.newest[use.SecretID].UserAgent; shared != kept {
			t.Errorf("%q is shared as %q", sent, shared)
		}
		must(t, u.FlushUsage(t.Context()))
		account, err := u.Account(t.Context(), operator(), refTo(u.issued.Account))
		must(t, err)
		if stored := account.LastUse.UserAgent; stored != kept {
			t.Errorf("%q is stored as %q", sent, stored)
		}
	}
}

// TestRunUsage: uses are saved at every interval, and early when many wait, but a store that
// fails is not asked again at once.
func TestRunUsage(t *testing.T) {
	f := newFixture(t)
	peppers, err := accounts.OpenPeppers(t.Context(), f.pepperConfig())
	must(t, err)
	synctest.Test(t, func(t *testing.T) {
		var saves, saved atomic.Int64
		var down atomic.Bool
		s := accounts.NewService(accounts.Config{
			Usage: &memoryUsage{newest: map[uuid.UUID]accounts.Use{}}, Peppers: peppers, Now: time.Now, Random: rand.Reader, Log: slog.New(slog.DiscardHandler),
			Store: brokenStore{saveUsage: func(_ context.Context, uses []accounts.Use) error {
				saves.Add(1)
				saved.Add(int64(len(uses)))
				if down.Load() {
					return accounts.ErrUnavailable
				}
				return nil
			}},
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); s.RunUsage(ctx, time.Minute) }()
		step := func(when string, uses int, wait time.Duration, wantSaves, wantSaved int64) {
			t.Helper()
			saves.Store(0)
			saved.Store(0)
			for range uses {
				s.Touch(accounts.Use{SecretID: uuid.New(), At: time.Now()})
			}
			time.Sleep(wait)
			synctest.Wait()
			if saves.Load() != wantSaves || saved.Load() != wantSaved {
				t.Errorf("%s: %d uses in %d saves, want %d in %d", when, saved.Load(), saves.Load(), wantSaved, wantSaves)
			}
		}
		step("before the interval", 3, 59*time.Second, 0, 0)
		step("at the interval", 0, time.Second, 1, 3)
		step("nothing to save", 0, time.Minute, 0, 0)
		step("full", 10_000, time.Second, 1, 10_000)
		down.Store(true)
		step("full, and the store fails", 10_000, time.Second, 1, 10_000)
		down.Store(false)
		step("the store is back", 0, time.Minute, 1, 10_000)
		stop()
		<-done
	})
}

// The state is a convenience: a request waits for it no longer than a moment, and a cut-off
// happens whatever the state does.
func TestI9_AHungStateHoldsUpNoCutOff(t *testing.T) {
	u := newUsed(t)
	u.usage.hung.Store(true)
	for name, call := range map[string]func() error{
		"read": func() error { return fails(u.Account(t.Context(), operator(), refTo(u.issued.Account))) },
		"rotate": func() error {
			return fails(u.Rotate(t.Context(), operator(), refTo(u.issued.Account), accounts.Rotation{}))
		},
	} {
		began := time.Now()
		must(t, call())
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
	began := time.Now()
	must(t, u.DeleteAccount(t.Context(), operator(), refTo(u.issued.Account), nil))
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("delete took %v", took)
	}
}
