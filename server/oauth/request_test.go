package oauth_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/testenv"
)

var formType = testenv.Header("Content-Type", "application/x-www-form-urlencoded")

func TestStandard01_OnlyPOST(t *testing.T) {
	env, bot := start(t)
	for _, path := range []string{"/token", "/oauth/token", "/oauth2/token", "/introspect", "/revoke"} {
		for _, method := range []string{"GET", "PUT", "DELETE", "PATCH", "OPTIONS"} {
			answer := env.Do(t, method, path, grant().Encode(), formType, bot.Basic())
			wantError(t, answer, http.StatusMethodNotAllowed, "invalid_request")
			if allow := answer.Header.Get("Allow"); allow != "POST" {
				t.Errorf("%s %s: Allow %q", method, path, allow)
			}
		}
	}
}

func TestStandard02_FormBody(t *testing.T) {
	env, bot := start(t)
	for name, tc := range map[string]struct {
		contentType, body string
		status            int
	}{
		"form":            {"application/x-www-form-urlencoded", grant().Encode(), 200},
		"form in UTF-8":   {"application/x-www-form-urlencoded; charset=UTF-8", grant().Encode(), 200},
		"upper case type": {"Application/X-WWW-Form-Urlencoded", grant().Encode(), 200},
		"JSON":            {"application/json", `{"grant_type":"client_credentials"}`, 400},
		"form as JSON":    {"application/json", grant().Encode(), 400},
		"multipart":       {"multipart/form-data; boundary=x", grant().Encode(), 400},
		"plain text":      {"text/plain", grant().Encode(), 400},
		"another charset": {"application/x-www-form-urlencoded; charset=utf-16", grant().Encode(), 400},
		"no type":         {"", grant().Encode(), 400},
	} {
		t.Run(name, func(t *testing.T) {
			answer := env.Do(t, http.MethodPost, "/token", tc.body, bot.Basic(), testenv.Header("Content-Type", tc.contentType))
			if tc.status == http.StatusOK {
				wantToken(t, answer)
				return
			}
			wantError(t, answer, http.StatusBadRequest, "invalid_request")
		})
	}
}

// The rules of the request, each with good credentials, so that nothing else is refused.
func TestRFC6749_3_2_Parameters(t *testing.T) {
	env, bot := start(t)
	audience := url.QueryEscape(env.Issuer + "/orgs/acme/files")
	second := url.QueryEscape(env.Issuer + "/orgs/acme/mail")
	const granting = "grant_type=client_credentials"
	for _, tc := range []struct {
		name, body, code string
	}{
		{"Standard03 grant_type twice", granting + "&" + granting, "invalid_request"},
		{"Standard03 scope twice", granting + "&scope=api:read&scope=api:read", "invalid_request"},
		{"Standard03 unknown parameter twice", granting + "&x=1&x=1", "invalid_request"},
		{"Standard03 resource twice", granting + "&resource=" + audience + "&resource=" + second, ""},
		{"Standard03 audience twice", granting + "&audience=" + audience + "&audience=" + second, ""},
		{"Standard04 empty scope", granting + "&scope=", ""},
		{"Standard04 empty grant_type", "grant_type=", "invalid_request"},
		{"Standard04 empty resource", granting + "&resource=", ""},
		{"Standard04 unknown parameter", granting + "&colour=blue&client_name=x", ""},
		{"Standard15 unknown scope is dropped", granting + "&scope=api:read+other:thing", ""},
		{"Standard15 only unknown scope", granting + "&scope=other:thing", "invalid_scope"},
		{"Standard15 case", granting + "&scope=API:READ", "invalid_scope"},
		{"Standard15 two spaces", granting + "&scope=api:read++api:write", "invalid_scope"},
		{"Standard15 leading space", granting + "&scope=+api:read", "invalid_scope"},
		{"Standard15 only a space", granting + "&scope=+", "invalid_scope"},
		{"Standard15 quote", granting + "&scope=%22", "invalid_scope"},
		{"Standard15 backslash", granting + "&scope=%5C", "invalid_scope"},
		{"Standard15 not ASCII", granting + "&scope=%C3%A9", "invalid_scope"},
		{"Standard15 too many parts", granting + "&scope=" + strings.Repeat("a+", 64) + "a", "invalid_scope"},
		{"Standard65 relative resource", granting + "&resource=/files", "invalid_target"},
		{"Standard65 fragment", granting + "&resource=" + audience + "%23x", "invalid_target"},
		{"Standard65 no URI", granting + "&resource=files", "invalid_target"},
		{"Standard65 another org's", granting + "&resource=" + url.QueryEscape(env.Issuer+"/orgs/other"), "invalid_target"},
		{"Standard65 nobody's", granting + "&resource=https://files.example", "invalid_target"},
		{"I39 bad escape", granting + "&scope=%zz", "invalid_request"},
		{"I39 semicolon", granting + ";scope=api:read", "invalid_request"},
		{"I39 NUL", granting + "&scope=%00", "invalid_request"},
		{"I39 invalid UTF-8", granting + "&scope=%ff", "invalid_request"},
		{"I39 empty body", "", "invalid_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			answer := env.Do(t, http.MethodPost, "/token", tc.body, formType, bot.Basic())
			if tc.code == "" {
				wantToken(t, answer)
				return
			}
			wantError(t, answer, http.StatusBadRequest, tc.code)
		})
	}
}

func TestStandard13_OnlyClientCredentials(t *testing.T) {
	env, bot := start(t)
	for body, code := range map[string]string{
		"scope=api:read": "invalid_request",
		"grant_type=authorization_code&code=x&redirect_uri=http://x":                 "unsupported_grant_type",
		"grant_type=password&username=a&password=b":                                  "unsupported_grant_type",
		"grant_type=refresh_token&refresh_token=a":                                   "unsupported_grant_type",
		"grant_type=__implicit":                                                      "unsupported_grant_type",
		"grant_type=Client_Credentials":                                              "unsupported_grant_type",
		"grant_type=client_credentials+password":                                     "unsupported_grant_type",
		"grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=x":         "unsupported_grant_type",
		"grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=x": "unsupported_grant_type",
		"grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code=x":      "unsupported_grant_type",
	} {
		wantError(t, env.Do(t, http.MethodPost, "/token", body, formType, bot.Basic()), http.StatusBadRequest, code)
	}
	wantToken(t, env.Post(t, "/token", grant(), bot.Basic()))
}

// What exists and is not the caller's is refused in the same words as what does not exist, and
// no words repeat the request.
func TestStandard21_ErrorsTellNothing(t *testing.T) {
	env, bot := start(t)
	const taken, free = "https://taken.example", "https://free.example"
	env.Org(t, "other", func(in *accounts.NewOrg) { in.Audiences = []string{taken} })
	env.Role(t, "acme", "secretive", "secret:read")
	for name, forms := range map[string][2]url.Values{
		"audience of another org": {grant("resource", taken), grant("resource", free)},
		"audience by nature":      {grant("resource", env.Issuer+"/orgs/other"), grant("resource", env.Issuer+"/orgs/nobody")},
		"scope of another role":   {grant("scope", "secret:read"), grant("scope", "nobodys:read")},
	} {
		existing, absent := env.Post(t, "/token", forms[0], bot.Basic()), env.Post(t, "/token", forms[1], bot.Basic())
		if existing.Status != http.StatusBadRequest || existing.Status != absent.Status || existing.Body != absent.Body {
			t.Errorf("%s: %d %s, and for what does not exist %d %s", name, existing.Status, existing.Body, absent.Status, absent.Body)
		}
	}
	for _, form := range []url.Values{
		grant("scope", "CANARY:read"), grant("scope", "\"CANARY"), grant("resource", "https://CANARY.example"),
		grant("resource", "CANARY"), grant("client_id", "CANARY"),
		{"grant_type": {"CANARY"}},
	} {
		answer := env.Post(t, "/token", form, bot.Basic())
		wantError(t, answer, http.StatusBadRequest, answer.JSON(t)["error"].(string)) // and with it the characters
		if strings.Contains(answer.Body, "CANARY") {
			t.Errorf("%v is repeated: %s", form, answer.Body)
		}
	}
}

func TestStandard05_25_NothingFromTheQuery(t *testing.T) {
	env, bot := start(t)
	token := env.Token(t, bot.Login)
	for name, target := range map[string]string{
		"credentials":     "/token?" + bot.Form().Encode(),
		"some of them":    "/token?client_secret=" + bot.Secret,
		"scope":           "/token?scope=api:read",
		"the token":       "/introspect?token=" + token,
		"an access token": "/introspect?access_token=" + token,
		"for revocation":  "/revoke?token=" + token,
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, env.Post(t, target, grant(), bot.Basic()), http.StatusBadRequest, "invalid_request")
		})
	}
}

func TestStandard15_StrictScopes(t *testing.T) {
	env, bot := start(t, func(c *testenv.Config) { c.StrictScopes = true })
	wantError(t, env.Post(t, "/token", grant("scope", "api:read other:thing"), bot.Basic()), 400, "invalid_scope")
	wantToken(t, env.Post(t, "/token", grant("scope", "api:write api:read"), bot.Basic()))
}

func TestStandard15_16_17_ScopeIsAlwaysStated(t *testing.T) {
	env, bot := start(t)
	nobody := env.Machine(t, "acme", "nobody", "member")
	for _, tc := range []struct {
		name, scope, want string
		login             testenv.Login
	}{
		{"omitted", "", "api:read api:write", bot.Login},
		{"as requested", "api:read", "api:read", bot.Login},
		{"order does not matter", "api:write api:read", "api:read api:write", bot.Login},
		{"narrowed", "api:read other:thing", "api:read", bot.Login},
		{"narrowed to a part", "api:*", "api:read api:write", bot.Login},
		{"nothing to grant", "", "", nobody.Login},
	} {
		t.Run(tc.name, func(t *testing.T) {
			body := wantToken(t, env.Post(t, "/token", grant("scope", tc.scope), tc.login.Basic()))
			if scope, stated := body["scope"]; !stated || scope != tc.want {
				t.Errorf("scope %v, want %q", scope, tc.want)
			}
			claim, inToken := testenv.Payload(t, body["access_token"].(string))["scope"]
			if inToken != (tc.want != "") || inToken && claim != tc.want {
				t.Errorf("the claim scope is %v, want %q", claim, tc.want)
			}
		})
	}
}

func TestStandard18_19_OnlyAnAccessToken(t *testing.T) {
	env, bot := start(t)
	body := wantToken(t, env.Post(t, "/token", grant("scope", "api:read"), bot.Basic()))
	for _, name := range []string{"access_token", "token_type", "expires_in", "scope"} {
		if _, ok := body[name]; !ok {
			t.Errorf("no %s", name)
		}
		delete(body, name)
	}
	if len(body) != 0 {
		t.Errorf("more than an access token: %v", body)
	}
}

func TestStandard19_I8_NoStore(t *testing.T) {
	env, bot := start(t)
	token := env.Token(t, bot.Login)
	wantNoStore(t, env.Post(t, "/token", grant(), bot.Basic()))
	wantNoStore(t, env.Post(t, "/introspect", url.Values{"token": {token}}, bot.Basic()))
	wantNoStore(t, env.Post(t, "/revoke", url.Values{"token": {token}}, bot.Basic()))
	wantNoStore(t, env.Post(t, "/token", grant()))
	wantNoStore(t, env.Post(t, "/introspect", url.Values{"token": {token}}))
}

func TestErrorsWithoutARoute(t *testing.T) {
	env, _ := start(t)
	wantError(t, env.Do(t, "GET", "/.well-known/nothing", ""), http.StatusNotFound, "invalid_request")
	wantError(t, env.Post(t, "/token/", grant()), http.StatusNotFound, "invalid_request")
	wantError(t, env.Do(t, "POST", "/.well-known/jwks.json", ""), http.StatusMethodNotAllowed, "invalid_request")
}

func TestI39_BodyTooLarge(t *testing.T) {
	env, bot := start(t)
	for _, path := range []string{"/token", "/introspect", "/revoke"} {
		answer := env.Post(t, path, grant("padding", strings.Repeat("x", 17<<10)), bot.Basic())
		wantError(t, answer, http.StatusRequestEntityTooLarge, "invalid_request")
	}
	many := grant()
	for i := range 200 {
		many.Set("p"+strconv.Itoa(i), "1")
	}
	wantError(t, env.Post(t, "/token", many, bot.Basic()), http.StatusBadRequest, "invalid_request")
}

// Both names of a resource add up, whichever is used.
func TestStandard65_AudienceIsResource(t *testing.T) {
	env, bot := start(t)
	files, mail := env.Issuer+"/orgs/acme/files", env.Issuer+"/orgs/acme/mail"
	body := wantToken(t, env.Post(t, "/token", grant("resource", files, "audience", mail, "audience", files), bot.Basic()))
	aud, _ := testenv.Payload(t, body["access_token"].(string))["aud"].([]any)
	if len(aud) != 2 || aud[0] != files || aud[1] != mail {
		t.Errorf("aud %v", aud)
	}
}
