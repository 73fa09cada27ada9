package accounts_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

func TestRotateAToken(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	made := f.bearer(acme, "bot", accounts.RoleViewer)
	f.clock.advance(time.Hour)
	wantInvalid(t, f.unchanged(func() error {
		return fails(f.Rotate(t.Context(), operator(), refTo(made.Account), accounts.Rotation{Overlap: time.Hour}))
	}), "overlapSeconds")
	rotated, err := f.Rotate(t.Context(), admin(acme, "*"), refTo(made.Account), accounts.Rotation{IfVersion: &made.Account.Version})
	must(t, err)
	f.noToken("the old one", made.Secret)
	f.presents(rotated.Secret)
	end := start.Add(time.Hour + accounts.DefaultTokenLife)
	if rotated.Credential.ID != made.Credential.ID || rotated.Credential.ClientID != made.Credential.ClientID ||
		!rotated.Credential.ExpiresAt.Equal(end) || !rotated.Account.TokenExpiresAt.Equal(end) || !rotated.Previous.IsZero() ||
		rotated.Account.Version != made.Account.Version+1 {
		t.Errorf("rotated %+v", rotated)
	}
	read, err := f.Account(t.Context(), operator(), refTo(made.Account))
	must(t, err)
	if read.Version != rotated.Account.Version || !read.TokenExpiresAt.Equal(end) {
		t.Errorf("stored %+v", read)
	}
}

// An account that another dialect made gets a token beside its secret, which goes on working.
func TestRotateForATokenWhereThereIsNone(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	keeper := f.account(acme, accounts.NewAccount{Slug: "keeper", Credential: &accounts.FirstCredential{}})
	rotate := func(at accounts.ServiceAccount) accounts.Issued {
		t.Helper()
		made, err := f.Rotate(t.Context(), operator(), refTo(at), accounts.Rotation{Kind: accounts.KindToken})
		must(t, err)
		f.presents(made.Secret)
		return made
	}
	first := rotate(keeper.Account)
	if first.Credential.Primary || first.Credential.Kind != accounts.KindToken || first.Credential.ID == keeper.Credential.ID || first.Account.TokenExpiresAt.IsZero() {
		t.Errorf("made %+v", first)
	}
	second := rotate(keeper.Account)
	if second.Credential.ID != first.Credential.ID {
		t.Errorf("a second rotation makes %+v", second.Credential)
	}
	f.noToken("the first", first.Secret)
	f.alive(keeper.Credential.ClientID, keeper.Secret)
	plain, err := f.Rotate(t.Context(), operator(), refTo(keeper.Account), accounts.Rotation{})
	must(t, err)
	f.dead(keeper.Credential.ClientID, keeper.Secret)
	f.alive(keeper.Credential.ClientID, plain.Secret)
	f.presents(second.Secret)

	bare := rotate(f.account(acme, accounts.NewAccount{Slug: "bare"}).Account)
	if !bare.Credential.Primary {
		t.Errorf("the first credential of all is %+v", bare.Credential)
	}
	wantInvalid(t, f.unchanged(func() error {
		return fails(f.Rotate(t.Context(), operator(), refTo(bare.Account), accounts.Rotation{Kind: "certificate"}))
	}), "kind")
}

func TestRotateOwn(t *testing.T) {
	f := newFixture(t)
	acme, other := f.org("acme"), f.org("other")
	f.role(acme, "weak", "llm:*")
	made, neighbour, foreign := f.bearer(acme, "bot", "weak"), f.bearer(acme, "neighbour", "weak"), f.bearer(other, "bot", accounts.RoleAPI)
	keeper := f.account(acme, accounts.NewAccount{Slug: "keeper", Role: "weak", Credential: &accounts.FirstCredential{}})
	own := f.presents(made.Secret)
	rotate := func(by authz.Principal, at accounts.AccountRef) error {
		return fails(f.RotateOwn(t.Context(), by, at, accounts.Rotation{}))
	}
	for name, at := range map[string]accounts.AccountRef{
		"another": refTo(neighbour.Account), "absent": {Org: accounts.ByID(acme.ID), Account: accounts.ByID(uuid.New())},
		"another by slug": {Org: accounts.ByID(acme.ID), Account: accounts.BySlug("keeper")},
	} {
		t.Log(name)
		wantDenied(t, f.unchanged(func() error { return rotate(own, at) }), "orgs:credentials:update")
	}
	for name, org := range map[string]accounts.Ref{"foreign": accounts.ByID(other.ID), "absent": accounts.ByID(uuid.New())} {
		checkAbsent(t, name, f.unchanged(func() error {
			return rotate(own, accounts.AccountRef{Org: org, Account: accounts.ByID(foreign.Account.ID)})
		}))
	}
	// Only the token itself, and not whatever else the account proves itself by.
	second, err := f.CreateCredential(t.Context(), operator(), refTo(made.Account), accounts.NewCredential{Kind: accounts.KindSecret, Name: "Second"})
	must(t, err)
	bySecret := own
	bySecret.CredentialID = second.Credential.ID
	wantDenied(t, f.unchanged(func() error { return rotate(bySecret, refTo(made.Account)) }), "orgs:credentials:update")
	byKeeper := own
	byKeeper.AccountID, byKeeper.CredentialID = keeper.Account.ID, keeper.Credential.ID
	wantDenied(t, f.unchanged(func() error { return rotate(byKeeper, refTo(keeper.Account)) }), "orgs:credentials:update")
	// No other door gains it.
	wantDenied(t, f.unchanged(func() error {
		return fails(f.Rotate(t.Context(), own, refTo(made.Account), accounts.Rotation{Kind: accounts.KindToken}))
	}), "orgs:credentials:update")

	f.recorded(accounts.ByID(acme.ID), "organizations.serviceAccounts.rotated", func() error {
		rotated, err := f.RotateOwn(t.Context(), own, refTo(made.Account), accounts.Rotation{Kind: accounts.KindSecret})
		if err == nil {
			f.noToken("the old one", made.Secret)
			own = f.presents(rotated.Secret)
		}
		return err
	})
	must(t, rotate(own, accounts.AccountRef{Org: accounts.BySlug("acme"), Account: accounts.BySlug("bot")}))
	f.presents(neighbour.Secret)
	// Who may rotate any account may do it here too.
	must(t, rotate(admin(acme, "*"), refTo(neighbour.Account)))
	f.noToken("rotated by an administrator", neighbour.Secret)
}

// Of two tokens of an account each replaces itself.
func TestRotateOwnReplacesTheOnePresented(t *testing.T) {
	f := newFixture(t)
	made := f.bearer(f.org("acme"), "bot", accounts.RoleAdmin)
	for _, scope := range []string{"orgs:roles:read", "orgs:credentials:update"} { // without the permission, and with it
		second, err := f.CreateCredential(t.Context(), operator(), refTo(made.Account), accounts.NewCredential{
			Kind: accounts.KindToken, Name: "Second", Scopes: authz.MustSet(scope),
		})
		must(t, err)
		rotated, err := f.RotateOwn(t.Context(), f.presents(second.Secret), refTo(made.Account), accounts.Rotation{})
		must(t, err)
		f.noToken("the second", second.Secret)
		f.presents(made.Secret)
		if holds := f.presents(rotated.Secret).Holds; holds.String() != scope {
			t.Errorf("the successor holds %s", holds)
		}
	}
}

func TestSelf(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	made := f.bearer(acme, "bot", accounts.RoleMember)
	by := f.presents(made.Secret)
	f.Touch(accounts.Use{AccountID: made.Account.ID, CredentialID: made.Credential.ID, SecretID: made.Credential.ID, At: start})
	org, account, err := f.Self(t.Context(), by)
	must(t, err)
	if org.ID != acme.ID || account.ID != made.Account.ID || account.TokenExpiresAt.IsZero() || !account.LastUse.At.Equal(start) {
		t.Errorf("%+v in %+v", account, org)
	}
	must(t, f.DeleteAccount(t.Context(), operator(), refTo(made.Account), nil))
	for _, gone := range []authz.Principal{by, operator(), {}} {
		org, account, err := f.Self(t.Context(), gone)
		checkAbsent(t, "gone", err)
		if org.ID != uuid.Nil || account.ID != uuid.Nil {
			t.Error("an error with an account")
		}
	}
}
