package nscale_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/accounts"
)

func roleID(t *testing.T, d *door, name string) string {
	t.Helper()
	for _, role := range d.lists(t, d.admin, "roles") {
		if role.Metadata.Name == name {
			return role.Metadata.ID
		}
	}
	t.Fatalf("no role %s", name)
	return ""
}

func TestRolesAndOrganizations(t *testing.T) {
	d := start(t)
	var names []string
	for _, role := range d.lists(t, d.admin, "roles") {
		names = append(names, role.Metadata.Name)
	}
	slices.Sort(names)
	if want := []string{"admin", "agent-standard", "api", "member", "owner", "viewer"}; !slices.Equal(names, want) {
		t.Errorf("roles %v", names)
	}
	for token, want := range map[string]accounts.Org{
		d.admin: d.acme,
		d.made(t, "powerless").Status.AccessToken:    d.acme,
		d.administrator(t, "other", "bot", "member"): d.other,
		d.Token(t, d.Admin):                          {ID: accounts.SystemOrgID, Slug: accounts.SystemOrg},
	} {
		got := d.call(t, "GET", "/api/v1/organizations", "", as(token)).wants(t, 200)
		seen := into[[]object](t, got)
		if len(seen) != 1 || seen[0].Metadata.ID != want.ID.String() || seen[0].Metadata.Name != want.Slug || seen[0].Spec.OrganizationType != "adhoc" {
			t.Errorf("sees %s", got.body)
		}
	}
}

// Membership is the same from both sides.
func TestGroupsAndAccountsAgree(t *testing.T) {
	d := start(t)
	role := roleID(t, d, "api")
	first, second := d.made(t, "first"), d.made(t, "second")
	body := func(name string, members ...string) string {
		return `{"metadata":{"name":"` + name + `","description":"An elite unit.","tags":[{"name":"team","value":"a"}]},` +
			`"spec":{"roleIDs":["` + role + `"],"userIDs":[],"subjects":[],"serviceAccountIDs":` + list(members) + `}}`
	}
	group := into[object](t, d.may(t, "POST", path(d.acme, "groups"), body("The-A-Team", first.Metadata.ID)).wants(t, 201))
	if group.Metadata.Description != "An elite unit." || len(group.Metadata.Tags) != 1 || group.Metadata.OrganizationID != d.acme.ID.String() ||
		!slices.Equal(group.Spec.RoleIDs, []string{role}) || !slices.Equal(group.Spec.ServiceAccountIDs, []string{first.Metadata.ID}) {
		t.Errorf("made %+v", group)
	}
	one := path(d.acme, "groups", group.Metadata.ID)
	members := func() []string { return into[object](t, d.may(t, "GET", one, "").wants(t, 200)).Spec.ServiceAccountIDs }
	memberships := func(account object) []string {
		for _, seen := range d.lists(t, d.admin, "serviceaccounts") {
			if seen.Metadata.ID == account.Metadata.ID {
				return seen.Spec.GroupIDs
			}
		}
		t.Fatal("the account is gone")
		return nil
	}
	agree := func(what string, inside, outside object) {
		t.Helper()
		if got := members(); !slices.Equal(got, []string{inside.Metadata.ID}) {
			t.Errorf("%s: members %v", what, got)
		}
		if got := memberships(inside); !slices.Equal(got, []string{group.Metadata.ID}) {
			t.Errorf("%s: the member is in %v", what, got)
		}
		if got := memberships(outside); len(got) != 0 {
			t.Errorf("%s: the other is in %v", what, got)
		}
	}
	agree("created", first, second)
	put := d.may(t, "PUT", one, body("The-B-Team", second.Metadata.ID)).wants(t, 200)
	if put.body != "" || put.header.Get("Cache-Control") != "no-cache" {
		t.Errorf("replaced with %v %q", put.header, put.body)
	}
	agree("replaced", second, first)
	d.may(t, "PUT", path(d.acme, "serviceaccounts", second.Metadata.ID), named("second")).wants(t, 200)
	d.may(t, "PUT", path(d.acme, "serviceaccounts", first.Metadata.ID), named("first", group.Metadata.ID)).wants(t, 200)
	agree("from the other side", first, second)

	d.may(t, "PUT", one, `{"metadata":{"name":"Bare"},"spec":{"roleIDs":[],"serviceAccountIDs":["`+first.Metadata.ID+`"]}}`).wants(t, 200)
	bare := into[object](t, d.may(t, "GET", one, "").wants(t, 200))
	if bare.Metadata.Name != "Bare" || bare.Metadata.Description != "" || bare.Metadata.Tags != nil || len(bare.Spec.RoleIDs) != 0 {
		t.Errorf("replaced by %+v", bare)
	}
	d.may(t, "DELETE", path(d.acme, "serviceaccounts", first.Metadata.ID), "").wants(t, 200)
	if got := members(); len(got) != 0 {
		t.Errorf("members %v", got)
	}
	if gone := d.may(t, "DELETE", one, "").wants(t, 200); gone.body != "" {
		t.Errorf("deleted with %q", gone.body)
	}
	for _, method := range []string{"GET", "DELETE"} {
		d.may(t, method, one, "").refused(t, 404, "not_found")
	}
	d.may(t, "PUT", one, body("x")).refused(t, 404, "not_found")
}

func TestGroupRefusals(t *testing.T) {
	d := start(t)
	foreign := d.Machine(t, "other", "foreign", "api").Account.ID.String()
	const nobody = "0aaba80d-67ef-4799-b6d9-59f37e2ce2ad"
	for name, test := range map[string]struct{ spec, says string }{
		"no spec":         {`null`, "spec is required"},
		"no roles":        {`{"serviceAccountIDs":[]}`, "spec.roleIDs is required"},
		"no members":      {`{"roleIDs":[]}`, "spec.serviceAccountIDs is required"},
		"unknown role":    {`{"roleIDs":["` + nobody + `"],"serviceAccountIDs":[]}`, "spec.roleIDs names a role"},
		"role by slug":    {`{"roleIDs":["api"],"serviceAccountIDs":[]}`, "spec.roleIDs names a role"},
		"unknown account": {`{"roleIDs":[],"serviceAccountIDs":["` + nobody + `"]}`, "spec.serviceAccountIDs names a service account"},
		"no id":           {`{"roleIDs":[],"serviceAccountIDs":["bot"]}`, "spec.serviceAccountIDs names a service account"},
		"foreign account": {`{"roleIDs":[],"serviceAccountIDs":["` + foreign + `"]}`, "spec.serviceAccountIDs names a service account"},
		"users":           {`{"roleIDs":[],"serviceAccountIDs":[],"userIDs":["` + nobody + `"]}`, "no users"},
		"subjects":        {`{"roleIDs":[],"serviceAccountIDs":[],"subjects":[{"id":"x","issuer":"y"}]}`, "no users"},
		"unknown member":  {`{"roleIDs":[],"serviceAccountIDs":[],"quota":1}`, "not known"},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"metadata":{"name":"g"},"spec":` + test.spec + `}`
			got := d.may(t, "POST", path(d.acme, "groups"), body).refused(t, 400, "invalid_request").says(t, test.says)
			if strings.Contains(got.body, nobody) || strings.Contains(got.body, foreign) {
				t.Errorf("repeats what was sent: %s", got.body)
			}
		})
	}
	if left := d.lists(t, d.admin, "groups"); len(left) != 0 {
		t.Errorf("made %+v", left)
	}
}

// I34: nobody makes a group of more than they may give.
func TestI34_GroupsGiveNothingThatTheirMakerLacks(t *testing.T) {
	d := start(t)
	d.Role(t, "acme", "hr", "orgs:groups:*", "orgs:roles:read")
	hr := d.administrator(t, "acme", "hr", "hr")
	body := `{"metadata":{"name":"g"},"spec":{"roleIDs":["` + roleID(t, d, "owner") + `"],"serviceAccountIDs":[]}}`
	d.call(t, "POST", path(d.acme, "groups"), body, as(hr)).refused(t, 403, "forbidden")
	group := d.group(t, "empty", "a:b")
	d.call(t, "PUT", path(d.acme, "groups", group.Metadata.ID), body, as(hr)).refused(t, 403, "forbidden")
}
