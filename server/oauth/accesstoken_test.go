package oauth_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/testenv"
)

func TestStandard66_67_Audience(t *testing.T) {
	env, _ := start(t)
	const files = "https://files.example"
	change := accounts.OrgPatch{Audiences: accounts.Some([]string{files})}
	if _, err := env.Service.UpdateOrg(t.Context(), testenv.Operator, accounts.BySlug("acme"), change); err != nil {
		t.Fatal(err)
	}
	env.Org(t, "filed", func(in *accounts.NewOrg) {
		in.Audiences, in.DefaultAudience = []string{"https://filed.example"}, "https://filed.example"
	})
	env.Role(t, "acme", "mixed", "api:read", "orgs:tokens:read")
	env.Role(t, "acme", "admins", "orgs:tokens:read")
	mixed, admins := env.Machine(t, "acme", "mixed", "mixed").Login, env.Machine(t, "acme", "admins", "admins").Login
	natural := env.Issuer + "/orgs/acme"
	for _, tc := range []struct {
		name       string
		login      testenv.Login
		parameters []string
		aud, scope string
	}{
		{"default", mixed, nil, natural, "api:read"},
		{"the org's own default", env.Machine(t, "filed", "bot", "api").Login, nil, "https://filed.example", "api:read api:write"},
		{"assigned", mixed, []string{"resource", files}, files, "api:read"},
		{"below the natural one", mixed, []string{"resource", natural + "/x/y"}, natural + "/x/y", "api:read"},
		{"the issuer", mixed, []string{"resource", env.Issuer}, env.Issuer, "orgs:tokens:read"},
		{"only administrative scope", mixed, []string{"scope", "orgs:tokens:read"}, env.Issuer, "orgs:tokens:read"},
		{"nothing but administrative scope", admins, nil, env.Issuer, "orgs:tokens:read"},
		{"a system account", env.Admin, nil, env.Issuer, "orgs:*"},
		{"without anything", env.Machine(t, "acme", "member", "member").Login, nil, natural, ""},
		{"a wildcard for a resource server", mixed, []string{"scope", "*", "resource", files}, files, "api:read"},
		{"both kinds of scope", mixed, []string{"scope", "api:read orgs:tokens:read"}, natural, "api:read"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			claims := testenv.Payload(t, env.Token(t, tc.login, tc.parameters...))
			scope, _ := claims["scope"].(string)
			if claims["aud"] != tc.aud || scope != tc.scope {
				t.Errorf("aud %v, scope %q", claims["aud"], scope)
			}
		})
	}
	for _, uri := range []string{natural + "x", natural + "/../other", env.Issuer + "/", "https://filed.example", files + "/x"} {
		wantError(t, env.Post(t, "/token", grant("resource", uri), mixed.Basic()), 400, "invalid_target")
	}
}

func TestStandard68_72_I2_Claims(t *testing.T) {
	env, bot := start(t)
	env.Clock.Stop()
	seen := map[any]bool{}
	for range 50 {
		token := env.Token(t, bot.Login)
		header, claims := testenv.JOSEHeader(t, token), testenv.Payload(t, token)
		if header["typ"] != "at+jwt" || header["alg"] != "ES256" || header["kid"] == nil || len(header) != 3 {
			t.Fatalf("header %v", header)
		}
		for _, name := range []string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope", "org"} {
			if claims[name] == nil || claims[name] == "" {
				t.Errorf("no %s", name)
			}
		}
		if _, ok := claims["nbf"]; ok {
			t.Error("nbf")
		}
		whole := regexp.MustCompile(`^[0-9]+$`)
		iat, exp := claims["iat"].(json.Number), claims["exp"].(json.Number)
		if !whole.MatchString(iat.String()) || !whole.MatchString(exp.String()) {
			t.Errorf("iat %s, exp %s", iat, exp)
		}
		if jti, _ := claims["jti"].(string); len(jti) < 26 || seen[jti] {
			t.Errorf("jti %q", jti)
		}
		seen[claims["jti"]] = true
	}
}

// 69, 70: nothing in a request names the subject or sets a claim.
func TestStandard69_70_ClientSetsNoClaim(t *testing.T) {
	env, bot := start(t)
	form := grant("sub", "sa:acme:admin", "client_id", bot.ID, "iss", "https://evil.example", "org", "other", "jti", "x",
		"exp", "9999999999", "gen", "-1", "claims", `{"sub":"x"}`, "roles", "owner", "act", "x", "username", "x")
	claims := testenv.Payload(t, wantToken(t, env.Post(t, "/token", form, bot.Basic()))["access_token"].(string))
	want := map[string]any{"sub": "sa:acme:bot", "client_id": bot.ID, "iss": env.Issuer, "org": "acme"}
	for name, value := range want {
		if claims[name] != value {
			t.Errorf("%s %v, want %v", name, claims[name], value)
		}
	}
	for _, name := range []string{"roles", "act", "claims", "username"} {
		if _, ok := claims[name]; ok {
			t.Errorf("claim %s", name)
		}
	}
}

// 69: the sub of a dead account goes to nobody.
func TestStandard69_SubIsNeverReassigned(t *testing.T) {
	env, bot := start(t)
	if err := env.Service.DeleteAccount(t.Context(), testenv.Operator, bot.At(), nil); err != nil {
		t.Fatal(err)
	}
	_, err := env.Service.CreateAccount(t.Context(), testenv.Operator, accounts.BySlug("acme"), accounts.NewAccount{
		Slug: "bot", Name: "bot", Credential: &accounts.FirstCredential{},
	})
	if err == nil {
		t.Error("the slug lives again")
	}
}

// 71: a token is never too large for a header.
func TestStandard71_TokenSize(t *testing.T) {
	env, _ := start(t)
	for _, width := range []int{10, 30, 45, 60, 100} {
		permissions := make([]string, 64)
		for i := range permissions {
			permissions[i] = fmt.Sprintf("api:%s%02d", strings.Repeat("x", width), i)
		}
		slug := fmt.Sprintf("wide-%d", width)
		env.Role(t, "acme", slug, permissions...)
		login := env.Machine(t, "acme", slug, slug)
		answer := env.Post(t, "/token", grant(), login.Basic())
		if width >= 45 {
			wantError(t, answer, 400, "invalid_scope")
			wantToken(t, env.Post(t, "/token", grant("scope", permissions[0]), login.Basic()))
			continue
		}
		if token := wantToken(t, answer)["access_token"].(string); len(token) > 6<<10 {
			t.Errorf("a token of %d bytes", len(token))
		}
	}
}

// 73: a good signature of ours on anything that is no access token is worth nothing.
func TestStandard73_OtherJWTs(t *testing.T) {
	env, bot := start(t)
	claims := testenv.Payload(t, env.Token(t, bot.Login))
	wantActive(t, env, bot.Login, env.Forge(t, nil, claims), true)
	for _, typ := range []any{nil, "", "JWT", "jwt", "dpop+jwt", "client-authentication+jwt", "logout+jwt", "secevent+jwt", "at+jwt+x", 1} {
		wantActive(t, env, bot.Login, env.Forge(t, map[string]any{"typ": typ}, claims), false)
	}
	for name, change := range map[string]func(map[string]any){
		"another issuer":     func(c map[string]any) { c["iss"] = "https://evil.example" },
		"issuer with slash":  func(c map[string]any) { c["iss"] = env.Issuer + "/" },
		"another subject":    func(c map[string]any) { c["sub"] = "sa:acme:other" },
		"another client":     func(c map[string]any) { c["client_id"] = env.Admin.ID },
		"another org":        func(c map[string]any) { c["org"] = "system" },
		"another generation": func(c map[string]any) { c["gen"] = 7 },
		"another secret":     func(c map[string]any) { c["sec"] = 2 },
		"no audience":        func(c map[string]any) { delete(c, "aud") },
		"empty audience":     func(c map[string]any) { c["aud"] = "" },
		"no expiry":          func(c map[string]any) { delete(c, "exp") },
		"text as expiry":     func(c map[string]any) { c["exp"] = "9999999999" },
		"expired":            func(c map[string]any) { c["exp"], c["iat"] = 2, 1 },
		"no jti":             func(c map[string]any) { delete(c, "jti") },
		"no subject":         func(c map[string]any) { delete(c, "sub") },
		"more scope":         func(c map[string]any) { c["scope"] = "api:*" },
		"unknown member":     func(c map[string]any) { c["admin"] = true },
		"as an ID token":     func(c map[string]any) { c["nonce"] = "x"; delete(c, "client_id") },
	} {
		t.Run(name, func(t *testing.T) {
			forged := map[string]any{}
			for member, value := range claims {
				forged[member] = value
			}
			change(forged)
			wantActive(t, env, env.Admin, env.Forge(t, nil, forged), false)
		})
	}
}

func TestStandard74_Lifetime(t *testing.T) {
	for _, tc := range []struct {
		name            string
		server, account time.Duration
		expires         time.Duration // of the credential
		want            float64
	}{
		{"by default", 0, 0, 0, 900},
		{"the server's", 10 * time.Minute, 0, 0, 600},
		{"the account's", 0, 30 * time.Second, 0, 30},
		{"an account's that is longer", 0, time.Hour, 0, 3600},
		{"the credential's", 0, 0, 100 * time.Second, 100},
	} {
		t.Run(tc.name, func(t *testing.T) {
			env, _ := start(t, func(c *testenv.Config) { c.Lifetime = tc.server })
			env.Clock.Stop()
			end := env.Clock.Now().Add(tc.expires)
			bot := env.Machine(t, "acme", "timed", "api", func(in *accounts.NewAccount) { in.TokenLifetime = tc.account })
			if tc.expires > 0 {
				patch := accounts.CredentialPatch{ExpiresAt: accounts.Some(end)}
				if _, err := env.Service.UpdateCredential(t.Context(), testenv.Operator, bot.At(), bot.Credential.ID, patch); err != nil {
					t.Fatal(err)
				}
			}
			body := wantToken(t, env.Post(t, "/token", grant("expires_in", "999999", "lifetime", "999999"), bot.Basic()))
			claims := testenv.Payload(t, body["access_token"].(string))
			iat, _ := claims["iat"].(json.Number).Int64()
			exp, _ := claims["exp"].(json.Number).Int64()
			// Times of a token are whole seconds, the end of a credential is not.
			if got := body["expires_in"].(float64); got != float64(exp-iat) || got < tc.want || tc.expires == 0 && got > tc.want || got > tc.want+1 {
				t.Errorf("expires_in %v, exp - iat %d, want %v", got, exp-iat, tc.want)
			}
			if tc.expires > 0 && time.Unix(exp, 0).After(end) {
				t.Errorf("the token outlives its credential by %v", time.Unix(exp, 0).Sub(end))
			}
		})
	}
}

// I5: the same request has the same outcome at every alias.
func TestI5_EveryAliasDecidesAlike(t *testing.T) {
	env, bot := start(t)
	env.Clock.Stop()
	for name, form := range map[string]map[string]string{
		"granted":      {"scope": "api:read"},
		"narrowed":     {"scope": "api:read other:thing"},
		"refused":      {"scope": "other:thing"},
		"wrong target": {"resource": "https://files.example"},
		"bad grant":    {"grant_type": "password"},
	} {
		t.Run(name, func(t *testing.T) {
			var outcomes []string
			for _, path := range []string{"/token", "/oauth/token", "/oauth2/token"} {
				request := grant()
				for parameter, value := range form {
					request.Set(parameter, value)
				}
				answer := env.Post(t, path, request, bot.Basic())
				outcome := answer.Body
				if answer.Status == http.StatusOK {
					claims := testenv.Payload(t, wantToken(t, answer)["access_token"].(string))
					delete(claims, "jti")
					outcome = fmt.Sprint(claims)
				}
				outcomes = append(outcomes, outcome)
			}
			if outcomes[0] != outcomes[1] || outcomes[0] != outcomes[2] {
				t.Errorf("outcomes %q", outcomes)
			}
		})
	}
}

// I1, I6: scope is within role, account and request, org is the credential's.
func TestI1_I6_WithinEveryCeiling(t *testing.T) {
	env, _ := start(t)
	bot := env.Machine(t, "acme", "narrow", "api", func(in *accounts.NewAccount) { in.Scopes = authz.MustSet("api:*") })
	patch := accounts.CredentialPatch{Scopes: accounts.Some(authz.MustSet("api:read", "other:thing"))}
	if _, err := env.Service.UpdateCredential(t.Context(), testenv.Operator, bot.At(), bot.Credential.ID, patch); err != nil {
		t.Fatal(err)
	}
	claims := testenv.Payload(t, env.Token(t, bot.Login, "scope", "api:read api:write other:thing orgs:tokens:read"))
	if claims["scope"] != "api:read" || claims["org"] != "acme" {
		t.Errorf("scope %v, org %v", claims["scope"], claims["org"])
	}
}
