package tokens_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/tokens"
)

const orgURL = issuerURL + "/orgs/acme"

func TestRFC8707_Audience(t *testing.T) {
	api, files := "https://api.acme.example", "urn:acme:files"
	withRole := func(patterns ...string) func(*accounts.Standing) {
		return func(s *accounts.Standing) { s.RolePermissions = authz.MustSet(patterns...) }
	}
	system := func(s *accounts.Standing) { s.OrgSlug, s.RolePermissions = accounts.SystemOrg, authz.MustSet("*") }
	withDefaultOf := func(uri string) func(*accounts.Standing) {
		return func(s *accounts.Standing) { s.DefaultAudience = uri }
	}
	admin := withRole("orgs:*", "api:*")
	for _, test := range []struct {
		name     string
		standing func(*accounts.Standing)
		req      tokens.Request
		aud      []string
		scope    string
	}{
		{"nothing requested", nil, tokens.Request{}, []string{orgURL}, "api:read api:write"},
		{"the org has a default", withDefaultOf(api), tokens.Request{}, []string{api}, "api:read api:write"},
		{"the org has a default that is another's", withDefaultOf(issuerURL + "/orgs/other"), tokens.Request{}, []string{orgURL}, "api:read api:write"},
		{"a default that leads out of the org", withDefaultOf(orgURL + "/../other"), tokens.Request{}, []string{orgURL}, "api:read api:write"},
		{"a default that no server is", withDefaultOf("not a URI"), tokens.Request{}, []string{orgURL}, "api:read api:write"},
		{"the default is the issuer", withDefaultOf(issuerURL), tokens.Request{}, []string{orgURL}, "api:read api:write"},
		{"one resource", nil, tokens.Request{Resources: []string{api}}, []string{api}, "api:read api:write"},
		{"two resources, one twice", nil, tokens.Request{Resources: []string{files, api, files}}, []string{files, api}, "api:read api:write"},
		{"the org by nature", nil, tokens.Request{Resources: []string{orgURL}}, []string{orgURL}, "api:read api:write"},
		{"under the org", nil, tokens.Request{Resources: []string{orgURL + "/a/b"}}, []string{orgURL + "/a/b"}, "api:read api:write"},
		{"the issuer, without any permission there", nil, tokens.Request{Resources: []string{issuerURL}}, []string{issuerURL}, ""},
		{"the issuer, only what it serves", admin, tokens.Request{Resources: []string{issuerURL}}, []string{issuerURL}, "orgs:*"},
		{"not the issuer: nothing that it serves", admin, tokens.Request{}, []string{orgURL}, "api:*"},
		{"only administrative permissions", withRole("orgs:roles:read"), tokens.Request{}, []string{issuerURL}, "orgs:roles:read"},
		{"only administrative scope requested", admin, tokens.Request{Scope: authz.MustSet("orgs:roles:read")}, []string{issuerURL}, "orgs:roles:read"},
		{"what is left is administrative", admin, tokens.Request{Scope: authz.MustSet("orgs:roles:read", "llm:run")}, []string{issuerURL}, "orgs:roles:read"},
		{"mixed scope requested", admin, tokens.Request{Scope: authz.MustSet("orgs:roles:read", "api:read")}, []string{orgURL}, "api:read"},
		{"no permission at all", withRole(), tokens.Request{}, []string{orgURL}, ""},
		{"the door prefers the issuer", admin, tokens.Request{PreferIssuer: true}, []string{issuerURL}, "orgs:*"},
		{"the door prefers, the request says otherwise", admin, tokens.Request{PreferIssuer: true, Resources: []string{api}}, []string{api}, "api:*"},
		{"system", system, tokens.Request{}, []string{issuerURL}, "orgs:*"},
		{"a wildcard elsewhere", withRole("*"), tokens.Request{Scope: authz.MustSet("orgs:roles:read", "x:y")}, []string{orgURL}, "x:y"},
	} {
		t.Run(test.name, func(t *testing.T) {
			standing := newStanding()
			if test.standing != nil {
				test.standing(&standing)
			}
			token := newIssuing(t, nil).mustIssue(t, standing, test.req)
			if diff := cmp.Diff(test.aud, token.Claims.Audience); diff != "" {
				t.Error("aud:", diff)
			}
			if got := token.Claims.Scope.String(); got != test.scope {
				t.Errorf("scope %q, want %q", got, test.scope)
			}
			_, payload := parts(t, token.Value.Reveal())
			if _, single := payload["aud"].(string); single != (len(test.aud) == 1) {
				t.Errorf("aud is %v", payload["aud"])
			}
		})
	}
}

func TestRFC8707_2_InvalidTarget(t *testing.T) {
	many := make([]string, 17)
	for i := range many {
		many[i] = orgURL + "/" + strings.Repeat("x", i+1)
	}
	i := newIssuing(t, nil)
	for name, resources := range map[string][]string{
		"another org's":             {issuerURL + "/orgs/other"},
		"a longer slug":             {orgURL + "x"},
		"out of the org by a path":  {orgURL + "/../other"},
		"encoded":                   {orgURL + "/%2e%2e/other"},
		"empty segment":             {orgURL + "//x"},
		"query":                     {orgURL + "?x"},
		"unknown":                   {"https://api.other.example"},
		"below an audience":         {"https://api.acme.example/x"},
		"case":                      {"https://API.acme.example"},
		"one good, one bad":         {"https://api.acme.example", "https://api.other.example"},
		"the issuer with another":   {issuerURL, "https://api.acme.example"},
		"fragment":                  {"https://api.acme.example#x"},
		"empty fragment":            {"https://api.acme.example#"},
		"relative":                  {"/orgs/acme"},
		"empty":                     {""},
		"no host":                   {"https://"},
		"space":                     {orgURL + "/a b"},
		"not ASCII":                 {orgURL + "/ä"},
		"too long":                  {orgURL + "/" + strings.Repeat("x", 512)},
		"too many":                  many,
		"the issuer with its slash": {issuerURL + "/"},
	} {
		_, err := i.issue(t, newStanding(), tokens.Request{Resources: resources})
		refused, ok := errors.AsType[*tokens.TargetError](err)
		if !ok {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		for _, resource := range resources {
			if resource != "" && strings.Contains(refused.Error(), resource) {
				t.Errorf("%s: the error repeats the request: %v", name, err)
			}
		}
	}
}

func TestRFC6749_3_3_Scope(t *testing.T) {
	dropping := newIssuing(t, nil)
	strict := newIssuing(t, func(cfg *tokens.IssuerConfig) { cfg.StrictScopes = true })
	everything := newStanding()
	everything.RolePermissions = authz.MustSet("*")
	api := []string{"https://api.acme.example"}
	for _, test := range []struct {
		name     string
		issuing  issuing
		standing accounts.Standing
		req      tokens.Request
		want     error
	}{
		{"nothing left", dropping, newStanding(), tokens.Request{Scope: authz.MustSet("tools:run")}, authz.ErrScopeEmpty},
		{"some left", dropping, newStanding(), tokens.Request{Scope: authz.MustSet("tools:run", "api:read")}, nil},
		{"strict", strict, newStanding(), tokens.Request{Scope: authz.MustSet("tools:run", "api:read")}, authz.ErrScopeRefused},
		{"strict, all allowed", strict, newStanding(), tokens.Request{Scope: authz.MustSet("api:read")}, nil},
		{"administrative elsewhere", dropping, everything, tokens.Request{Scope: authz.MustSet("orgs:roles:read"), Resources: api}, authz.ErrScopeEmpty},
		{"strict, administrative elsewhere", strict, everything, tokens.Request{Scope: authz.MustSet("orgs:roles:read", "x"), Resources: api}, authz.ErrScopeRefused},
		{"other at the issuer", dropping, everything, tokens.Request{Scope: authz.MustSet("x:y"), PreferIssuer: true}, authz.ErrScopeEmpty},
	} {
		if _, err := test.issuing.issue(t, test.standing, test.req); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
	}
}
