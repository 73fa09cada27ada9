package accounts_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
)

// A client can be proven, and then take seconds to say what it wants. Whatever ended its token
// meanwhile, and whatever made it weaker, its write is refused.
func TestI9_WritesOfWhoWasCutOffMeanwhile(t *testing.T) {
	write := func(f *fixture, m accounts.Issued) func() error {
		by := f.presents(m.Secret)
		return func() error {
			return fails(f.CreateAccount(t.Context(), by, accounts.ByID(m.Account.OrgID), accounts.NewAccount{Slug: "backdoor", Name: "Backdoor", Role: accounts.RoleAPI}))
		}
	}
	for name, way := range tokenEnds {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			made := f.bearer(f.org("acme"), "bot", accounts.RoleAdmin)
			late := write(f, made)
			must(t, way.end(t.Context(), f, made))
			wantErr(t, f.unchanged(late), accounts.ErrUnauthenticated)
			if way.back != nil {
				must(t, way.back(t.Context(), f, made))
				wantErr(t, f.unchanged(late), accounts.ErrUnauthenticated)
			}
		})
	}
	t.Run("weaker", func(t *testing.T) {
		f := newFixture(t)
		made := f.bearer(f.org("acme"), "bot", accounts.RoleAdmin)
		late := write(f, made)
		must(t, fails(f.UpdateAccount(t.Context(), operator(), refTo(made.Account), accounts.AccountPatch{Role: accounts.Some(accounts.RoleViewer)})))
		wantErr(t, f.unchanged(late), accounts.ErrUnauthenticated)
	})
	t.Run("as before", func(t *testing.T) {
		f := newFixture(t)
		must(t, write(f, f.bearer(f.org("acme"), "bot", accounts.RoleAdmin))())
	})
}

// A token replaces itself once, however many times at once it is asked to.
func TestRotateOwnHappensOnce(t *testing.T) {
	f := newFixture(t)
	made := f.bearer(f.org("acme"), "bot", accounts.RoleViewer)
	own := f.presents(made.Secret)
	var rotated atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			issued, err := f.RotateOwn(t.Context(), own, refTo(made.Account), accounts.Rotation{})
			if err == nil {
				rotated.Add(1)
				f.presents(issued.Secret)
			}
		})
	}
	all.Wait()
	if rotated.Load() != 1 {
		t.Errorf("it was replaced %d times", rotated.Load())
	}
}

// Who replaces its own token gets no longer life than it was given.
func TestRotateOwnKeepsTheLife(t *testing.T) {
	f := newFixture(t)
	made := f.bearer(f.org("acme"), "bot", accounts.RoleViewer)
	short, err := f.CreateCredential(t.Context(), operator(), refTo(made.Account), accounts.NewCredential{
		Kind: accounts.KindToken, Name: "Short", ExpiresAt: f.clock.now().Add(time.Minute),
	})
	must(t, err)
	f.clock.advance(30 * time.Second)
	rotated, err := f.RotateOwn(t.Context(), f.presents(short.Secret), refTo(made.Account), accounts.Rotation{})
	must(t, err)
	if want := f.clock.now().Add(time.Minute); !rotated.Credential.ExpiresAt.Equal(want) {
		t.Errorf("the successor ends at %v, want %v", rotated.Credential.ExpiresAt, want)
	}
}

// Nobody is given a token that only comes alive when its credential is enabled.
func TestRotationOfADisabledToken(t *testing.T) {
	f := newFixture(t)
	made := f.bearer(f.org("acme"), "bot", accounts.RoleViewer)
	must(t, credentialDisabled(true)(t.Context(), f, made))
	wantErr(t, f.unchanged(func() error {
		return fails(f.Rotate(t.Context(), operator(), refTo(made.Account), accounts.Rotation{Kind: accounts.KindToken}))
	}), accounts.ErrConflict)
}

// A store that cannot save uses is not asked without end, and what waits for it is bounded.
func TestI42_UsesThatCannotBeSavedAreBounded(t *testing.T) {
	f := newFixture(t)
	must(t, f.db.Close())
	const most = 100_000
	useOf := func(i int) accounts.Use {
		id := uuid.UUID{0: byte(i), 1: byte(i >> 8), 2: byte(i >> 16), 3: 1}
		return accounts.Use{AccountID: id, CredentialID: id, SecretID: id, At: start}
	}
	for i := range most + 10 {
		f.Touch(useOf(i))
	}
	f.HurriesUsage()
	if err := f.FlushUsage(t.Context()); err == nil {
		t.Fatal("it is saved in a closed database")
	}
	for i := range most {
		f.Touch(useOf(most + i))
	}
	if waiting := f.WaitingUses(); waiting != most {
		t.Errorf("%d uses wait, want %d", waiting, most)
	}
	if f.HurriesUsage() {
		t.Error("a failing store is asked again at once")
	}
}
