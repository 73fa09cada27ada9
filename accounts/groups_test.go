package accounts_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

func TestCreateGroup(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	bot := f.account(acme, accounts.NewAccount{Slug: "bot", Role: accounts.RoleMember, Credential: &accounts.FirstCredential{}})
	by := admin(acme, "*")
	made, _, err := f.CreateGroup(t.Context(), by, accounts.ByID(acme.ID), accounts.NewGroup{
		Name: "Payers", Roles: []string{"org:api", "viewer", "api"}, Members: []uuid.UUID{bot.Account.ID, bot.Account.ID},
		Description: "who pays", Tags: []accounts.Tag{{Name: "floor", Value: "2"}},
	})
	must(t, err)
	var roleIDs []uuid.UUID
	for _, slug := range []string{"api", "viewer"} {
		role, err := f.Role(t.Context(), by, accounts.ByID(acme.ID), accounts.BySlug(slug))
		must(t, err)
		roleIDs = append(roleIDs, role.ID)
	}
	slices.SortFunc(roleIDs, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	want := accounts.Group{
		ID: made.ID, OrgID: acme.ID, Name: "Payers", Description: "who pays", Roles: []string{"api", "viewer"}, RoleIDs: roleIDs,
		Members: []uuid.UUID{bot.Account.ID}, Tags: []accounts.Tag{{Name: "floor", Value: "2"}}, Version: 1,
		Stamp: accounts.Stamp{CreatedAt: start, CreatedBy: by.Subject, UpdatedAt: start, UpdatedBy: by.Subject},
	}
	read, err := f.Group(t.Context(), by, accounts.ByID(acme.ID), made.ID)
	must(t, err)
	if diff := cmp.Diff(want, read); diff != "" {
		t.Errorf("stored (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(read, made); diff != "" {
		t.Errorf("answered (-stored +got)\n%s", diff)
	}
	if got := f.alive(bot.Credential.ClientID, bot.Secret).Allowed(); !got.Equal(authz.MustSet("api:read", "api:write", "orgs:*:read")) {
		t.Errorf("a member may %v", got)
	}
}

func TestGroupRefuses(t *testing.T) {
	f := newFixture(t)
	acme, other := f.org("acme"), f.org("other")
	foreign := f.account(other, accounts.NewAccount{Slug: "foreign"})
	f.role(other, "theirs", "a:b")
	group := f.group(acme, nil)
	many := make([]string, 17)
	for i := range many {
		many[i] = f.role(acme, fmt.Sprintf("r-%d", i), "a:b").Slug
	}
	for name, test := range map[string]struct {
		in     accounts.NewGroup
		fields []string
	}{
		"no name":           {accounts.NewGroup{}, []string{"name"}},
		"many roles":        {accounts.NewGroup{Name: "G", Roles: many}, []string{"roles"}},
		"many members":      {accounts.NewGroup{Name: "G", Members: manyIDs(accounts.MaxMembersOfGroup + 1)}, []string{"members"}},
		"unknown role":      {accounts.NewGroup{Name: "G", Roles: []string{"nowhere"}}, []string{"roles"}},
		"role of other org": {accounts.NewGroup{Name: "G", Roles: []string{"theirs"}}, []string{"roles"}},
		"unknown member":    {accounts.NewGroup{Name: "G", Members: []uuid.UUID{uuid.New()}}, []string{"members"}},
		"foreign member":    {accounts.NewGroup{Name: "G", Members: []uuid.UUID{foreign.Account.ID}}, []string{"members"}},
	} {
		t.Run(name, func(t *testing.T) {
			wantInvalid(t, f.unchanged(func() error { return fails2(f.CreateGroup(t.Context(), operator(), accounts.ByID(acme.ID), test.in)) }), test.fields...)
			wantInvalid(t, f.unchanged(func() error {
				return fails(f.UpdateGroup(t.Context(), operator(), accounts.ByID(acme.ID), group.ID, accounts.GroupPatch{
					Name: accounts.Some(test.in.Name), Roles: accounts.Some(test.in.Roles), Members: accounts.Some(test.in.Members),
				}))
			}), test.fields...)
		})
	}
}

func manyIDs(n int) []uuid.UUID {
	ids := make([]uuid.UUID, n)
	for i := range ids {
		ids[i] = uuid.New()
	}
	return ids
}

func TestUpdateGroup(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	stays, leaves, joins := f.account(acme, accounts.NewAccount{}).Account, f.account(acme, accounts.NewAccount{}).Account, f.account(acme, accounts.NewAccount{}).Account
	group := f.group(acme, []string{accounts.RoleAPI}, stays.ID, leaves.ID)
	got, err := f.UpdateGroup(t.Context(), admin(acme, "*"), accounts.ByID(acme.ID), group.ID, accounts.GroupPatch{
		Name: accounts.Some("New"), Members: accounts.Some([]uuid.UUID{joins.ID, stays.ID}), IfVersion: &group.Version,
	})
	must(t, err)
	read, err := f.Group(t.Context(), operator(), accounts.ByID(acme.ID), group.ID)
	must(t, err)
	if diff := cmp.Diff(read, got); diff != "" || got.Version != 2 || got.Name != "New" || len(got.Roles) != 1 {
		t.Errorf("answered something else than stored\n%s", diff)
	}
	for _, test := range []struct {
		before accounts.ServiceAccount
		member bool
	}{{stays, true}, {leaves, false}, {joins, true}} {
		account, err := f.Account(t.Context(), operator(), refTo(test.before))
		must(t, err)
		if slices.Contains(account.Groups, group.ID) != test.member {
			t.Errorf("%s has the groups %v", account.Slug, account.Groups)
		}
	}
	wantErr(t, f.unchanged(func() error {
		return fails(f.UpdateGroup(t.Context(), operator(), accounts.ByID(acme.ID), group.ID, accounts.GroupPatch{IfVersion: &group.Version}))
	}), accounts.ErrStale)
	wantErr(t, f.unchanged(func() error {
		return f.DeleteGroup(t.Context(), operator(), accounts.ByID(acme.ID), group.ID, &group.Version)
	}), accounts.ErrStale)
	must(t, f.DeleteGroup(t.Context(), admin(acme, "*"), accounts.ByID(acme.ID), group.ID, &got.Version))
}

// Who may change groups, but holds nothing that they give, may take away and rename.
func TestI34_GroupOfStrongerRoles(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	f.role(acme, "payer", "pay:out")
	f.role(acme, "spender", "pay:*")
	member, outsider := f.account(acme, accounts.NewAccount{}).Account, f.account(acme, accounts.NewAccount{}).Account
	group := f.group(acme, []string{"payer"}, member.ID)
	clerk := admin(acme, "orgs:groups:*", "orgs:service-accounts:*")
	patch := func(p accounts.GroupPatch) error {
		return fails(f.UpdateGroup(t.Context(), clerk, accounts.ByID(acme.ID), group.ID, p))
	}
	wantDenied(t, f.unchanged(func() error {
		return patch(accounts.GroupPatch{Members: accounts.Some([]uuid.UUID{member.ID, outsider.ID})})
	}), "")
	wantDenied(t, f.unchanged(func() error {
		return fails(f.UpdateAccount(t.Context(), clerk, refTo(outsider), accounts.AccountPatch{Groups: accounts.Some([]uuid.UUID{group.ID})}))
	}), "")
	wantDenied(t, f.unchanged(func() error {
		return fails2(f.CreateGroup(t.Context(), clerk, accounts.ByID(acme.ID), accounts.NewGroup{Name: "Mine", Roles: []string{"payer"}}))
	}), "")
	wantDenied(t, f.unchanged(func() error { return patch(accounts.GroupPatch{Roles: accounts.Some([]string{"payer", "spender"})}) }), "")
	must(t, patch(accounts.GroupPatch{Roles: accounts.Some([]string{"payer", accounts.RoleAPI})})) // api is delegable
	must(t, patch(accounts.GroupPatch{Name: accounts.Some("Renamed")}))
	must(t, patch(accounts.GroupPatch{Members: accounts.Some([]uuid.UUID{})}))
}

// A role is named by its id or by its slug, and is the same role.
func TestGroupRolesByID(t *testing.T) {
	f := newFixture(t)
	acme, other := f.org("acme"), f.org("other")
	payer, theirs := f.role(acme, "payer", "pay:*"), f.role(other, "theirs", "a:b")
	group := f.group(acme, []string{payer.ID.String(), "payer", accounts.ShortID(payer.ID)})
	if !slices.Equal(group.Roles, []string{"payer"}) || !slices.Equal(group.RoleIDs, []uuid.UUID{payer.ID}) {
		t.Errorf("made with %v %v", group.Roles, group.RoleIDs)
	}
	for _, id := range []uuid.UUID{uuid.New(), theirs.ID} {
		wantInvalid(t, f.unchanged(func() error {
			return fails(f.UpdateGroup(t.Context(), operator(), accounts.ByID(acme.ID), group.ID, accounts.GroupPatch{
				Roles: accounts.Some([]string{id.String()}),
			}))
		}), "roles")
	}
	changed, err := f.UpdateGroup(t.Context(), operator(), accounts.ByID(acme.ID), group.ID, accounts.GroupPatch{
		Description: accounts.Some("new"), Tags: accounts.Some([]accounts.Tag{{Name: "a", Value: "b"}}), Roles: accounts.Some([]string{}),
	})
	must(t, err)
	read, err := f.Group(t.Context(), operator(), accounts.ByID(acme.ID), group.ID)
	must(t, err)
	if diff := cmp.Diff(changed, read); diff != "" || read.Description != "new" || len(read.Tags) != 1 || len(read.RoleIDs) != 0 {
		t.Errorf("stored %+v (-answered +stored)\n%s", read, diff)
	}
}

// Where it is asked for, groups that there are not are passed over, and no others.
func TestAccountInKnownGroups(t *testing.T) {
	f := newFixture(t)
	acme, other := f.org("acme"), f.org("other")
	group, foreign := f.group(acme, nil), f.group(other, nil)
	named := []uuid.UUID{uuid.New(), group.ID, foreign.ID}
	made, err := f.CreateAccount(t.Context(), operator(), accounts.ByID(acme.ID), accounts.NewAccount{Name: "Bot", Groups: named, KnownGroups: true})
	must(t, err)
	if !slices.Equal(made.Account.Groups, []uuid.UUID{group.ID}) {
		t.Errorf("made in %v", made.Account.Groups)
	}
	wantInvalid(t, f.unchanged(func() error {
		return fails(f.CreateAccount(t.Context(), operator(), accounts.ByID(acme.ID), accounts.NewAccount{Name: "Bot", Groups: named}))
	}), "groups")
	wantInvalid(t, f.unchanged(func() error {
		return fails(f.UpdateAccount(t.Context(), operator(), refTo(made.Account), accounts.AccountPatch{Groups: accounts.Some(manyIDs(65)), KnownGroups: true}))
	}), "groups")
	changed, err := f.UpdateAccount(t.Context(), operator(), refTo(made.Account), accounts.AccountPatch{
		Groups: accounts.Some([]uuid.UUID{uuid.New(), foreign.ID}), KnownGroups: true,
	})
	must(t, err)
	if len(changed.Groups) != 0 {
		t.Errorf("changed to %v", changed.Groups)
	}
	// Without groups in the patch there is nothing to leave out.
	kept, err := f.UpdateAccount(t.Context(), operator(), refTo(made.Account), accounts.AccountPatch{Name: accounts.Some("New"), KnownGroups: true})
	must(t, err)
	if len(kept.Groups) != 0 || kept.Name != "New" {
		t.Errorf("kept %+v", kept)
	}
}
