package accounts_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

func TestCreateOrg(t *testing.T) {
	f := newFixture(t)
	quota := int64(7)
	var made accounts.Org
	f.recorded(accounts.BySlug("acme"), "organizations.created", func() (err error) {
		made, _, err = f.CreateOrg(t.Context(), admin(f.systemOrg(), "*"), accounts.NewOrg{
			Slug: "acme", Name: "Acme", DefaultRole: accounts.RoleAPI, MaxServiceAccounts: &quota,
			Audiences: []string{"urn:acme:b", "https://a.acme.example", "urn:acme:b"}, DefaultAudience: "urn:acme:b",
		})
		return err
	})
	want := accounts.Org{
		ID: made.ID, Slug: "acme", Name: "Acme", DefaultRole: accounts.RoleAPI, MaxServiceAccounts: &quota,
		Audiences: []string{"https://a.acme.example", "urn:acme:b"}, DefaultAudience: "urn:acme:b", Version: 1,
		Stamp: accounts.Stamp{CreatedAt: start, CreatedBy: "sa:system:tester", UpdatedAt: start, UpdatedBy: "sa:system:tester"},
	}
	read, err := f.Org(t.Context(), operator(), accounts.BySlug("acme"))
	must(t, err)
	if diff := cmp.Diff(want, read); diff != "" {
		t.Errorf("stored (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("answered (-want +got)\n%s", diff)
	}
}

func TestCreateOrgIsForSystemAccounts(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	wantDenied(t, f.unchanged(func() error {
		return fails2(f.CreateOrg(t.Context(), admin(acme, "*"), accounts.NewOrg{Slug: "mine", Name: "Mine"}))
	}), "")
	wantDenied(t, f.unchanged(func() error {
		return fails2(f.CreateOrg(t.Context(), admin(f.systemOrg(), "orgs:settings:update", "orgs:roles:*"), accounts.NewOrg{Slug: "mine", Name: "Mine"}))
	}), "orgs:settings:create")
}

func TestCreateOrgRefuses(t *testing.T) {
	f := newFixture(t)
	f.org("acme")
	negative := int64(-1)
	for name, test := range map[string]struct {
		in     accounts.NewOrg
		fields []string
	}{
		"everything at once": {accounts.NewOrg{Slug: "A", Name: " x", Audiences: []string{"relative"}, DefaultAudience: "urn:not-mine", MaxServiceAccounts: &negative}, []string{"slug", "name", "audiences", "defaultAudience", "maxServiceAccounts"}},
		"no name":            {accounts.NewOrg{Slug: "x"}, []string{"name"}},
		"long name":          {accounts.NewOrg{Slug: "x", Name: strings.Repeat("ä", 201)}, []string{"name"}},
		"control in name":    {accounts.NewOrg{Slug: "x", Name: "a\x00b"}, []string{"name"}},
		"fragment":           {accounts.NewOrg{Slug: "x", Name: "X", Audiences: []string{"https://a.example/#f"}}, []string{"audiences"}},
		"issuer itself":      {accounts.NewOrg{Slug: "x", Name: "X", Audiences: []string{issuer}}, []string{"audiences"}},
		"under the issuer":   {accounts.NewOrg{Slug: "x", Name: "X", Audiences: []string{issuer + "/orgs/acme"}}, []string{"audiences"}},
		"under another org":  {accounts.NewOrg{Slug: "x", Name: "X", DefaultAudience: issuer + "/orgs/acme"}, []string{"defaultAudience"}},
		"prefix of another":  {accounts.NewOrg{Slug: "x", Name: "X", DefaultAudience: issuer + "/orgs/xy"}, []string{"defaultAudience"}},
		"many audiences":     {accounts.NewOrg{Slug: "x", Name: "X", Audiences: manyURIs(33)}, []string{"audiences"}},
		"unknown role":       {accounts.NewOrg{Slug: "x", Name: "X", DefaultRole: "nowhere"}, []string{"defaultRole"}},
		"default owner":      {accounts.NewOrg{Slug: "x", Name: "X", DefaultRole: accounts.RoleOwner}, []string{"defaultRole"}},
		"default admin":      {accounts.NewOrg{Slug: "x", Name: "X", DefaultRole: "org:admin"}, []string{"defaultRole"}},
	} {
		t.Run(name, func(t *testing.T) {
			wantInvalid(t, f.unchanged(func() error { return fails2(f.CreateOrg(t.Context(), operator(), test.in)) }), test.fields...)
		})
	}
	wantErr(t, f.unchanged(func() error {
		return fails2(f.CreateOrg(t.Context(), operator(), accounts.NewOrg{Slug: "acme", Name: "Again"}))
	}), accounts.ErrExists)
}

func manyURIs(n int) []string {
	uris := make([]string, n)
	for i := range uris {
		uris[i] = "urn:x:" + strings.Repeat("y", i+1)
	}
	return uris
}

func TestOrgOwnsWhatLiesUnderItsName(t *testing.T) {
	f := newFixture(t)
	own := issuer + "/orgs/acme/api"
	org, _, err := f.CreateOrg(t.Context(), operator(), accounts.NewOrg{Slug: "acme", Name: "Acme", DefaultAudience: own})
	must(t, err)
	if org.DefaultAudience != own {
		t.Errorf("default audience %q", org.DefaultAudience)
	}
}

func TestAudienceBelongsToOneOrg(t *testing.T) {
	f := newFixture(t)
	acme, other := f.org("acme"), f.org("other")
	give := func(org accounts.Org) error {
		return fails(f.UpdateOrg(t.Context(), operator(), accounts.ByID(org.ID), accounts.OrgPatch{Audiences: accounts.Some([]string{"https://api.example"})}))
	}
	must(t, give(acme))
	must(t, give(acme))
	wantErr(t, f.unchanged(func() error { return give(other) }), accounts.ErrExists)
	_, err := f.UpdateOrg(t.Context(), operator(), accounts.ByID(acme.ID), accounts.OrgPatch{Audiences: accounts.Some([]string{})})
	must(t, err)
	must(t, give(other))
}

func TestUpdateOrgTakingTheDefaultAudienceAway(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	_, err := f.UpdateOrg(t.Context(), operator(), accounts.ByID(acme.ID), accounts.OrgPatch{
		Audiences: accounts.Some([]string{"urn:api"}), DefaultAudience: accounts.Some("urn:api"),
	})
	must(t, err)
	wantInvalid(t, f.unchanged(func() error {
		return fails(f.UpdateOrg(t.Context(), operator(), accounts.ByID(acme.ID), accounts.OrgPatch{Audiences: accounts.Some([]string{})}))
	}), "defaultAudience")
}

func TestUpdateOrg(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	f.clock.advance(time.Second)
	by := admin(acme, "*")
	before := acme.Version
	got, err := f.UpdateOrg(t.Context(), by, accounts.BySlug("acme"), accounts.OrgPatch{
		Name: accounts.Some("New"), DefaultRole: accounts.Some("org:member"), IfVersion: &before,
	})
	must(t, err)
	if got.Name != "New" || got.DefaultRole != "member" || got.Version != 2 || got.UpdatedBy != by.Subject || !got.UpdatedAt.After(got.CreatedAt) {
		t.Errorf("got %+v", got)
	}
	read, err := f.Org(t.Context(), by, accounts.ByID(acme.ID))
	must(t, err)
	if diff := cmp.Diff(read, got); diff != "" {
		t.Errorf("answered something else than stored\n%s", diff)
	}
	wantErr(t, f.unchanged(func() error {
		return fails(f.UpdateOrg(t.Context(), by, accounts.ByID(acme.ID), accounts.OrgPatch{Name: accounts.Some("Lost"), IfVersion: &before}))
	}), accounts.ErrStale)
}

func TestDefaultRoleIsTheCallersToGive(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	f.role(acme, "payer", "pay:out")
	setDefault := func(by authz.Principal, role string) error {
		return fails(f.UpdateOrg(t.Context(), by, accounts.ByID(acme.ID), accounts.OrgPatch{DefaultRole: accounts.Some(role)}))
	}
	settings := admin(acme, "orgs:settings:*")
	wantDenied(t, f.unchanged(func() error { return setDefault(settings, "payer") }), "")
	wantDenied(t, f.unchanged(func() error { return setDefault(settings, accounts.RoleAPI) }), "") // for who makes accounts to delegate
	must(t, setDefault(admin(acme, "orgs:settings:*", "orgs:service-accounts:create"), accounts.RoleAPI))
	must(t, setDefault(admin(acme, "orgs:settings:*", "pay:*"), "payer"))
	for _, role := range []string{accounts.RoleOwner, accounts.RoleAdmin, "org:owner", "nowhere", "", "org:"} {
		wantInvalid(t, f.unchanged(func() error { return setDefault(operator(), role) }), "defaultRole")
	}
}

func TestI9_Row21_DisableOrg(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	bot := f.account(acme, accounts.NewAccount{Slug: "bot", Credential: &accounts.FirstCredential{}})
	gen := f.alive(bot.Credential.ClientID, bot.Secret).Gen
	set := func(disabled bool) accounts.Org {
		org, err := f.UpdateOrg(t.Context(), operator(), accounts.ByID(acme.ID), accounts.OrgPatch{Disabled: accounts.Some(disabled)})
		must(t, err)
		return org
	}
	set(true)
	f.dead(bot.Credential.ClientID, bot.Secret)
	set(true)
	set(false)
	if after := f.alive(bot.Credential.ClientID, bot.Secret).Gen; after != gen+1 {
		t.Errorf("gen %d after disabling once and enabling, want %d", after, gen+1)
	}
}

func TestOrgsListsOneOrAll(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	f.org("other")
	for name, test := range map[string]struct {
		by    authz.Principal
		q     accounts.Query
		slugs []string
		total int
	}{
		"system sees all":     {operator(), accounts.Query{Limit: 9}, []string{"system", "acme", "other"}, 3},
		"system, second page": {operator(), accounts.Query{Limit: 1, Offset: 1}, []string{"acme"}, 3},
		"system, search":      {operator(), accounts.Query{Limit: 9, Search: "ORG OTH"}, []string{"other"}, 1},
		"other sees its own":  {admin(acme, "orgs:settings:read"), accounts.Query{Limit: 9}, []string{"acme"}, 1},
		"its second page":     {admin(acme, "orgs:settings:read"), accounts.Query{Limit: 1, Offset: 1}, []string{}, 1},
		"its search, found":   {admin(acme, "orgs:settings:read"), accounts.Query{Limit: 9, Search: "ACM"}, []string{"acme"}, 1},
		"its search, nothing": {admin(acme, "orgs:settings:read"), accounts.Query{Limit: 9, Search: "other"}, []string{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			orgs, page, err := f.Orgs(t.Context(), test.by, test.q)
			must(t, err)
			slugs := []string{}
			for _, org := range orgs {
				slugs = append(slugs, org.Slug)
			}
			if page.Total != test.total || !cmp.Equal(slugs, test.slugs) {
				t.Errorf("got %v of %d, want %v of %d", slugs, page.Total, test.slugs, test.total)
			}
		})
	}
	_, _, err := f.Orgs(t.Context(), admin(acme, "orgs:roles:*"), accounts.Query{Limit: 9, After: acme.ID, Before: acme.ID})
	wantDenied(t, err, "orgs:settings:read")
}

func TestI36_Row35_Row36_DeleteOrg(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	o := f.objects(acme)
	stale := int64(99)
	wantErr(t, f.unchanged(func() error { return f.DeleteOrg(t.Context(), operator(), o.org, &stale) }), accounts.ErrStale)
	must(t, f.DeleteOrg(t.Context(), operator(), o.org, nil))
	for line := range strings.Lines(f.dump()) {
		evidence := strings.HasPrefix(line, "audit_events ") || strings.HasPrefix(line, "tombstones ")
		if !evidence && strings.Contains(line, acme.ID.String()) {
			t.Errorf("left behind: %s", line)
		}
	}
	if !slices.Equal(f.usage.erased, []uuid.UUID{o.account.Account.ID}) {
		t.Errorf("erased from the state: %v", f.usage.erased)
	}
	wantErr(t, f.unchanged(func() error {
		return fails2(f.CreateOrg(t.Context(), operator(), accounts.NewOrg{Slug: "acme", Name: "Again"}))
	}), accounts.ErrExists)
}
