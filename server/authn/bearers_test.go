package authn_test

import (
	"errors"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/testenv"
	"github.com/signet-issuer/signet/server/authn"
	"github.com/signet-issuer/signet/server/web"
	"github.com/signet-issuer/signet/tokens"
)

// whoami is an administrative door that says whom it took the caller for.
const whoami = "/whoami"

func start(t testing.TB, change ...func(*testenv.Config)) *testenv.Env {
	t.Helper()
	door := func(c *testenv.Config) {
		c.Surfaces = func(env *testenv.Env) []web.Surface { return []web.Surface{doorOf(env)} }
	}
	env := testenv.Start(t, append([]func(*testenv.Config){door}, change...)...)
	env.Org(t, "acme")
	env.Role(t, "acme", "mixed", "orgs:tokens:*", "api:read")
	return env
}

func doorOf(env *testenv.Env) web.Surface {
	enter := func(w http.ResponseWriter, r *http.Request) error {
		p, err := env.Bearers.Principal(r)
		switch {
		case errors.Is(err, authn.ErrNoToken):
			return &web.Error{Status: http.StatusUnauthorized, Message: "no token"}
		case errors.Is(err, authn.ErrBadToken):
			return &web.Error{Status: http.StatusUnauthorized, Message: "bad token"}
		case errors.Is(err, accounts.ErrUnavailable):
			return web.Unavailable(time.Second, err)
		case err != nil:
			return err
		}
		return web.WriteJSON(w, http.StatusOK, map[string]any{
			"orgId": p.OrgID, "system": p.System, "account": p.AccountID, "subject": p.Subject,
			"permissions": p.Permissions.String(), "holds": p.Holds.String(),
			"correlation": p.CorrelationID, "source": p.Source,
		})
	}
	return web.Surface{Name: "door", Routes: []web.Route{
		{Method: http.MethodGet, Path: whoami, Handler: enter}, {Method: http.MethodPost, Path: whoami, Handler: enter},
	}, Fail: web.DefaultFail}
}

// enter goes to the door and returns what is said of the refusal, empty when there is none.
func enter(t testing.TB, env *testenv.Env, change ...func(*http.Request)) (testenv.Answer, string) {
	t.Helper()
	answer := env.Do(t, "GET", whoami, "", change...)
	if answer.Status == http.StatusOK {
		return answer, ""
	}
	detail, _ := answer.JSON(t)["detail"].(string)
	return answer, detail
}

func wantRefused(t testing.TB, env *testenv.Env, token string) {
	t.Helper()
	if answer, detail := enter(t, env, testenv.Bearer(token)); answer.Status != 401 || detail != "bad token" {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
}

func TestPrincipal(t *testing.T) {
	env := start(t, func(c *testenv.Config) { c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")} })
	mixed := env.Machine(t, "acme", "mixed", "mixed")
	token := env.Token(t, mixed.Login, "resource", env.Issuer, "scope", "orgs:tokens:read")
	answer, _ := enter(t, env, testenv.Bearer(token),
		testenv.Header("X-Correlation-Id", "request-1"), testenv.Header("X-Forwarded-For", "192.0.2.7"))
	want := map[string]any{
		"orgId": mixed.Account.OrgID.String(), "system": false, "account": mixed.Account.ID.String(),
		"subject": "sa:acme:mixed", "permissions": "orgs:tokens:read", "holds": "api:read orgs:tokens:*",
		"correlation": "request-1", "source": "192.0.2.7",
	}
	got := answer.JSON(t)
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %v, want %v", name, got[name], value)
		}
	}
	admin, _ := enter(t, env, testenv.Bearer(env.Token(t, env.Admin)))
	if body := admin.JSON(t); body["system"] != true || body["permissions"] != "orgs:*" || body["holds"] != "*" {
		t.Errorf("admin %v", body)
	}
}

func TestStandard25_WhereTheTokenStands(t *testing.T) {
	env := start(t)
	token := env.Token(t, env.Admin)
	header := func(value string) func(*http.Request) { return testenv.Header("Authorization", value) }
	for _, tc := range []struct {
		name   string
		change []func(*http.Request)
		detail string
	}{
		{"Bearer", []func(*http.Request){header("Bearer " + token)}, ""},
		{"scheme's case", []func(*http.Request){header("bEARER " + token)}, ""},
		{"no header", nil, "no token"},
		{"empty header", []func(*http.Request){header("")}, "no token"},
		{"Basic", []func(*http.Request){env.Admin.Basic()}, "no token"},
		{"no scheme", []func(*http.Request){header(token)}, "no token"},
		{"nothing after the scheme", []func(*http.Request){header("Bearer ")}, "bad token"},
		{"a comma", []func(*http.Request){header("Bearer " + token + ", Bearer " + token)}, "bad token"},
		{"twice", []func(*http.Request){header("Bearer " + token), header("Bearer " + token)}, "bad token"},
		{"beside Basic", []func(*http.Request){env.Admin.Basic(), header("Bearer " + token)}, "bad token"},
		{"a cookie", []func(*http.Request){testenv.Header("Cookie", "access_token="+token)}, "no token"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, detail := enter(t, env, tc.change...); detail != tc.detail {
				t.Errorf("%q, want %q", detail, tc.detail)
			}
		})
	}
	if answer := env.Do(t, "GET", whoami+"?access_token="+token, ""); answer.Status != 401 {
		t.Errorf("in the query: %d", answer.Status)
	}
	if answer := env.Post(t, whoami, map[string][]string{"access_token": {token}}); answer.Status != 401 {
		t.Errorf("in the body: %d", answer.Status)
	}
}

// A door for administrators takes the issuer's own tokens only.
func TestStandard73_AudienceOfTheDoor(t *testing.T) {
	env := start(t)
	mixed := env.Machine(t, "acme", "mixed", "mixed")
	wantRefused(t, env, env.Token(t, mixed.Login))
	wantRefused(t, env, env.Token(t, mixed.Login, "resource", env.Issuer+"/orgs/acme/orgs:"))
	claims := testenv.Payload(t, env.Token(t, env.Admin))
	if answer, _ := enter(t, env, testenv.Bearer(env.Forge(t, nil, claims))); answer.Status != 200 {
		t.Fatalf("the same claims again: %d", answer.Status)
	}
	for _, audience := range []any{env.Issuer + "/", env.Issuer + "/orgs/system", []string{env.Issuer + "/a", env.Issuer + "/b"}, ""} {
		claims["aud"] = audience
		wantRefused(t, env, env.Forge(t, nil, claims))
	}
	delete(claims, "aud")
	wantRefused(t, env, env.Forge(t, nil, claims))
}

func TestI10_CutOffAtTheDoor(t *testing.T) {
	by := testenv.Operator
	for name, cut := range map[string]func(t *testing.T, env *testenv.Env, m testenv.Machine, jti string) error{
		"disabled": func(t *testing.T, env *testenv.Env, m testenv.Machine, _ string) error {
			_, err := env.Service.UpdateAccount(t.Context(), by, m.At(), accounts.AccountPatch{Disabled: accounts.Some(true)})
			return err
		},
		"deleted": func(t *testing.T, env *testenv.Env, m testenv.Machine, _ string) error {
			return env.Service.DeleteAccount(t.Context(), by, m.At(), nil)
		},
		"lesser role": func(t *testing.T, env *testenv.Env, m testenv.Machine, _ string) error {
			_, err := env.Service.UpdateAccount(t.Context(), by, m.At(), accounts.AccountPatch{Role: accounts.Some("viewer")})
			return err
		},
		"revoked by id": func(t *testing.T, env *testenv.Env, m testenv.Machine, jti string) error {
			return env.Registry.Revoke(t.Context(), by, m.At(), jti)
		},
		"expired": func(_ *testing.T, env *testenv.Env, _ testenv.Machine, _ string) error {
			env.Clock.Advance(15 * time.Minute)
			return nil
		},
		"key dropped elsewhere": func(t *testing.T, env *testenv.Env, _ testenv.Machine, _ string) error {
			replica, err := env.OpenKeys(t.Context())
			if err != nil {
				return err
			}
			kid, _ := env.SigningKey(t)
			return replica.Drop(t.Context(), by, kid)
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := start(t, func(c *testenv.Config) { c.Cache = true })
			mixed := env.Machine(t, "acme", "mixed", "mixed")
			token := env.Token(t, mixed.Login, "resource", env.Issuer)
			if answer, _ := enter(t, env, testenv.Bearer(token)); answer.Status != 200 {
				t.Fatalf("before: %d %s", answer.Status, answer.Body)
			}
			jti, _ := testenv.Payload(t, token)["jti"].(string)
			if err := cut(t, env, mixed, jti); err != nil {
				t.Fatal(err)
			}
			wantRefused(t, env, token)
		})
	}
}

// Two forced rotations elsewhere sign with a key that was never polled here.
func TestI23_KeysOfOtherReplicasAreFollowed(t *testing.T) {
	env := start(t)
	claims := testenv.Payload(t, env.Token(t, env.Admin))
	replica, err := env.OpenKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := replica.Rotate(t.Context(), testenv.Operator, tokens.RotateRequest{Force: true}); err != nil {
			t.Fatal(err)
		}
	}
	env.Clock.Advance(time.Second)
	if answer, _ := enter(t, env, testenv.Bearer(env.Forge(t, nil, claims))); answer.Status != http.StatusOK {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
}

// Tokens that name keys which nobody has make the server look for them only now and then.
func TestHazard10_UnknownKeysAreLookedForRarely(t *testing.T) {
	env := start(t)
	token := env.Forge(t, map[string]any{"kid": "none"}, testenv.Payload(t, env.Token(t, env.Admin)))
	env.Clock.Advance(time.Second)
	env.Clock.Stop()
	wantRefused(t, env, token)
	if err := env.DB.Close(); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, env, token) // nothing is asked
	env.Clock.Advance(time.Second)
	if answer, _ := enter(t, env, testenv.Bearer(token)); answer.Status != http.StatusServiceUnavailable {
		t.Errorf("whether the key exists is not known: %d %s", answer.Status, answer.Body)
	}
}

func TestI11_UnavailableIsNotBad(t *testing.T) {
	for _, cache := range []bool{true, false} {
		env := start(t, func(c *testenv.Config) { c.Cache = cache })
		token := env.Token(t, env.Admin)
		enter(t, env, testenv.Bearer(token))
		if err := env.DB.Close(); err != nil {
			t.Fatal(err)
		}
		if answer, _ := enter(t, env, testenv.Bearer(token)); answer.Status != 503 || answer.Header.Get("Retry-After") != "1" {
			t.Errorf("cache %v: %d", cache, answer.Status)
		}
		_, err := env.Bearers.Inspect(t.Context(), accounts.Standing{}, token)
		if !errors.Is(err, accounts.ErrUnavailable) {
			t.Errorf("Inspect: %v", err)
		}
	}
}

func TestStandard11_BadBearersPerSource(t *testing.T) {
	env := start(t)
	env.Clock.Stop()
	token := env.Token(t, env.Admin)
	for range 100 {
		wantRefused(t, env, token+"x")
	}
	if answer, _ := enter(t, env, testenv.Bearer(token+"x")); answer.Status != 429 || answer.Header.Get("Retry-After") == "" {
		t.Errorf("after 100: %d", answer.Status)
	}
	if answer, _ := enter(t, env, testenv.Bearer(token)); answer.Status != 200 {
		t.Errorf("a good one after 100 bad ones: %d", answer.Status)
	}
	if _, detail := enter(t, env); detail != "no token" {
		t.Errorf("without a token: %q", detail)
	}
}

// Read says who made a token, whatever it is worth now.
func TestRead(t *testing.T) {
	env := start(t)
	token := env.Token(t, env.Admin)
	env.Clock.Advance(time.Hour)
	claims, err := env.Bearers.Read(t.Context(), accounts.Standing{}, token)
	if err != nil || claims.Subject != "sa:system:admin" || !claims.Scope.Equal(authz.MustSet("orgs:*")) {
		t.Errorf("%+v, %v", claims, err)
	}
	if _, err := env.Bearers.Inspect(t.Context(), accounts.Standing{}, token); !errors.Is(err, authn.ErrBadToken) {
		t.Errorf("Inspect of an expired token: %v", err)
	}
	forged := env.Forge(t, map[string]any{"typ": "JWT"}, testenv.Payload(t, token))
	if got, err := env.Bearers.Read(t.Context(), accounts.Standing{}, forged); !errors.Is(err, authn.ErrBadToken) || got.ID != (tokens.Claims{}).ID {
		t.Errorf("%+v, %v", got, err)
	}
}
