package accounts_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

func TestCreateRole(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	by := admin(acme, "*")
	role, repeated, err := f.CreateRole(t.Context(), by, accounts.ByID(acme.ID), accounts.NewRole{
		Slug: "org:payer", Name: "Payer", Permissions: authz.MustSet("pay:*", "pay:out"), Delegable: true,
	})
	must(t, err)
	want := accounts.Role{
		ID: role.ID, OrgID: acme.ID, Slug: "payer", Name: "Payer", Permissions: authz.MustSet("pay:*"), Delegable: true, Version: 1,
		Stamp: accounts.Stamp{CreatedAt: start, CreatedBy: by.Subject, UpdatedAt: start, UpdatedBy: by.Subject},
	}
	for _, ref := range []accounts.Ref{accounts.ByID(role.ID), accounts.BySlug("payer")} {
		read, err := f.Role(t.Context(), by, accounts.ByID(acme.ID), ref)
		must(t, err)
		if diff := cmp.Diff(want, read, comparers); diff != "" || repeated {
			t.Errorf("stored (-want +got)\n%s", diff)
		}
	}
}

func TestCreateRoleRefuses(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	create := func(in accounts.NewRole) error {
		return f.unchanged(func() error { return fails2(f.CreateRole(t.Context(), admin(acme, "*"), accounts.ByID(acme.ID), in)) })
	}
	wantInvalid(t, create(accounts.NewRole{Slug: "No Slug"}), "slug", "name")
	wantInvalid(t, create(accounts.NewRole{Slug: "org:", Name: "Empty"}), "slug")
	wantInvalid(t, create(accounts.NewRole{Slug: "system", Name: "Reserved"}), "slug")
	wantErr(t, create(accounts.NewRole{Slug: accounts.RoleOwner, Name: "Mine"}), accounts.ErrExists)
	wantErr(t, create(accounts.NewRole{Slug: "org:api", Name: "Mine"}), accounts.ErrExists)
}

func TestBuiltInRolesAreInEveryOrgAndImmutable(t *testing.T) {
	f := newFixture(t)
	want := map[string]bool{ // slug: delegable
		accounts.RoleOwner: false, accounts.RoleAdmin: false, accounts.RoleViewer: false,
		accounts.RoleMember: true, accounts.RoleAgentStandard: true, accounts.RoleAPI: true,
	}
	for _, org := range []accounts.Org{f.org("acme"), f.systemOrg()} {
		roles, page, defaultRole, err := f.Roles(t.Context(), operator(), accounts.ByID(org.ID), accounts.Query{Limit: 50})
		must(t, err)
		got := map[string]bool{}
		for _, role := range roles {
			got[role.Slug] = role.Delegable
			wantErr(t, f.unchanged(func() error {
				return fails(f.UpdateRole(t.Context(), operator(), accounts.ByID(org.ID), accounts.ByID(role.ID), accounts.RolePatch{Name: accounts.Some("Mine")}))
			}), accounts.ErrProtected)
			wantErr(t, f.unchanged(func() error {
				return f.DeleteRole(t.Context(), operator(), accounts.ByID(org.ID), accounts.BySlug(role.Slug), nil)
			}), accounts.ErrProtected)
		}
		if diff := cmp.Diff(want, got); diff != "" || page.Total != len(want) || defaultRole != org.DefaultRole {
			t.Errorf("%s has %d roles, default %s (-want +got)\n%s", org.Slug, page.Total, defaultRole, diff)
		}
	}
}

func TestUpdateRole(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	role := f.role(acme, "payer", "pay:out", "pay:in")
	by := admin(acme, "orgs:roles:*", "pay:in")
	patch := func(p accounts.RolePatch) (accounts.Role, error) {
		return f.UpdateRole(t.Context(), by, accounts.ByID(acme.ID), accounts.BySlug("payer"), p)
	}
	got, err := patch(accounts.RolePatch{Name: accounts.Some("New"), IfVersion: &role.Version})
	must(t, err)
	if got.Name != "New" || got.Version != 2 || got.UpdatedBy != by.Subject || !got.Permissions.Equal(role.Permissions) {
		t.Errorf("got %+v", got)
	}
	wantErr(t, f.unchanged(func() error { return fails(patch(accounts.RolePatch{IfVersion: &role.Version})) }), accounts.ErrStale)
	wantInvalid(t, f.unchanged(func() error { return fails(patch(accounts.RolePatch{Name: accounts.Some("")})) }), "name")
	wantDenied(t, f.unchanged(func() error {
		return fails(patch(accounts.RolePatch{Permissions: accounts.Some(authz.MustSet("pay:*"))}))
	}), "")
	wantDenied(t, f.unchanged(func() error { return fails(patch(accounts.RolePatch{Delegable: accounts.Some(true)})) }), "")
	got, err = patch(accounts.RolePatch{Permissions: accounts.Some(authz.MustSet("pay:in"))})
	must(t, err)
	got, err = patch(accounts.RolePatch{Delegable: accounts.Some(true)}) // what is left is all the caller's
	must(t, err)
	wantDenied(t, f.unchanged(func() error {
		return fails(patch(accounts.RolePatch{Permissions: accounts.Some(authz.MustSet("pay:in", "pay:out"))}))
	}), "")
	read, err := f.Role(t.Context(), by, accounts.ByID(acme.ID), accounts.ByID(role.ID))
	must(t, err)
	if diff := cmp.Diff(read, got, comparers); diff != "" {
		t.Errorf("answered something else than stored\n%s", diff)
	}
}

// A token that was narrowed by scope grants no administrative permission outside it.
func TestI34_NarrowTokenGrantsNoMore(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	by := admin(acme, "*")
	by.Permissions = authz.MustSet("orgs:roles:create")
	create := func(slug, permission string) error {
		return fails2(f.CreateRole(t.Context(), by, accounts.ByID(acme.ID), accounts.NewRole{Slug: slug, Name: "Role", Permissions: authz.MustSet(permission)}))
	}
	wantDenied(t, f.unchanged(func() error { return create("clerk", "orgs:groups:read") }), "")
	wantDenied(t, f.unchanged(func() error { return create("clerk", "*") }), "")
	must(t, create("same", "orgs:roles:create"))
	must(t, create("payer", "pay:out"))
}

func TestDeleteRole(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	for _, slug := range []string{"direct", "grouped", "default"} {
		f.role(acme, slug, "a:b")
	}
	f.account(acme, accounts.NewAccount{Role: "direct"})
	group := f.group(acme, []string{"grouped"})
	_, err := f.UpdateOrg(t.Context(), operator(), accounts.ByID(acme.ID), accounts.OrgPatch{DefaultRole: accounts.Some("default")})
	must(t, err)
	remove := func(slug string, version *int64) error {
		return f.DeleteRole(t.Context(), admin(acme, "*"), accounts.ByID(acme.ID), accounts.BySlug(slug), version)
	}
	for _, slug := range []string{"direct", "grouped", "default"} {
		wantErr(t, f.unchanged(func() error { return remove(slug, nil) }), accounts.ErrInUse)
	}
	must(t, f.DeleteGroup(t.Context(), operator(), accounts.ByID(acme.ID), group.ID, nil))
	stale := int64(9)
	wantErr(t, f.unchanged(func() error { return remove("grouped", &stale) }), accounts.ErrStale)
	must(t, remove("grouped", nil))
	wantErr(t, f.unchanged(func() error { return remove("grouped", nil) }), accounts.ErrNotFound)
}
