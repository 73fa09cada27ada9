package accounts_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

func registrationOperations() []operation {
	may := func(a authz.Action) authz.Pattern { return authz.Permission(authz.ServiceAccounts, a) }
	return []operation{
		{"RegistrationToDelete", may(authz.Delete), false, "", false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails(s.RegistrationToDelete(ctx, by, o.account))
		}},
		{"UpdateRegistration", may(authz.Update), false, "organizations.serviceAccounts.updated", false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails2(s.UpdateRegistration(ctx, by, o.account, accounts.RegistrationPatch{Account: accounts.AccountPatch{Name: accounts.Some("New")}}))
		}},
	}
}

func TestRegistrationShowsAccountAndSecret(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	by := admin(acme, "*")
	ranges := prefixes("192.0.2.0/24")
	made, err := f.CreateAccount(t.Context(), by, accounts.ByID(acme.ID), accounts.NewAccount{
		Name: "Bot", Credential: &accounts.FirstCredential{Shape: accounts.Prefixed, AllowedCIDRs: ranges},
	})
	must(t, err)
	if made.Org.ID != acme.ID || !made.Allowed.Equal(authz.MustSet("llm:*", "tools:*")) {
		t.Errorf("made in %v with %v", made.Org, made.Allowed)
	}
	shown, err := f.Registration(t.Context(), by, refTo(made.Account))
	must(t, err)
	want := accounts.Registration{Org: acme, Account: made.Account, Credential: made.Credential}
	if diff := cmp.Diff(want, shown, comparers, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if !cmp.Equal(shown.Credential.AllowedCIDRs, ranges, comparers) {
		t.Errorf("allowed from %v", shown.Credential.AllowedCIDRs)
	}

	f.clock.advance(time.Hour)
	rotated, err := f.Rotate(t.Context(), by, refTo(made.Account), accounts.Rotation{Kind: accounts.KindSecret})
	must(t, err)
	shown, err = f.Registration(t.Context(), by, refTo(made.Account))
	must(t, err)
	if !shown.RotatedAt.Equal(start.Add(time.Hour)) || shown.Credential.LastSeq != 2 || shown.Credential.ID != rotated.Credential.ID {
		t.Errorf("rotated at %v: %+v", shown.RotatedAt, shown.Credential)
	}
}

// The credential is one with a secret, if there is any, also where a token came first.
func TestRegistrationsListEveryAccount(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	by := admin(acme, "*")
	bare := f.account(acme, accounts.NewAccount{}).Account
	tokened := f.account(acme, accounts.NewAccount{Credential: &accounts.FirstCredential{Kind: accounts.KindToken}}).Account
	second, err := f.CreateCredential(t.Context(), by, refTo(tokened), accounts.NewCredential{Kind: accounts.KindSecret, Name: "second"})
	must(t, err)
	plain := f.account(acme, accounts.NewAccount{Credential: &accounts.FirstCredential{}})
	f.account(f.org("other"), accounts.NewAccount{})

	list, page, err := f.Registrations(t.Context(), by, accounts.ByID(acme.ID), accounts.Query{Limit: 2})
	must(t, err)
	rest, last, err := f.Registrations(t.Context(), by, accounts.ByID(acme.ID), accounts.Query{Limit: 2, Offset: 2})
	must(t, err)
	if page != (accounts.Page{Total: 3, Next: true}) || last != (accounts.Page{Total: 3, Prev: true}) {
		t.Errorf("pages %+v and %+v", page, last)
	}
	got := map[uuid.UUID]uuid.UUID{}
	for _, one := range append(list, rest...) {
		got[one.Account.ID] = one.Credential.ID
		if one.Org.ID != acme.ID {
			t.Errorf("org %v", one.Org)
		}
	}
	want := map[uuid.UUID]uuid.UUID{bare.ID: uuid.Nil, tokened.ID: second.Credential.ID, plain.Account.ID: plain.Credential.ID}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestI33_RegistrationsNeedBothPermissions(t *testing.T) {
	f := newFixture(t)
	acme, other := f.org("acme"), f.org("other")
	account := f.account(acme, accounts.NewAccount{Credential: &accounts.FirstCredential{}}).Account
	foreign := f.account(other, accounts.NewAccount{}).Account
	for _, missing := range []authz.Pattern{
		authz.Permission(authz.ServiceAccounts, authz.Read), authz.Permission(authz.Credentials, authz.Read),
	} {
		by := admin(acme, "*")
		by.Permissions = everythingBut(missing)
		_, err := f.Registration(t.Context(), by, refTo(account))
		wantDenied(t, err, missing)
		_, _, err = f.Registrations(t.Context(), by, accounts.ByID(acme.ID), accounts.Query{Limit: 1})
		wantDenied(t, err, missing)
	}
	by := admin(acme, "*")
	_, err := f.Registration(t.Context(), by, refTo(foreign))
	checkAbsent(t, "foreign", err)
	_, err = f.Registration(t.Context(), by, accounts.AccountRef{Org: accounts.ByID(acme.ID), Account: accounts.ByID(foreign.ID)})
	checkAbsent(t, "under the own org", err)
	_, _, err = f.Registrations(t.Context(), by, accounts.ByID(other.ID), accounts.Query{Limit: 1})
	checkAbsent(t, "foreign org", err)
	_, _, err = f.Registrations(t.Context(), by, accounts.ByID(acme.ID), accounts.Query{Limit: 1, Offset: 1, After: account.ID})
	wantInvalid(t, err, "offset")
}

func TestI17_UpdateRegistrationIsOneWrite(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	made := f.account(acme, accounts.NewAccount{Credential: &accounts.FirstCredential{}})
	bare := f.account(acme, accounts.NewAccount{}).Account
	patch := func(ranges ...string) accounts.RegistrationPatch {
		return accounts.RegistrationPatch{
			Account:      accounts.AccountPatch{Name: accounts.Some("New"), Scopes: accounts.Some(authz.MustSet("llm:*"))},
			AllowedCIDRs: accounts.Some(prefixes(ranges...)),
		}
	}
	by := admin(acme, "*")
	update := func(by authz.Principal, account accounts.ServiceAccount, patch accounts.RegistrationPatch) error {
		return f.unchanged(func() error { return fails2(f.UpdateRegistration(t.Context(), by, refTo(account), patch)) })
	}
	unmasked := patch()
	unmasked.AllowedCIDRs = accounts.Some([]netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")})
	wantInvalid(t, update(by, made.Account, unmasked), "allowedCidrs")
	wantInvalid(t, update(by, bare, patch("192.0.2.0/24")), "allowedCidrs")
	stale := patch("192.0.2.0/24")
	stale.Account.IfVersion = new(int64)
	wantErr(t, update(by, made.Account, stale), accounts.ErrStale)
	lacking := admin(acme, "*")
	lacking.Permissions = everythingBut(authz.Permission(authz.Credentials, authz.Update))
	wantDenied(t, update(lacking, made.Account, patch("192.0.2.0/24")), authz.Permission(authz.Credentials, authz.Update))

	rows := f.auditRows()
	before, after, err := f.UpdateRegistration(t.Context(), by, refTo(made.Account), patch("192.0.2.0/24"))
	must(t, err)
	if f.auditRows() != rows+1 {
		t.Error("it is not one write")
	}
	if before.Account.Name != made.Account.Name || len(before.Credential.AllowedCIDRs) != 0 || after.Account.Name != "New" {
		t.Errorf("from %+v to %+v", before, after)
	}
	stored, err := f.Registration(t.Context(), by, refTo(made.Account))
	must(t, err)
	if diff := cmp.Diff(after, stored, comparers); diff != "" {
		t.Errorf("stored (-want +got)\n%s", diff)
	}
	f.alive(made.Credential.ClientID, made.Secret) // the fixture comes from 192.0.2.7
	_, _, err = f.UpdateRegistration(t.Context(), by, refTo(made.Account), patch("198.51.100.0/24"))
	must(t, err)
	f.dead(made.Credential.ClientID, made.Secret)
}

// I34: opening a credential to more addresses hands over its account's power.
func TestI34_UpdateRegistrationHandsNothingOver(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	f.role(acme, "powerful", "secrets:*")
	made := f.account(acme, accounts.NewAccount{Role: "powerful", Credential: &accounts.FirstCredential{AllowedCIDRs: prefixes("192.0.2.0/24")}})
	clerk := admin(acme, "orgs:*")
	open := accounts.RegistrationPatch{AllowedCIDRs: accounts.Some[[]netip.Prefix](nil)}
	err := f.unchanged(func() error { return fails2(f.UpdateRegistration(t.Context(), clerk, refTo(made.Account), open)) })
	wantDenied(t, err, "")
	_, _, err = f.UpdateRegistration(t.Context(), admin(acme, "*"), refTo(made.Account), open)
	must(t, err)
}

func TestDeletedAt(t *testing.T) {
	f := newFixture(t)
	acme, other := f.org("acme"), f.org("other")
	by := admin(acme, "*")
	account := f.account(acme, accounts.NewAccount{}).Account
	deletedAt := func(by authz.Principal, org accounts.Org) (time.Time, error) {
		return f.DeletedAt(t.Context(), by, accounts.ByID(org.ID), account.ID)
	}
	_, err := deletedAt(by, acme)
	wantErr(t, err, accounts.ErrNotFound)
	f.clock.advance(time.Minute)
	must(t, f.DeleteAccount(t.Context(), by, refTo(account), nil))
	f.clock.advance(time.Minute)
	at, err := deletedAt(by, acme)
	must(t, err)
	if !at.Equal(start.Add(time.Minute)) {
		t.Errorf("deleted at %v", at)
	}
	_, err = deletedAt(admin(other, "*"), acme)
	checkAbsent(t, "from another org", err)
	_, err = deletedAt(admin(other, "*"), other)
	checkAbsent(t, "in another org", err)
	lacking := admin(acme, "*")
	lacking.Permissions = everythingBut(authz.Permission(authz.ServiceAccounts, authz.Delete))
	_, err = deletedAt(lacking, acme)
	wantDenied(t, err, authz.Permission(authz.ServiceAccounts, authz.Delete))
}

func TestActors(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	bot := f.account(acme, accounts.NewAccount{Slug: "bot", Name: "Bot"}).Account
	root := f.account(f.systemOrg(), accounts.NewAccount{Slug: "root", Name: "Root"}).Account
	gone := f.account(acme, accounts.NewAccount{Slug: "gone"}).Account
	must(t, f.DeleteAccount(t.Context(), operator(), refTo(gone), nil))
	subjects := []string{bot.UserID(), root.UserID(), gone.UserID(), "signet:bootstrap", "sa:acme", "sa:acme:Bot", bot.UserID(), ""}

	everyone := map[string]accounts.Actor{}
	for _, subject := range subjects {
		everyone[subject] = accounts.Actor{Subject: subject}
	}
	system := admin(f.systemOrg(), "orgs:*")
	tenants := admin(acme, "orgs:*")
	blind := admin(acme, "orgs:roles:*")
	itself := admin(acme, "orgs:roles:*")
	itself.Subject = bot.UserID()
	known := accounts.Actor{Subject: bot.UserID(), ID: bot.ID, Name: "Bot"}
	above := accounts.Actor{Subject: root.UserID(), ID: root.ID, Name: "Root"}
	for _, tc := range []struct {
		name string
		by   authz.Principal
		seen []accounts.Actor
	}{
		{"system", system, []accounts.Actor{known, above}},
		{"tenant", tenants, []accounts.Actor{known}},
		{"without the permission", blind, nil},
		{"itself", itself, []accounts.Actor{known}},
	} {
		got, err := f.Actors(t.Context(), tc.by, subjects...)
		must(t, err)
		want := map[string]accounts.Actor{}
		for subject, actor := range everyone {
			want[subject] = actor
		}
		for _, actor := range tc.seen {
			want[actor.Subject] = actor
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tc.name, diff)
		}
	}
	must(t, f.db.Close())
	if _, err := f.Actors(t.Context(), system, bot.UserID()); !errors.Is(err, accounts.ErrUnavailable) {
		t.Errorf("without a store: %v", err)
	}
}
