package accounts_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

func TestCreateCredential(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	account := f.account(acme, accounts.NewAccount{Slug: "bot"}).Account
	by := admin(acme, "*")
	made, err := f.CreateCredential(t.Context(), by, refTo(account), accounts.NewCredential{
		Kind: accounts.KindSecret, Name: "CI", Description: "for builds", Scopes: authz.MustSet("llm:chat"),
		AllowedCIDRs: prefixes("2001:db8::/32", "192.0.2.0/24", "192.0.2.0/24"), ExpiresAt: start.Add(time.Hour),
	})
	must(t, err)
	want := accounts.Credential{
		ID: made.Credential.ID, AccountID: account.ID, OrgID: acme.ID, ClientID: made.Credential.ClientID, Kind: accounts.KindSecret, Shape: accounts.Native,
		Name: "CI", Description: "for builds", Scopes: authz.MustSet("llm:chat"), AllowedCIDRs: prefixes("192.0.2.0/24", "2001:db8::/32"),
		ExpiresAt: start.Add(time.Hour), LastSeq: 1, Version: 1,
		Stamp: accounts.Stamp{CreatedAt: start, CreatedBy: by.Subject, UpdatedAt: start, UpdatedBy: by.Subject},
	}
	read, err := f.Credential(t.Context(), by, refTo(account), made.Credential.ID)
	must(t, err)
	if diff := cmp.Diff(want, read, comparers); diff != "" {
		t.Errorf("stored (-want +got)\n%s", diff)
	}
	if !f.alive(made.Credential.ClientID, made.Secret).Allowed().Equal(authz.MustSet("llm:chat")) {
		t.Error("the ceiling does not hold")
	}
}

// The published shapes of what is generated (standards 79, 83).
func TestStandard79_ShapeOfSecretsAndClientIDs(t *testing.T) {
	f := newFixture(t)
	account := f.account(f.org("acme"), accounts.NewAccount{Slug: "bot"}).Account
	seen := map[string]bool{}
	for range 20 {
		made, err := f.CreateCredential(t.Context(), operator(), refTo(account), accounts.NewCredential{Kind: accounts.KindSecret, Name: "N"})
		must(t, err)
		value, id := made.Secret.Reveal(), made.Credential.ClientID
		if _, parsed := accounts.ParseID(id); len(id) != 26 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789") != "" || !parsed {
			t.Errorf("client id %q", id)
		}
		random, shaped := strings.CutPrefix(value, "sas_acme_")
		if _, parsed := accounts.ParseID(random); !shaped || len(random) != 36 || !parsed || random[14] != '4' {
			t.Errorf("a secret of another shape")
		}
		if seen[value] || seen[id] {
			t.Error("it repeats")
		}
		seen[value], seen[id] = true, true
	}
}

func TestCredentialRefuses(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	made := f.account(acme, accounts.NewAccount{Role: accounts.RoleAPI, Credential: &accounts.FirstCredential{}})
	long := make([]netip.Prefix, 65)
	for i := range long {
		long[i] = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 0}), 24)
	}
	for name, test := range map[string]struct {
		in     accounts.NewCredential
		fields []string
	}{
		"everything at once": {accounts.NewCredential{Description: strings.Repeat("x", 501), ExpiresAt: start}, []string{"name", "description", "expiresAt"}},
		"expired":            {accounts.NewCredential{Name: "N", ExpiresAt: start.Add(-time.Hour)}, []string{"expiresAt"}},
		"host bits":          {accounts.NewCredential{Name: "N", AllowedCIDRs: prefixes("192.0.2.1/24")}, []string{"allowedCidrs"}},
		"no range":           {accounts.NewCredential{Name: "N", AllowedCIDRs: []netip.Prefix{{}}}, []string{"allowedCidrs"}},
		"mapped range":       {accounts.NewCredential{Name: "N", AllowedCIDRs: prefixes("::ffff:192.0.2.0/120")}, []string{"allowedCidrs"}},
		"many ranges":        {accounts.NewCredential{Name: "N", AllowedCIDRs: long}, []string{"allowedCidrs"}},
		"nothing left":       {accounts.NewCredential{Name: "N", Scopes: authz.MustSet("llm:*")}, []string{"scopes"}},
	} {
		t.Run(name, func(t *testing.T) {
			in := test.in
			in.Kind = accounts.KindSecret
			wantInvalid(t, f.unchanged(func() error { return fails(f.CreateCredential(t.Context(), operator(), refTo(made.Account), in)) }), test.fields...)
			wantInvalid(t, f.unchanged(func() error {
				return fails(f.UpdateCredential(t.Context(), operator(), refTo(made.Account), made.Credential.ID, accounts.CredentialPatch{
					Name: accounts.Some(in.Name), Description: accounts.Some(in.Description), Scopes: accounts.Some(in.Scopes),
					AllowedCIDRs: accounts.Some(in.AllowedCIDRs), ExpiresAt: accounts.Some(in.ExpiresAt),
				}))
			}), test.fields...)
		})
	}
	for _, kind := range []accounts.Kind{"", "certificate", "Secret"} {
		wantInvalid(t, f.unchanged(func() error {
			return fails(f.CreateCredential(t.Context(), operator(), refTo(made.Account), accounts.NewCredential{Kind: kind, Name: "N"}))
		}), "kind")
	}
}

func TestUpdateCredential(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	made := f.account(acme, accounts.NewAccount{Credential: &accounts.FirstCredential{}})
	f.clock.advance(time.Minute)
	by := admin(acme, "*")
	got, err := f.UpdateCredential(t.Context(), by, refTo(made.Account), made.Credential.ID, accounts.CredentialPatch{
		Name: accounts.Some("New"), Description: accounts.Some("d"), Scopes: accounts.Some(authz.MustSet("llm:chat")),
		AllowedCIDRs: accounts.Some(prefixes("10.0.0.0/8")), ExpiresAt: accounts.Some(start.Add(time.Hour)), IfVersion: &made.Credential.Version,
	})
	must(t, err)
	want := made.Credential
	want.Name, want.Description, want.Scopes, want.AllowedCIDRs = "New", "d", authz.MustSet("llm:chat"), prefixes("10.0.0.0/8")
	want.ExpiresAt, want.Version, want.UpdatedAt, want.UpdatedBy = start.Add(time.Hour), 2, start.Add(time.Minute), by.Subject
	read, err := f.Credential(t.Context(), by, refTo(made.Account), made.Credential.ID)
	must(t, err)
	for name, credential := range map[string]accounts.Credential{"answered": got, "stored": read} {
		if diff := cmp.Diff(want, credential, comparers); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
	for name, write := range map[string]func() error{
		"update": func() error {
			return fails(f.UpdateCredential(t.Context(), by, refTo(made.Account), want.ID, accounts.CredentialPatch{IfVersion: &made.Credential.Version}))
		},
		"delete": func() error {
			return f.DeleteCredential(t.Context(), by, refTo(made.Account), want.ID, &made.Credential.Version)
		},
	} {
		if err := f.unchanged(write); err == nil {
			t.Error(name)
		} else {
			wantErr(t, err, accounts.ErrStale)
		}
	}
	must(t, f.DeleteCredential(t.Context(), by, refTo(made.Account), want.ID, &got.Version))
	f.dead(made.Credential.ClientID, made.Secret)
}

// What makes a credential good for more is a hand-over of the account's power, what makes it
// good for less is anybody's who may update credentials.
func TestI34_Row40_WideningACredential(t *testing.T) {
	wide := accounts.CredentialPatch{
		Scopes: accounts.Some(authz.MustSet("pay:*")), AllowedCIDRs: accounts.Some(prefixes("10.0.0.0/8")), ExpiresAt: accounts.Some(start.Add(2 * time.Hour)),
	}
	for name, test := range map[string]struct {
		patch   accounts.CredentialPatch
		allowed bool
	}{
		"fewer scopes":    {accounts.CredentialPatch{Scopes: accounts.Some(authz.MustSet("pay:out"))}, true},
		"all scopes":      {accounts.CredentialPatch{Scopes: accounts.Some(authz.Set{})}, false},
		"more scopes":     {accounts.CredentialPatch{Scopes: accounts.Some(authz.MustSet("*"))}, false},
		"other addresses": {accounts.CredentialPatch{AllowedCIDRs: accounts.Some(prefixes("10.0.0.0/7"))}, false},
		"every address":   {accounts.CredentialPatch{AllowedCIDRs: accounts.Some(prefixes())}, false},
		"sooner":          {accounts.CredentialPatch{ExpiresAt: accounts.Some(start.Add(time.Hour))}, true},
		"later":           {accounts.CredentialPatch{ExpiresAt: accounts.Some(start.Add(3 * time.Hour))}, false},
		"never":           {accounts.CredentialPatch{ExpiresAt: accounts.Some(time.Time{})}, false},
		"disabled":        {accounts.CredentialPatch{Disabled: accounts.Some(true)}, true},
		"renamed":         {accounts.CredentialPatch{Name: accounts.Some("New")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			acme := f.org("acme")
			f.role(acme, "payer", "pay:*")
			made := f.account(acme, accounts.NewAccount{Role: "payer", Credential: &accounts.FirstCredential{}})
			patch := func(by authz.Principal, p accounts.CredentialPatch) error {
				return fails(f.UpdateCredential(t.Context(), by, refTo(made.Account), made.Credential.ID, p))
			}
			must(t, patch(operator(), wide))
			clerk := admin(acme, "orgs:credentials:*")
			if !test.allowed {
				wantDenied(t, f.unchanged(func() error { return patch(clerk, test.patch) }), "")
				must(t, patch(admin(acme, "orgs:credentials:*", "pay:*"), test.patch))
				return
			}
			must(t, patch(clerk, test.patch))
			if test.patch.Disabled.Value {
				wantDenied(t, f.unchanged(func() error { return patch(clerk, accounts.CredentialPatch{Disabled: accounts.Some(false)}) }), "")
			}
		})
	}
}

func TestI9_DisableCredential(t *testing.T) {
	f := newFixture(t)
	made := f.account(f.org("acme"), accounts.NewAccount{Credential: &accounts.FirstCredential{}})
	gen := f.alive(made.Credential.ClientID, made.Secret).Gen
	for range 2 {
		for _, disabled := range []bool{true, true, false, false} {
			_, err := f.UpdateCredential(t.Context(), operator(), refTo(made.Account), made.Credential.ID, accounts.CredentialPatch{Disabled: accounts.Some(disabled)})
			must(t, err)
			if disabled {
				f.dead(made.Credential.ClientID, made.Secret)
			}
		}
	}
	if after := f.alive(made.Credential.ClientID, made.Secret).Gen; after != gen+2 {
		t.Errorf("gen %d, want %d", after, gen+2)
	}
}
