package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/testenv"
)

// What go-oauth2 does wrong by itself, each closed on the real stack over HTTP.

func TestGap01_BasicIsFormDecoded(t *testing.T) {
	env, bot := start(t)
	userID := bot.Account.UserID()
	wantToken(t, env.Post(t, "/token", grant(), testenv.Login{ID: userID, Secret: bot.Secret}.Basic()))
	wantToken(t, env.Post(t, "/token", grant(), basic(userID+":"+bot.Secret)))
}

func TestGap02_NothingFromQueryOrJSON(t *testing.T) {
	env, bot := start(t)
	wantError(t, env.Post(t, "/token?grant_type=client_credentials", nil, bot.Basic()), 400, "invalid_request")
	wantError(t, env.Post(t, "/token?"+bot.Form().Encode(), nil), 400, "invalid_request")
	json := testenv.Header("Content-Type", "application/json")
	wantError(t, env.Do(t, "POST", "/token", `{"grant_type":"client_credentials"}`, json, bot.Basic()), 400, "invalid_request")
	wantError(t, env.Do(t, "POST", "/token", grant().Encode(), json, bot.Basic()), 400, "invalid_request")
}

func TestGap03_RepeatedParameters(t *testing.T) {
	env, bot := start(t)
	wantError(t, env.Post(t, "/token", grant("scope", "api:read", "scope", "api:write"), bot.Basic()), 400, "invalid_request")
	wantError(t, env.Post(t, "/token", grant("grant_type", "password"), bot.Basic()), 400, "invalid_request")
}

// The library reads a scope that it cannot decode as none, which grants everything.
func TestGap04_MalformedEncoding(t *testing.T) {
	env, bot := start(t)
	for _, body := range []string{"scope=%zz", "scope=%", "scope=%4", "%zz=1"} {
		answer := env.Do(t, "POST", "/token", grant().Encode()+"&"+body, formType, bot.Basic())
		wantError(t, answer, 400, "invalid_request")
	}
}

func TestGap05_BodyLimit(t *testing.T) {
	env, bot := start(t)
	answer := env.Post(t, "/token", grant("x", strings.Repeat("x", 11<<20)), bot.Basic())
	wantError(t, answer, http.StatusRequestEntityTooLarge, "invalid_request")
	chunked := func(r *http.Request) { r.ContentLength = -1 }
	answer = env.Post(t, "/token", grant("x", strings.Repeat("x", 64<<10)), bot.Basic(), chunked)
	wantError(t, answer, http.StatusRequestEntityTooLarge, "invalid_request")
}

func TestGap06_GrantTypeErrors(t *testing.T) {
	env, bot := start(t)
	wantError(t, env.Post(t, "/token", url.Values{}, bot.Basic()), 400, "invalid_request")
	wantError(t, env.Post(t, "/token", url.Values{"grant_type": {"foo"}}, bot.Basic()), 400, "unsupported_grant_type")
	wantError(t, env.Post(t, "/token", url.Values{"grant_type": {"foo"}}), 400, "unsupported_grant_type")
}

func TestGap07_StatusesOfErrors(t *testing.T) {
	env, bot := start(t)
	for _, kind := range []string{"authorization_code", "password", "refresh_token", "__implicit"} {
		answer := env.Post(t, "/token", url.Values{"grant_type": {kind}, "code": {"x"}, "redirect_uri": {"http://x"}}, bot.Basic())
		wantError(t, answer, 400, "unsupported_grant_type")
		if strings.Contains(answer.Body, "authorization code") {
			t.Errorf("the library's own text: %s", answer.Body)
		}
	}
	wantError(t, env.Post(t, "/token", grant("scope", "other:thing"), bot.Basic()), 400, "invalid_scope")
	wantError(t, env.Post(t, "/token", grant("resource", "x"), bot.Basic()), 400, "invalid_target")
}

func TestGap08_Challenge(t *testing.T) {
	env, bot := start(t)
	for _, header := range []func(*http.Request){basic(bot.ID + ":x"), testenv.Bearer("x"), func(*http.Request) {}} {
		answer := env.Post(t, "/token", grant(), header)
		wantError(t, answer, 401, "invalid_client")
		if got := answer.Header.Get("Www-Authenticate"); got != `Basic realm="signet"` {
			t.Errorf("WWW-Authenticate %q", got)
		}
	}
}

// With a wrong secret nothing tells which scopes or resources the client may have.
func TestGap09_ProofComesFirst(t *testing.T) {
	env, bot := start(t)
	var first string
	for _, form := range []url.Values{
		grant(), grant("scope", "api:read"), grant("scope", "other:thing"),
		grant("resource", env.Issuer+"/orgs/acme"), grant("resource", "https://files.example"), grant("resource", "x"),
	} {
		answer := env.Post(t, "/token", form, basic(bot.ID+":x"))
		wantError(t, answer, 401, "invalid_client")
		if first == "" {
			first = answer.Body
		}
		if answer.Body != first {
			t.Errorf("the answers differ: %s and %s", answer.Body, first)
		}
	}
}

func TestGap10_EmptyAndArbitrarySecrets(t *testing.T) {
	env, bot := start(t)
	for _, password := range []string{"", "x", bot.ID, "sas_acme_"} {
		wantError(t, env.Post(t, "/token", grant("client_id", bot.ID, "client_secret", password)), 401, "invalid_client")
		wantError(t, env.Post(t, "/token", grant(), basic(bot.ID+":"+password)), 401, "invalid_client")
	}
}

// The library's check of a password has neither context nor error: storage that fails would
// read as a wrong secret.
func TestGap11_StorageFailureIsNoWrongSecret(t *testing.T) {
	env, bot := start(t)
	if err := env.DB.Close(); err != nil {
		t.Fatal(err)
	}
	wantError(t, env.Post(t, "/token", grant(), bot.Basic()), 503, "temporarily_unavailable")
}

// Wrapped errors read as internal, and some values panic, in the library's maps.
func TestGap12_EveryErrorIsTranslated(t *testing.T) {
	env, bot := start(t, func(c *testenv.Config) { c.StrictScopes = true })
	admin := env.Token(t, env.Admin)
	wide := make([]string, 0, 64)
	for i := range 64 {
		wide = append(wide, "api:"+strings.Repeat("x", 20+i))
	}
	env.Role(t, "acme", "wide", wide...)
	fat := env.Machine(t, "acme", "fat", "wide")
	for name, tc := range map[string]struct {
		answer testenv.Answer
		code   string
	}{
		"wrapped, of the scope":  {env.Post(t, "/token", grant("scope", "api:read x"), bot.Basic()), "invalid_scope"},
		"scope too wide":         {env.Post(t, "/token", grant(), fat.Basic()), "invalid_scope"},
		"a struct, of a target":  {env.Post(t, "/token", grant("resource", "x"), bot.Basic()), "invalid_target"},
		"issuer beside another":  {env.Post(t, "/token", grant("resource", env.Issuer, "resource", env.Issuer+"/orgs/acme"), bot.Basic()), "invalid_target"},
		"of the authentication":  {env.Post(t, "/token", bot.Form(), bot.Basic()), "invalid_request"},
		"two ways to authorize":  {env.Post(t, "/introspect", with(bot.Form(), "token", "x"), testenv.Bearer(admin)), "invalid_request"},
		"of the form":            {env.Post(t, "/token", grant("scope", "a", "scope", "b"), bot.Basic()), "invalid_request"},
		"introspect without one": {env.Post(t, "/introspect", nil, bot.Basic()), "invalid_request"},
		"revoke without one":     {env.Post(t, "/revoke", nil, bot.Basic()), "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) { wantError(t, tc.answer, 400, tc.code) })
	}
}

// What the library would carry in a token's extension, which panics, travels in our exchange.
func TestGap13_MoreThanTheLibraryKnows(t *testing.T) {
	env, bot := start(t)
	audience := env.Issuer + "/orgs/acme/files"
	body := wantToken(t, env.Post(t, "/token", grant("resource", audience), bot.Basic()))
	if aud := testenv.Payload(t, body["access_token"].(string))["aud"]; aud != audience {
		t.Errorf("aud %v", aud)
	}
}

func TestGap14_Lifetime(t *testing.T) {
	env, bot := start(t)
	quick := env.Machine(t, "acme", "quick", "api", func(in *accounts.NewAccount) { in.TokenLifetime = 7 * time.Second })
	for login, want := range map[testenv.Login]float64{bot.Login: 900, quick.Login: 7} {
		if got := wantToken(t, env.Post(t, "/token", grant(), login.Basic()))["expires_in"]; got != want {
			t.Errorf("expires_in %v, want %v", got, want)
		}
	}
}

func TestGap15_TheAnswerIsOurs(t *testing.T) {
	env, _ := start(t)
	nobody := env.Machine(t, "acme", "nobody", "member")
	body := wantToken(t, env.Post(t, "/token", grant(), nobody.Basic()))
	if scope, stated := body["scope"]; !stated || scope != "" {
		t.Errorf("the library leaves scope out: %v", body)
	}
}

func TestGap16_UnknownGrants(t *testing.T) {
	env, bot := start(t)
	for _, kind := range []string{
		"urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer", "", "__implicit",
	} {
		answer := env.Post(t, "/token", with(bot.Form(), "subject_token", "x", "assertion", "x"))
		wantToken(t, answer)
		form := bot.Form()
		form.Set("grant_type", kind)
		want := "unsupported_grant_type"
		if kind == "" {
			want = "invalid_request"
		}
		wantError(t, env.Post(t, "/token", form), 400, want)
	}
}

// jti, org and aud are none of the library's model.
func TestGap17_ClaimsAreOurs(t *testing.T) {
	env, bot := start(t)
	claims := testenv.Payload(t, env.Token(t, bot.Login))
	if claims["aud"] != env.Issuer+"/orgs/acme" || claims["org"] != "acme" || claims["jti"] == nil || claims["iss"] != env.Issuer {
		t.Errorf("claims %v", claims)
	}
}

func TestGap18_SignatureIsOurs(t *testing.T) {
	env, bot := start(t)
	header := testenv.JOSEHeader(t, env.Token(t, bot.Login))
	kid, _ := env.SigningKey(t)
	if header["typ"] != "at+jwt" || header["alg"] != "ES256" || header["kid"] != kid {
		t.Errorf("header %v", header)
	}
}

// The library reports a protocol error as success to its caller.
func TestGap19_OutcomesAreCounted(t *testing.T) {
	env, _ := start(t)
	env.Post(t, "/token", grant())
	if got := waitFor(t, env, 1)[0]; got.Outcome != "refused" || got.ErrorKind != "invalid_client" {
		t.Errorf("%+v", got)
	}
}

func TestGap20_Unavailable(t *testing.T) {
	env, bot := start(t)
	if err := env.DB.Close(); err != nil {
		t.Fatal(err)
	}
	answer := env.Post(t, "/token", grant(), bot.Basic())
	wantError(t, answer, 503, "temporarily_unavailable")
	if strings.Contains(answer.Body, "database") {
		t.Errorf("the cause is public: %s", answer.Body)
	}
}

func TestGap21_OnlyClientCredentials(t *testing.T) {
	env, bot := start(t)
	form := url.Values{
		"grant_type": {"password"}, "username": {"a"}, "password": {"b"},
		"client_id": {bot.ID}, "client_secret": {bot.Secret},
	}
	wantError(t, env.Post(t, "/token", form), 400, "unsupported_grant_type")
}

func TestGap22_WhatTheLibraryLacks(t *testing.T) {
	env, bot := start(t)
	wantError(t, env.Post(t, "/token", bot.Form(), bot.Basic()), 400, "invalid_request")
	token := env.Token(t, bot.Login)
	if answer := env.Post(t, "/introspect", url.Values{"token": {token}}, bot.Basic()); answer.JSON(t)["active"] != true {
		t.Errorf("introspection: %s", answer.Body)
	}
	if answer := env.Post(t, "/revoke", url.Values{"token": {token}}, bot.Basic()); answer.Status != http.StatusOK {
		t.Errorf("revocation: %d", answer.Status)
	}
	if answer := env.Do(t, "GET", "/.well-known/oauth-authorization-server", ""); answer.JSON(t)["issuer"] != env.Issuer {
		t.Errorf("metadata: %s", answer.Body)
	}
}
