package accounts_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/signet-issuer/signet/accounts"
)

func TestParseIDRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		id := uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(rt, "id"))
		for _, text := range []string{id.String(), accounts.ShortID(id)} {
			parsed, ok := accounts.ParseID(text)
			if ok != (id != uuid.Nil) || ok && parsed != id {
				rt.Fatalf("%s reads as %v, %v", text, parsed, ok)
			}
			if ok && accounts.ParseRef(text) != accounts.ByID(id) {
				rt.Fatalf("%s does not refer to its id", text)
			}
			if upper := strings.ToUpper(text); upper != text {
				if _, ok := accounts.ParseID(upper); ok {
					rt.Fatalf("%s is a second spelling", upper)
				}
			}
		}
	})
}

// Whatever reads as an id is spelt in one of the two canonical ways.
func TestParseIDIsCanonical(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.OneOf(rapid.StringMatching(`[a-z2-7]{26}`), rapid.StringMatching(`[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)).Draw(rt, "text")
		id, ok := accounts.ParseID(text)
		if ok && text != id.String() && text != accounts.ShortID(id) {
			rt.Fatalf("%s reads as %s", text, id)
		}
	})
	for _, text := range []string{
		"", "x", "urn:uuid:01a204dd-051b-7000-8000-000000000001", "{01a204dd-051b-7000-8000-000000000001}", "01a204dd051b70008000000000000001",
		"01A204DD-051B-7000-8000-000000000001", "aaaaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaaaaaab", "aaaaaaaaaaaaaaaaaaaaaaaae1",
		"00000000-0000-0000-0000-000000000000", strings.Repeat("a", 25) + "\n",
	} {
		if id, ok := accounts.ParseID(text); ok {
			t.Errorf("%q reads as %s", text, id)
		}
	}
}

func TestParseRef(t *testing.T) {
	for text, want := range map[string]accounts.Ref{
		"acme": accounts.BySlug("acme"), "": {}, "Acme": {}, "a b": {}, "org:acme": {}, "sa:acme:bot": {}, "../acme": {},
		"00000000-0000-7000-8000-000000000001": accounts.ByID(accounts.SystemOrgID),
		accounts.ShortID(accounts.SystemOrgID): accounts.ByID(accounts.SystemOrgID),
	} {
		if got := accounts.ParseRef(text); got != want {
			t.Errorf("%q refers to %+v, want %+v", text, got, want)
		}
	}
}

// A reference to nothing must find nothing, whatever is stored.
func TestRefToNothing(t *testing.T) {
	f := newFixture(t)
	wantErr(t, fails(f.Org(t.Context(), operator(), accounts.Ref{})), accounts.ErrNotFound)
	acme := f.org("acme")
	wantErr(t, fails(f.Role(t.Context(), operator(), accounts.ByID(acme.ID), accounts.Ref{})), accounts.ErrNotFound)
	wantErr(t, fails(f.Account(t.Context(), operator(), accounts.AccountRef{Org: accounts.ByID(acme.ID)})), accounts.ErrNotFound)
}

// slugCases are texts with whether they may become the slug of something new.
var slugCases = map[string]bool{
	"acme": true, "a": true, "0": true, "a-b-c": true, "a1-2b": true, strings.Repeat("a", 63): true, "systems": true, "org-system": true,
	"": false, "-a": false, "a-": false, "a--b": false, "A": false, "Acme": false, "acme ": false, " acme": false, "acme\n": false,
	"acme\u00a0": false, "acme\u200d": false, "acme\u200b": false, "ａｃｍｅ": false, "аcme": false, "café": false, "cafe\u0301": false,
	"ſystem": false, "acme\u212a": false, "a_b": false, "a.b": false, "a:b": false, "a/b": false, "a%20b": false, "a\x00b": false, "\xff": false,
	strings.Repeat("a", 64): false, "system": false, "self": false, "batch": false,
	"01a204dd-051b-7000-8000-000000000001": false, "00000000-0000-0000-0000-000000000000": false,
	"aaaaaaaaaaaaaaaaaaaaaaaaaa": false, "abcdefghijklmnopqrstuvwxyz": false, "01234567890123456789012345": true, // no base32
}

// TestRow42_OneSpellingOfASlug tries every slug as that of an org, a role and an account.
func TestRow42_OneSpellingOfASlug(t *testing.T) {
	f := newFixture(t)
	acme := f.org("test-org")
	for slug, valid := range slugCases {
		for noun, create := range map[string]func() error{
			"org": func() error {
				return fails2(f.CreateOrg(t.Context(), operator(), accounts.NewOrg{Slug: slug, Name: "N"}))
			},
			"role": func() error {
				return fails2(f.CreateRole(t.Context(), operator(), accounts.ByID(acme.ID), accounts.NewRole{Slug: slug, Name: "N"}))
			},
			"account": func() error {
				return fails(f.CreateAccount(t.Context(), operator(), accounts.ByID(acme.ID), accounts.NewAccount{Slug: slug, Name: "N"}))
			},
		} {
			if noun == "account" && slug == "" {
				continue // which asks for a generated one
			}
			if valid {
				must(t, create())
				continue
			}
			err := f.unchanged(create)
			wantInvalid(t, err, "slug")
			if len(slug) > 3 && strings.Contains(err.Error(), slug) {
				t.Errorf("the error repeats its input: %v", err)
			}
		}
	}
}

var slugModel = regexp.MustCompile(`\A[0-9a-z]+(-[0-9a-z]+)*\z`)

func FuzzSlug(f *testing.F) {
	if len(slugCases) < 40 {
		f.Fatal("the seeds are gone")
	}
	for slug := range slugCases {
		f.Add(slug)
	}
	f.Fuzz(func(t *testing.T, text string) {
		valid := accounts.ValidSlug(text)
		if want := len(text) <= accounts.MaxSlugBytes && slugModel.MatchString(text); valid != want {
			t.Fatalf("ValidSlug(%q) = %v", text, valid)
		}
		ref := accounts.ParseRef(text)
		if id, isID := accounts.ParseID(text); isID {
			if ref != accounts.ByID(id) {
				t.Fatalf("%q is an id and refers to %+v", text, ref)
			}
			return
		}
		if want := (accounts.Ref{Slug: text}); valid && ref != want || !valid && ref != (accounts.Ref{}) {
			t.Fatalf("%q refers to %+v", text, ref)
		}
	})
}
