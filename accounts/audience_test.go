package accounts_test

import (
	"strings"
	"testing"

	"github.com/signet-issuer/signet/accounts"
)

func TestI33_AudienceOfAnOrg(t *testing.T) {
	const natural = issuer + "/orgs/acme"
	assigned := []string{"https://api.acme.example", "urn:acme:files"}
	for uri, want := range map[string]bool{
		natural:                            true,
		natural + "/a/b":                   true,
		natural + "/a.b/...":               true,
		natural + "/sa:acme:bot@x":         true,
		"https://api.acme.example":         true,
		"urn:acme:files":                   true,
		"https://api.acme.example/below":   false,
		"https://api.other.example":        false,
		issuer:                             false,
		issuer + "/":                       false,
		issuer + "/orgs":                   false,
		issuer + "/orgs/":                  false,
		issuer + "/orgs/victim":            false,
		natural + "x":                      false,
		natural + "-2/x":                   false,
		natural + "/":                      false,
		natural + "//x":                    false,
		natural + "/x/":                    false,
		natural + "/../victim":             false,
		natural + "/x/../../victim":        false,
		natural + "/./x":                   false,
		natural + "/..":                    false,
		natural + "/%2e%2e/victim":         false,
		natural + `/..\victim`:             false,
		natural + "?x":                     false,
		natural + "/x?y":                   false,
		natural + "#f":                     false,
		natural + "/#f":                    false,
		natural + "/ x":                    false,
		natural + "/ä":                     false,
		natural + "/\x00":                  false,
		"HTTPS://signet.example/orgs/acme": false,
		"/orgs/acme":                       false,
		"":                                 false,
	} {
		if got := accounts.OwnsAudience(issuer, "acme", assigned, uri); got != want {
			t.Errorf("OwnsAudience(%q) = %t", uri, got)
		}
	}
	long := natural + "/" + strings.Repeat("x", accounts.MaxURIBytes-len(natural)-1)
	if !accounts.OwnsAudience(issuer, "acme", nil, long) || accounts.OwnsAudience(issuer, "acme", nil, long+"x") {
		t.Errorf("the limit is not %d bytes", accounts.MaxURIBytes)
	}
}

func TestRFC8707_2_ValidResource(t *testing.T) {
	for uri, want := range map[string]bool{
		"https://api.example":       true,
		"https://api.example/a?b=c": true,
		"urn:x:y":                   true,
		"https://":                  false,
		"https:":                    false,
		"api.example":               false,
		"//api.example":             false,
		"/path":                     false,
		"":                          false,
		"https://api.example#":      false,
		"https://api.example#f":     false,
		"https://api.example/a b":   false,
		"https://api.example/ä":     false,
		"https://api.example/%zz":   false,
		"https://api.example/\x7f":  false,
		"urn:" + strings.Repeat("x", accounts.MaxURIBytes-4): true,
		"urn:" + strings.Repeat("x", accounts.MaxURIBytes-3): false,
	} {
		if got := accounts.ValidResource(uri); got != want {
			t.Errorf("ValidResource(%q) = %t", uri, got)
		}
	}
}

// An administrator of one org must not have tokens that a resource of another takes for its own.
func TestI33_DefaultAudienceStaysInTheOrg(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	f.org("victim")
	natural := issuer + "/orgs/acme"
	set := func(uri string) error {
		return fails(f.UpdateOrg(t.Context(), admin(acme, "*"), accounts.ByID(acme.ID), accounts.OrgPatch{DefaultAudience: accounts.Some(uri)}))
	}
	for _, tail := range []string{"/../victim", "/%2e%2e/victim", "/ x", "/#f", "x", "/"} {
		wantInvalid(t, f.unchanged(func() error { return set(natural + tail) }), "defaultAudience")
	}
	must(t, set(natural+"/api"))
}

// Equal URIs in two spellings could belong to two orgs.
func TestI33_AudiencesHaveOneSpelling(t *testing.T) {
	for text, want := range map[string]bool{
		"https://api.example/a": true, "https://api.example:8443/a": true, "http://127.0.0.1:8080": true, "urn:acme:files": true,
		"https://API.example/a": false, "HTTPS://api.example/a": false, "https://api.example:443/a": false, "http://api.example:80": false,
		"https://api.example:/a": false, "https://api.example/a/../b": false, "https://api.example/./a": false,
		"https://api.example/%2e%2e/b": false, "https://user@api.example/a": false,
		"https://api.example:0443/a": false, "https://api.example./a": false, "https://api.example/a?": false,
	} {
		if got := accounts.ValidResource(text); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}
