package oauth_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signet-issuer/signet/internal/testenv"
	"github.com/signet-issuer/signet/tokens"
)

func TestStandard50_Metadata(t *testing.T) {
	for _, path := range []string{"", "/auth", "/deep/er"} {
		t.Run("issuer path "+path, func(t *testing.T) {
			env, bot := start(t, func(c *testenv.Config) { c.IssuerPath = path })
			places := []string{
				"/.well-known/oauth-authorization-server" + path, // RFC 8414, section 3.1
				"/.well-known/openid-configuration" + path,
				path + "/.well-known/oauth-authorization-server",
				path + "/.well-known/openid-configuration", // OpenID Connect Discovery, section 4
			}
			for _, place := range places {
				answer := env.Do(t, "GET", place, "")
				if answer.Status != http.StatusOK {
					t.Fatalf("%s: %d", place, answer.Status)
				}
				body := answer.JSON(t)
				if iss := testenv.Payload(t, env.Token(t, bot.Login))["iss"]; body["issuer"] != env.Issuer || iss != env.Issuer {
					t.Errorf("%s: issuer %v, iss %v", place, body["issuer"], iss)
				}
				// What is announced is there.
				wantToken(t, env.Post(t, body["token_endpoint"].(string), grant(), bot.Basic()))
				for _, name := range []string{"introspection_endpoint", "revocation_endpoint"} {
					if got := env.Post(t, body[name].(string), grant("token", "x"), bot.Basic()); got.Status != http.StatusOK {
						t.Errorf("%s: %d", name, got.Status)
					}
				}
				if keys := env.Do(t, "GET", body["jwks_uri"].(string), ""); keys.Status != http.StatusOK {
					t.Errorf("jwks_uri: %d", keys.Status)
				}
			}
		})
	}
}

func TestStandard51_MetadataLists(t *testing.T) {
	env, _ := start(t)
	body := env.Do(t, "GET", "/.well-known/oauth-authorization-server", "").JSON(t)
	methods := "client_secret_basic client_secret_post"
	for name, want := range map[string]string{
		"grant_types_supported":                         "client_credentials",
		"token_endpoint_auth_methods_supported":         methods,
		"introspection_endpoint_auth_methods_supported": methods,
		"revocation_endpoint_auth_methods_supported":    methods,
	} {
		if got := listOf(body[name]); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	for name, value := range body {
		if list, ok := value.([]any); ok && len(list) == 0 {
			t.Errorf("%s is empty", name)
		}
	}
	if _, ok := body["scopes_supported"]; ok {
		t.Error("scopes_supported without being asked for")
	}
	discovery := env.Do(t, "GET", "/.well-known/openid-configuration", "").JSON(t)
	if algorithms := listOf(discovery["id_token_signing_alg_values_supported"]); algorithms != "ES256" {
		t.Errorf("algorithms %q", algorithms)
	}
}

func listOf(value any) string {
	items, _ := value.([]any)
	var texts []string
	for _, item := range items {
		texts = append(texts, item.(string))
	}
	return strings.Join(texts, " ")
}

type jwk struct{ kid, alg string }

// published reads the key set and checks each key.
func published(t *testing.T, env *testenv.Env) []jwk {
	t.Helper()
	var keys []jwk
	for _, item := range env.Do(t, "GET", "/.well-known/jwks.json", "").JSON(t)["keys"].([]any) {
		key := item.(map[string]any)
		if key["use"] != "sig" || key["alg"] == nil || key["kid"] == "" {
			t.Errorf("key %v", key)
		}
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			if _, ok := key[private]; ok {
				t.Errorf("the member %s is private", private)
			}
		}
		keys = append(keys, jwk{key["kid"].(string), key["alg"].(string)})
	}
	return keys
}

func TestStandard52_57_I27_KeySet(t *testing.T) {
	env, _ := start(t)
	ever := map[string]bool{}
	for range 4 {
		for _, key := range published(t, env) {
			ever[key.kid] = true
		}
		kid, _ := env.SigningKey(t)
		if err := env.Keys.Drop(t.Context(), testenv.Operator, kid); err != nil {
			t.Fatal(err)
		}
	}
	if len(ever) != 5 {
		t.Errorf("%d key ids in 4 drops, want 2 and one more after each but the last", len(ever))
	}
}

func TestStandard54_Caching(t *testing.T) {
	env, _ := start(t)
	answer := env.Do(t, "GET", "/.well-known/jwks.json", "")
	if got := answer.Header.Get("Cache-Control"); got != "public, max-age=300, stale-if-error=300" {
		t.Errorf("Cache-Control %q", got)
	}
	etag := answer.Header.Get("Etag")
	if etag == "" || answer.Header.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", answer.Header)
	}
	for name, tc := range map[string]struct {
		header string
		status int
	}{
		"the same":    {etag, 304},
		"weakly":      {"W/" + etag, 304},
		"in a list":   {`"x", ` + etag, 304},
		"any":         {"*", 304},
		"another":     {`"x"`, 200},
		"not quoted":  {strings.Trim(etag, `"`), 200},
		"empty":       {"", 200},
		"only a part": {etag[:5] + `"`, 200},
	} {
		t.Run(name, func(t *testing.T) {
			again := env.Do(t, "GET", "/.well-known/jwks.json", "", testenv.Header("If-None-Match", tc.header))
			if again.Status != tc.status || (again.Body == "") != (tc.status == 304) {
				t.Errorf("status %d, body %q", again.Status, again.Body)
			}
			if again.Header.Get("Etag") != etag || again.Header.Get("Cache-Control") != answer.Header.Get("Cache-Control") {
				t.Errorf("headers %v", again.Header)
			}
		})
	}
	head := env.Do(t, "HEAD", "/.well-known/jwks.json", "")
	if head.Status != 200 || head.Body != "" || head.Header.Get("Etag") != etag {
		t.Errorf("HEAD: %d %v", head.Status, head.Header)
	}
	if answer := env.Do(t, "GET", "/.well-known/oauth-authorization-server", ""); answer.Header.Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("metadata: %v", answer.Header)
	}
}

// 55, 56: a key is published before it signs and as long as a token of its may live.
func TestStandard55_56_RotationSeenFromOutside(t *testing.T) {
	env, bot := start(t)
	env.Clock.Stop()
	first := published(t, env)
	env.Clock.Advance(30 * 24 * time.Hour)
	old := env.Token(t, bot.Login)
	if err := env.Keys.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	next := env.Token(t, bot.Login)
	signing := testenv.JOSEHeader(t, next)["kid"].(string)
	if signing == testenv.JOSEHeader(t, old)["kid"] {
		t.Fatal("no rotation")
	}
	if !slices.ContainsFunc(first, func(k jwk) bool { return k.kid == signing }) {
		t.Error("the key signs and was not published before")
	}
	wantActive(t, env, bot.Login, old, true)
	for _, step := range []struct {
		pass time.Duration
		want bool
	}{{0, true}, {time.Hour, true}, {tokens.Skew, false}} {
		env.Clock.Advance(step.pass)
		if err := env.Keys.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		kid := testenv.JOSEHeader(t, old)["kid"]
		if got := slices.ContainsFunc(published(t, env), func(k jwk) bool { return k.kid == kid }); got != step.want {
			t.Errorf("published %v, want %v", got, step.want)
		}
	}
}

func TestStandard56_EmergencyRemoval(t *testing.T) {
	env, bot := start(t)
	token := env.Token(t, bot.Login)
	kid, _ := env.SigningKey(t)
	if err := env.Keys.Drop(t.Context(), testenv.Operator, kid); err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(published(t, env), func(k jwk) bool { return k.kid == kid }) {
		t.Error("the dropped key is still published")
	}
	wantActive(t, env, bot.Login, token, false)
	if got := env.Do(t, "GET", "/.well-known/jwks.json", "").Header.Get("Cache-Control"); !strings.Contains(got, "max-age=30,") {
		t.Errorf("Cache-Control %q is not shortened", got)
	}
	wantActive(t, env, bot.Login, env.Token(t, bot.Login), true)
}
