package accounts_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

func TestCreateAccount(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	group := f.group(acme, []string{accounts.RoleAPI})
	by := admin(acme, "*")
	made, err := f.CreateAccount(t.Context(), by, accounts.BySlug("acme"), accounts.NewAccount{
		Slug: "bot", Name: "Bot", Description: "two\nlines", Role: "org:agent-standard", Groups: []uuid.UUID{group.ID, group.ID},
		Scopes: authz.MustSet("llm:chat", "api:read"), TokenLifetime: time.Minute, Tags: []accounts.Tag{{Name: "team", Value: "a"}},
		Credential: &accounts.FirstCredential{},
	})
	must(t, err)
	want := accounts.ServiceAccount{
		ID: made.Account.ID, OrgID: acme.ID, OrgSlug: "acme", Slug: "bot", Name: "Bot", Description: "two\nlines", Role: "agent-standard",
		Groups: []uuid.UUID{group.ID}, Scopes: authz.MustSet("llm:chat", "api:read"), TokenLifetime: time.Minute,
		Tags: []accounts.Tag{{Name: "team", Value: "a"}}, Version: 1,
		Stamp: accounts.Stamp{CreatedAt: start, CreatedBy: by.Subject, UpdatedAt: start, UpdatedBy: by.Subject},
	}
	for _, ref := range []accounts.Ref{accounts.BySlug("bot"), accounts.ByID(made.Account.ID)} {
		read, err := f.Account(t.Context(), by, accounts.AccountRef{Org: accounts.BySlug("acme"), Account: ref})
		must(t, err)
		if diff := cmp.Diff(want, read, comparers); diff != "" {
			t.Errorf("stored (-want +got)\n%s", diff)
		}
	}
	standing := f.alive(made.Credential.ClientID, made.Secret)
	if standing.Subject() != "sa:acme:bot" || made.Account.UserID() != "sa:acme:bot" || !standing.Allowed().Equal(authz.MustSet("llm:chat", "api:read")) {
		t.Errorf("standing %+v", standing)
	}
	if !made.Credential.Primary || made.Credential.Kind != accounts.KindSecret {
		t.Errorf("credential %+v", made.Credential)
	}
}

func TestCreateAccountDefaults(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	made := f.account(acme, accounts.NewAccount{})
	if made.Account.Slug != accounts.ShortID(made.Account.ID) || made.Account.Role != acme.DefaultRole {
		t.Errorf("slug %q, role %q", made.Account.Slug, made.Account.Role)
	}
	if made.Credential.ID != uuid.Nil || !made.Secret.IsZero() {
		t.Error("a credential that nobody asked for")
	}
	list, page, err := f.Credentials(t.Context(), operator(), refTo(made.Account), accounts.Query{Limit: 5})
	must(t, err)
	if len(list) != 0 || page.Total != 0 {
		t.Errorf("credentials %v", list)
	}
}

func TestAccountRefuses(t *testing.T) {
	f := newFixture(t)
	acme, other := f.org("acme"), f.org("other")
	account := f.account(acme, accounts.NewAccount{}).Account
	foreign := f.group(other, nil)
	for name, test := range map[string]struct {
		in     accounts.NewAccount
		fields []string
	}{
		"no name":                {accounts.NewAccount{}, []string{"name"}},
		"spaces around name":     {accounts.NewAccount{Name: "a\u00a0"}, []string{"name"}},
		"invisible in name":      {accounts.NewAccount{Name: "a\u200db"}, []string{"name"}},
		"broken text":            {accounts.NewAccount{Name: "a\xff", Description: "\xff"}, []string{"name", "description"}},
		"long description":       {accounts.NewAccount{Name: "A", Description: strings.Repeat("x", 501)}, []string{"description"}},
		"many tags":              {accounts.NewAccount{Name: "A", Tags: manyTags(51)}, []string{"tags"}},
		"tag twice":              {accounts.NewAccount{Name: "A", Tags: []accounts.Tag{{Name: "a"}, {Name: "a"}}}, []string{"tags"}},
		"tag without name":       {accounts.NewAccount{Name: "A", Tags: []accounts.Tag{{Value: "a"}}}, []string{"tags"}},
		"long tag":               {accounts.NewAccount{Name: "A", Tags: []accounts.Tag{{Name: "a", Value: strings.Repeat("x", 256)}}}, []string{"tags"}},
		"negative lifetime":      {accounts.NewAccount{Name: "A", TokenLifetime: -time.Second}, []string{"tokenLifetimeSeconds"}},
		"part of a second":       {accounts.NewAccount{Name: "A", TokenLifetime: time.Millisecond}, []string{"tokenLifetimeSeconds"}},
		"long lifetime":          {accounts.NewAccount{Name: "A", TokenLifetime: time.Hour + time.Second}, []string{"tokenLifetimeSeconds"}},
		"unknown role":           {accounts.NewAccount{Name: "A", Role: "nowhere"}, []string{"roleSlug"}},
		"role without name":      {accounts.NewAccount{Name: "A", Role: "org:"}, []string{"roleSlug"}},
		"role of the org's id":   {accounts.NewAccount{Name: "A", Role: acme.ID.String()}, []string{"roleSlug"}},
		"unknown group":          {accounts.NewAccount{Name: "A", Groups: []uuid.UUID{uuid.New()}}, []string{"groups"}},
		"foreign group":          {accounts.NewAccount{Name: "A", Groups: []uuid.UUID{foreign.ID}}, []string{"groups"}},
		"many groups":            {accounts.NewAccount{Name: "A", Groups: manyIDs(17)}, []string{"groups"}},
		"scopes leaving nothing": {accounts.NewAccount{Name: "A", Role: accounts.RoleAPI, Scopes: authz.MustSet("llm:*")}, []string{"scopes"}},
	} {
		t.Run(name, func(t *testing.T) {
			wantInvalid(t, f.unchanged(func() error { return fails(f.CreateAccount(t.Context(), operator(), accounts.ByID(acme.ID), test.in)) }), test.fields...)
			in := test.in
			if in.Role == "" {
				in.Role = account.Role
			}
			wantInvalid(t, f.unchanged(func() error {
				return fails(f.UpdateAccount(t.Context(), operator(), refTo(account), accounts.AccountPatch{
					Name: accounts.Some(in.Name), Description: accounts.Some(in.Description), Role: accounts.Some(in.Role), Groups: accounts.Some(in.Groups),
					Scopes: accounts.Some(in.Scopes), TokenLifetime: accounts.Some(in.TokenLifetime), Tags: accounts.Some(in.Tags),
				}))
			}), test.fields...)
		})
	}
	wantInvalid(t, f.unchanged(func() error {
		return fails(f.CreateAccount(t.Context(), operator(), accounts.ByID(acme.ID), accounts.NewAccount{Slug: "No Slug", TokenLifetime: -1}))
	}), "slug", "name", "tokenLifetimeSeconds")
}

func manyTags(n int) []accounts.Tag {
	tags := make([]accounts.Tag, n)
	for i := range tags {
		tags[i] = accounts.Tag{Name: fmt.Sprint("t", i)}
	}
	return tags
}

// A role that permits nothing has nothing that scopes could leave.
func TestScopesOfAnAccountWithoutPermissions(t *testing.T) {
	f := newFixture(t)
	f.account(f.org("acme"), accounts.NewAccount{Role: accounts.RoleMember, Scopes: authz.MustSet("llm:*")})
}

func TestUpdateAccount(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	made := f.account(acme, accounts.NewAccount{Slug: "bot", Credential: &accounts.FirstCredential{}, Description: "old", Tags: []accounts.Tag{{Name: "a"}}})
	group := f.group(acme, []string{accounts.RoleAPI})
	f.clock.advance(time.Second)
	by := admin(acme, "*")
	got, err := f.UpdateAccount(t.Context(), by, refTo(made.Account), accounts.AccountPatch{
		Name: accounts.Some("New"), Description: accounts.Some(""), Role: accounts.Some(""), Groups: accounts.Some([]uuid.UUID{group.ID}),
		Scopes: accounts.Some(authz.MustSet("api:read")), TokenLifetime: accounts.Some(time.Hour), Tags: accounts.Some([]accounts.Tag{}),
		IfVersion: &made.Account.Version,
	})
	must(t, err)
	want := made.Account
	want.Name, want.Description, want.Role, want.Groups, want.Scopes = "New", "", "", []uuid.UUID{group.ID}, authz.MustSet("api:read")
	want.TokenLifetime, want.Tags, want.Version, want.UpdatedAt, want.UpdatedBy = time.Hour, []accounts.Tag{}, 2, start.Add(time.Second), by.Subject
	if diff := cmp.Diff(want, got, comparers); diff != "" {
		t.Errorf("answered (-want +got)\n%s", diff)
	}
	read, err := f.Account(t.Context(), by, refTo(made.Account))
	must(t, err)
	if diff := cmp.Diff(want, read, comparers); diff != "" {
		t.Errorf("stored (-want +got)\n%s", diff)
	}
	if allowed := f.alive(made.Credential.ClientID, made.Secret).Allowed(); !allowed.Equal(authz.MustSet("api:read")) {
		t.Errorf("allowed %v", allowed)
	}
	wantErr(t, f.unchanged(func() error {
		return fails(f.UpdateAccount(t.Context(), by, refTo(made.Account), accounts.AccountPatch{IfVersion: &made.Account.Version}))
	}), accounts.ErrStale)
}

func TestI9_I14_Row19_Row23_DisableAccount(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	made := f.account(acme, accounts.NewAccount{Slug: "bot", Credential: &accounts.FirstCredential{}})
	gen := f.alive(made.Credential.ClientID, made.Secret).Gen
	set := func(disabled bool) {
		_, err := f.UpdateAccount(t.Context(), admin(acme, "*"), refTo(made.Account), accounts.AccountPatch{Disabled: accounts.Some(disabled)})
		must(t, err)
	}
	set(true)
	f.dead(made.Credential.ClientID, made.Secret)
	o := objects{org: accounts.ByID(acme.ID), account: refTo(made.Account), credential: made.Credential.ID}
	for _, op := range append(accountOperations(), credentialOperations()...) { // no side path enables it
		if op.event == "" || op.name == "DeleteAccount" || op.name == "DeleteCredential" || op.name == "RetireSecret" || op.name == "CreateAccount" {
			continue
		}
		must(t, op.call(t.Context(), f.Service, admin(acme, "*"), o))
		account, err := f.Account(t.Context(), operator(), refTo(made.Account))
		must(t, err)
		if !account.Disabled {
			t.Fatalf("%s enabled the account", op.name)
		}
	}
	set(false)
	_, err := f.UpdateCredential(t.Context(), operator(), o.account, o.credential, accounts.CredentialPatch{Disabled: accounts.Some(false)})
	must(t, err)
	if after := f.alive(made.Credential.ClientID, made.Secret).Gen; after <= gen {
		t.Errorf("gen %d after %d: tokens from before live again", after, gen)
	}
}

// A cut-off must never fail for the state of fields that it does not touch.
func TestI9_DisableIsRefusedForNothingElse(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	role := f.role(acme, "payer", "pay:out")
	made := f.account(acme, accounts.NewAccount{Role: "payer", Scopes: authz.MustSet("pay:out"), Credential: &accounts.FirstCredential{}})
	narrow, err := f.CreateCredential(t.Context(), operator(), refTo(made.Account), accounts.NewCredential{
		Kind: accounts.KindSecret, Name: "Narrow", Scopes: authz.MustSet("pay:out"),
	})
	must(t, err)
	for i := range accounts.MaxGroupsOfAccount {
		_, _, err := f.CreateGroup(t.Context(), operator(), accounts.ByID(acme.ID), accounts.NewGroup{Name: fmt.Sprint("G", i), Members: []uuid.UUID{made.Account.ID}})
		must(t, err)
	}
	_, err = f.UpdateRole(t.Context(), operator(), accounts.ByID(acme.ID), accounts.ByID(role.ID), accounts.RolePatch{Permissions: accounts.Some(authz.MustSet("other:thing"))})
	must(t, err)
	_, err = f.UpdateCredential(t.Context(), operator(), refTo(made.Account), narrow.Credential.ID, accounts.CredentialPatch{Disabled: accounts.Some(true)})
	must(t, err)
	_, err = f.UpdateAccount(t.Context(), operator(), refTo(made.Account), accounts.AccountPatch{Disabled: accounts.Some(true)})
	must(t, err)
	f.dead(made.Credential.ClientID, made.Secret)
}

func TestI34_EnableBringsNothingBackThatTheCallerLacks(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	f.role(acme, "payer", "pay:out")
	clerk := admin(acme, "orgs:service-accounts:*", "orgs:credentials:*")
	set := func(account accounts.ServiceAccount, disabled bool) error {
		return fails(f.UpdateAccount(t.Context(), clerk, refTo(account), accounts.AccountPatch{Disabled: accounts.Some(disabled)}))
	}
	strong, plain := f.account(acme, accounts.NewAccount{Role: "payer"}).Account, f.account(acme, accounts.NewAccount{Role: accounts.RoleAPI}).Account
	must(t, set(strong, true)) // anybody may take away
	wantDenied(t, f.unchanged(func() error { return set(strong, false) }), "")
	must(t, set(plain, true))
	must(t, set(plain, false))
}

func TestI13_RFC9068_5_TombstonedSlugs(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	made := f.account(acme, accounts.NewAccount{Slug: "bot", Credential: &accounts.FirstCredential{}})
	again := func() error {
		return fails(f.CreateAccount(t.Context(), operator(), accounts.ByID(acme.ID), accounts.NewAccount{Slug: "bot", Name: "Bot"}))
	}
	wantErr(t, f.unchanged(again), accounts.ErrExists)
	stale := int64(9)
	wantErr(t, f.unchanged(func() error { return f.DeleteAccount(t.Context(), operator(), refTo(made.Account), &stale) }), accounts.ErrStale)
	must(t, f.DeleteAccount(t.Context(), operator(), refTo(made.Account), &made.Account.Version))
	f.dead(made.Credential.ClientID, made.Secret)
	wantErr(t, f.unchanged(again), accounts.ErrExists)
	f.account(f.org("other"), accounts.NewAccount{Slug: "bot"})
	if len(f.usage.erased) != 1 || f.usage.erased[0] != made.Account.ID {
		t.Errorf("erased from the state: %v", f.usage.erased)
	}
}

func TestQuotaCountsTheLiving(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	two := int64(2)
	_, err := f.UpdateOrg(t.Context(), operator(), accounts.ByID(acme.ID), accounts.OrgPatch{MaxServiceAccounts: accounts.Some(&two)})
	must(t, err)
	first := f.account(acme, accounts.NewAccount{})
	f.account(acme, accounts.NewAccount{})
	third := func() error {
		return fails(f.CreateAccount(t.Context(), operator(), accounts.ByID(acme.ID), accounts.NewAccount{Slug: "third", Name: "Bot"}))
	}
	wantErr(t, f.unchanged(third), accounts.ErrLimit)
	must(t, f.DeleteAccount(t.Context(), operator(), refTo(first.Account), nil))
	must(t, third())
}

func TestRevokeTokensRaisesGen(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	made := f.account(acme, accounts.NewAccount{Credential: &accounts.FirstCredential{}})
	gen := f.alive(made.Credential.ClientID, made.Secret).Gen
	f.clock.advance(time.Minute)
	by := admin(acme, "orgs:tokens:delete")
	must(t, f.RevokeTokens(t.Context(), by, refTo(made.Account)))
	account, err := f.Account(t.Context(), operator(), refTo(made.Account))
	must(t, err)
	if !account.UpdatedAt.Equal(start.Add(time.Minute)) || account.UpdatedBy != by.Subject || account.Version != made.Account.Version+1 {
		t.Errorf("version %d, updated %v by %s", account.Version, account.UpdatedAt, account.UpdatedBy)
	}
	if after := f.alive(made.Credential.ClientID, made.Secret).Gen; after != gen+1 {
		t.Errorf("gen %d, want %d", after, gen+1)
	}
}
