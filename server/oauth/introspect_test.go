package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/testenv"
)

// introspect asks as the client and checks what every answer has in common.
func introspect(t testing.TB, env *testenv.Env, asking testenv.Login, token string) map[string]any {
	t.Helper()
	answer := env.Post(t, "/introspect", url.Values{"token": {token}}, asking.Basic())
	if answer.Status != http.StatusOK {
		t.Fatalf("status %d: %s", answer.Status, answer.Body)
	}
	wantNoStore(t, answer)
	body := answer.JSON(t)
	if body["active"] != true && answer.Body != `{"active":false}` {
		t.Errorf("inactive says more than that: %s", answer.Body)
	}
	return body
}

func wantActive(t testing.TB, env *testenv.Env, asking testenv.Login, token string, want bool) {
	t.Helper()
	if body := introspect(t, env, asking, token); body["active"] != want {
		t.Errorf("active %v, want %v", body["active"], want)
	}
}

func TestStandard31_Members(t *testing.T) {
	env, bot := start(t)
	files, mail := env.Issuer+"/orgs/acme/files", env.Issuer+"/orgs/acme/mail"
	for _, resources := range [][]string{{files}, {files, mail}} {
		form := grant("scope", "api:read")
		form["resource"] = resources
		token := wantToken(t, env.Post(t, "/token", form, bot.Basic()))["access_token"].(string)
		body := introspect(t, env, bot.Login, token)
		claims := testenv.Payload(t, token)
		for _, name := range []string{"scope", "client_id", "sub", "iss", "jti", "org"} {
			if body[name] != claims[name] || body[name] == nil {
				t.Errorf("%s %v, in the token %v", name, body[name], claims[name])
			}
		}
		if body["token_type"] != "Bearer" || len(body) != 11 {
			t.Errorf("members %v", body)
		}
		if exp, iat := body["exp"].(float64), body["iat"].(float64); exp-iat != 900 {
			t.Errorf("exp - iat is %v", exp-iat)
		}
		if aud, isString := body["aud"].(string); isString != (len(resources) == 1) || isString && aud != files {
			t.Errorf("aud %v", body["aud"])
		}
	}
}

func TestStandard29_WhoSeesWhat(t *testing.T) {
	env, bot := start(t)
	ctx, by := t.Context(), testenv.Operator
	const shared = "https://files.example/v1"
	acme := accounts.BySlug("acme")
	if _, err := env.Service.UpdateOrg(ctx, by, acme, accounts.OrgPatch{Audiences: accounts.Some([]string{shared})}); err != nil {
		t.Fatal(err)
	}
	env.Role(t, "acme", "files", "orgs:tokens:read", "files:read")
	env.Org(t, "other")
	env.Role(t, "other", "files", "orgs:tokens:read")
	api := env.Machine(t, "acme", "files-api", "files")
	neighbour := env.Machine(t, "acme", "neighbour", "api")
	foreign := env.Machine(t, "other", "files-api", "files")
	second, err := env.Service.CreateCredential(ctx, by, bot.At(), accounts.NewCredential{Kind: accounts.KindSecret, Name: "second"})
	if err != nil {
		t.Fatal(err)
	}
	twin := testenv.Login{ID: second.Credential.ClientID, Secret: second.Secret.Reveal()}

	natural := env.Token(t, bot.Login)
	assigned := env.Token(t, bot.Login, "resource", shared)
	administrative := env.Token(t, api.Login, "resource", env.Issuer)
	for _, tc := range []struct {
		name   string
		asking testenv.Login
		token  string
		want   bool
	}{
		{"its own", bot.Login, natural, true},
		{"of its own account by another credential", twin, natural, true},
		{"of its account for another resource server", bot.Login, assigned, true},
		{"without the permission", neighbour.Login, natural, false},
		{"the resource server's, by nature", api.Login, natural, true},
		{"the resource server's, assigned", api.Login, assigned, true},
		{"another org's resource server", foreign.Login, natural, false},
		{"another org's resource server, assigned", foreign.Login, assigned, false},
		{"for the issuer, own", api.Login, administrative, true},
		{"for the issuer, another's", bot.Login, administrative, false},
		{"a system account, any", env.Admin, natural, true},
		{"a system account, for the issuer", env.Admin, administrative, true},
	} {
		t.Run(tc.name, func(t *testing.T) { wantActive(t, env, tc.asking, tc.token, tc.want) })
	}
}

// A bearer has the permissions of its token, and a client those of its credential, not of the
// account: in the system org too.
func TestStandard29_I34_NarrowedCallersSeeLess(t *testing.T) {
	env, bot := start(t)
	env.Role(t, "acme", "watcher", "orgs:tokens:read", "orgs:roles:read")
	watcher := env.Machine(t, "acme", "watcher", "watcher")
	robot := env.Machine(t, "system", "robot", "owner")
	clerk := env.Machine(t, "system", "clerk", "owner", func(in *accounts.NewAccount) { in.Scopes = authz.MustSet("orgs:settings:*") })
	natural := env.Token(t, bot.Login)
	narrow := func(login testenv.Login, scope string) string {
		return env.Token(t, login, "scope", scope, "resource", env.Issuer)
	}
	robots := narrow(robot.Login, "orgs:roles:read")
	for _, tc := range []struct {
		name   string
		caller func(*http.Request)
		token  string
		want   bool
	}{
		{"whole", testenv.Bearer(env.Token(t, watcher.Login)), natural, true},
		{"narrowed to it", testenv.Bearer(narrow(watcher.Login, "orgs:tokens:read")), natural, true},
		{"narrowed to else", testenv.Bearer(narrow(watcher.Login, "orgs:roles:read")), natural, false},
		{"system, whole", testenv.Bearer(env.Token(t, robot.Login)), natural, true},
		{"system, narrowed to it", testenv.Bearer(narrow(robot.Login, "orgs:tokens:read")), natural, true},
		{"system, narrowed to else", testenv.Bearer(robots), natural, false},
		{"system, narrowed to else, its own", testenv.Bearer(robots), robots, true},
		{"system, client", robot.Basic(), natural, true},
		{"system, client without it", clerk.Basic(), natural, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			answer := env.Post(t, "/introspect", url.Values{"token": {tc.token}}, tc.caller)
			if answer.JSON(t)["active"] != tc.want {
				t.Errorf("%s", answer.Body)
			}
		})
	}
}

func TestStandard30_InactiveSaysNothing(t *testing.T) {
	env, bot := start(t)
	neighbour := env.Machine(t, "acme", "neighbour", "api")
	expired, ended := env.Token(t, bot.Login), env.Token(t, neighbour.Login)
	env.Clock.Advance(time.Hour)
	revoked, others := env.Token(t, bot.Login), env.Token(t, neighbour.Login)
	revoke(t, env, bot.Login, revoked)
	var first testenv.Answer
	for name, token := range map[string]string{
		"no token": "nothing", "parts of nothing": "a.b.c", "forged": revoked + "x", "expired": expired, "revoked": revoked,
		"another's": others, "another's, expired": ended, "hostile": strings.Repeat(".", 15<<10), "of another issuer": foreignToken(t, env, others),
	} {
		answer := env.Post(t, "/introspect", url.Values{"token": {token}}, bot.Basic())
		answer.Header.Del("X-Correlation-Id")
		answer.Header.Del("Date")
		if first.Body == "" {
			first = answer
		}
		if answer.Status != http.StatusOK || answer.Body != `{"active":false}` || !sameHeader(answer.Header, first.Header) {
			t.Errorf("%s: %d %v %s", name, answer.Status, answer.Header, answer.Body)
		}
	}
}

// foreignToken has our signature and another's name.
func foreignToken(t *testing.T, env *testenv.Env, token string) string {
	t.Helper()
	claims := testenv.Payload(t, token)
	claims["iss"] = "https://id.other.example"
	return env.Forge(t, nil, claims)
}

func TestStandard24_29_Authentication(t *testing.T) {
	env, bot := start(t)
	token := env.Token(t, bot.Login)
	form := url.Values{"token": {token}}
	wantError(t, env.Post(t, "/introspect", form), 401, "invalid_client")
	wantError(t, env.Post(t, "/introspect", with(form, "client_id", bot.ID)), 401, "invalid_client")
	answer := env.Post(t, "/introspect", with(form, "client_id", bot.ID, "client_secret", bot.Secret))
	if answer.JSON(t)["active"] != true {
		t.Errorf("by client_secret_post: %s", answer.Body)
	}
	// A token for another audience is no key to this door, whosever it is.
	for _, bearer := range []string{token, "x", "", env.Token(t, env.Admin) + "x"} {
		answer := env.Post(t, "/introspect", form, testenv.Bearer(bearer))
		wantError(t, answer, 401, "invalid_token")
		if got := answer.Header.Get("Www-Authenticate"); got != `Bearer realm="signet", error="invalid_token"` {
			t.Errorf("WWW-Authenticate %q", got)
		}
	}
	two := env.Post(t, "/introspect", form, bot.Basic(), testenv.Bearer(env.Token(t, env.Admin)))
	wantError(t, two, 400, "invalid_request")
}

func TestStandard27_HintIsIgnored(t *testing.T) {
	env, bot := start(t)
	token := env.Token(t, bot.Login)
	for _, path := range []string{"/introspect", "/revoke"} {
		for _, hint := range []string{"refresh_token", "access_token", "nonsense"} {
			answer := env.Post(t, path, url.Values{"token": {token}, "token_type_hint": {hint}}, bot.Basic())
			if answer.Status != http.StatusOK {
				t.Errorf("%s %s: %d", path, hint, answer.Status)
			}
		}
	}
	wantActive(t, env, bot.Login, token, false)
}

func TestStandard32_Fishing(t *testing.T) {
	env, bot := start(t)
	env.Clock.Stop()
	other := env.Machine(t, "acme", "other", "api")
	good := env.Token(t, bot.Login)
	for range 600 {
		wantActive(t, env, bot.Login, "nothing", false)
	}
	wantError(t, env.Post(t, "/introspect", url.Values{"token": {"nothing"}}, bot.Basic()), 429, "temporarily_unavailable")
	wantActive(t, env, bot.Login, good, true)
	wantActive(t, env, other.Login, "nothing", false)
	env.Clock.Advance(time.Minute)
	wantActive(t, env, bot.Login, "nothing", false)
}

// I10, I14: whatever takes a token's ground away makes it inactive at once, and what comes
// back brings no token back.
func TestI10_I14_CutOff(t *testing.T) {
	by := testenv.Operator
	account := func(p accounts.AccountPatch) func(*testing.T, *testenv.Env, testenv.Machine) error {
		return func(t *testing.T, env *testenv.Env, bot testenv.Machine) error {
			_, err := env.Service.UpdateAccount(t.Context(), by, bot.At(), p)
			return err
		}
	}
	credential := func(p accounts.CredentialPatch) func(*testing.T, *testenv.Env, testenv.Machine) error {
		return func(t *testing.T, env *testenv.Env, bot testenv.Machine) error {
			_, err := env.Service.UpdateCredential(t.Context(), by, bot.At(), bot.Credential.ID, p)
			return err
		}
	}
	org := func(p accounts.OrgPatch) func(*testing.T, *testenv.Env, testenv.Machine) error {
		return func(t *testing.T, env *testenv.Env, _ testenv.Machine) error {
			_, err := env.Service.UpdateOrg(t.Context(), by, accounts.BySlug("acme"), p)
			return err
		}
	}
	for name, tc := range map[string]struct {
		cut, back func(*testing.T, *testenv.Env, testenv.Machine) error
	}{
		"disabled account":    {account(accounts.AccountPatch{Disabled: accounts.Some(true)}), account(accounts.AccountPatch{Disabled: accounts.Some(false)})},
		"disabled credential": {credential(accounts.CredentialPatch{Disabled: accounts.Some(true)}), credential(accounts.CredentialPatch{Disabled: accounts.Some(false)})},
		"disabled org":        {org(accounts.OrgPatch{Disabled: accounts.Some(true)}), org(accounts.OrgPatch{Disabled: accounts.Some(false)})},
		"lesser role":         {account(accounts.AccountPatch{Role: accounts.Some("member")}), nil},
		"lesser scopes":       {account(accounts.AccountPatch{Scopes: accounts.Some(authz.MustSet("api:read"))}), nil},
		"deleted account": {func(t *testing.T, env *testenv.Env, bot testenv.Machine) error {
			return env.Service.DeleteAccount(t.Context(), by, bot.At(), nil)
		}, nil},
		"deleted credential": {func(t *testing.T, env *testenv.Env, bot testenv.Machine) error {
			return env.Service.DeleteCredential(t.Context(), by, bot.At(), bot.Credential.ID, nil)
		}, nil},
		"deleted org": {func(t *testing.T, env *testenv.Env, _ testenv.Machine) error {
			return env.Service.DeleteOrg(t.Context(), by, accounts.BySlug("acme"), nil)
		}, nil},
		"rotated": {func(t *testing.T, env *testenv.Env, bot testenv.Machine) error {
			_, err := env.Service.Rotate(t.Context(), by, bot.At(), accounts.Rotation{})
			return err
		}, nil},
		"revoke all": {func(t *testing.T, env *testenv.Env, bot testenv.Machine) error {
			return env.Service.RevokeTokens(t.Context(), by, bot.At())
		}, nil},
		"expired": {func(_ *testing.T, env *testenv.Env, _ testenv.Machine) error {
			env.Clock.Advance(15 * time.Minute)
			return nil
		}, nil},
		"dropped key": {func(t *testing.T, env *testenv.Env, _ testenv.Machine) error {
			kid, _ := env.SigningKey(t)
			return env.Keys.Drop(t.Context(), by, kid)
		}, nil},
		"key dropped by another replica": {func(t *testing.T, env *testenv.Env, _ testenv.Machine) error {
			replica, err := env.OpenKeys(t.Context())
			if err != nil {
				return err
			}
			kid, _ := env.SigningKey(t)
			return replica.Drop(t.Context(), by, kid)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			env, bot := start(t, func(c *testenv.Config) { c.Cache = true })
			token := env.Token(t, bot.Login)
			wantActive(t, env, env.Admin, token, true)
			if err := tc.cut(t, env, bot); err != nil {
				t.Fatal(err)
			}
			wantActive(t, env, env.Admin, token, false)
			if tc.back == nil {
				return
			}
			wantError(t, env.Post(t, "/token", grant(), bot.Basic()), 401, "invalid_client")
			if err := tc.back(t, env, bot); err != nil {
				t.Fatal(err)
			}
			wantActive(t, env, env.Admin, token, false)
			wantActive(t, env, env.Admin, env.Token(t, bot.Login), true)
		})
	}
}

// I11: not knowing is never an answer.
func TestI11_UnknownState(t *testing.T) {
	for name, cached := range map[string]bool{"with cache": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			env, bot := start(t, func(c *testenv.Config) { c.Cache = cached })
			token, admin := env.Token(t, bot.Login), env.Token(t, env.Admin)
			wantActive(t, env, bot.Login, token, true)
			if err := env.DB.Close(); err != nil {
				t.Fatal(err)
			}
			form := url.Values{"token": {token}}
			wantError(t, env.Post(t, "/introspect", form, bot.Basic()), 503, "temporarily_unavailable")
			wantError(t, env.Post(t, "/introspect", form, testenv.Bearer(admin)), 503, "temporarily_unavailable")
			wantError(t, env.Post(t, "/revoke", form, bot.Basic()), 503, "temporarily_unavailable")
		})
	}
}
