package oauth_test

import (
	"encoding/base64"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/testenv"
)

// basic sends text as it stands.
func basic(text string) func(*http.Request) {
	return testenv.Header("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(text)))
}

// percent encodes every byte, as a client may.
func percent(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		b.WriteString("%" + strconv.FormatInt(int64(c), 16))
	}
	return b.String()
}

func TestStandard06_07_BasicSpellings(t *testing.T) {
	env, bot := start(t)
	userID := bot.Account.UserID()
	for name, text := range map[string]string{
		"as it stands":                 bot.ID + ":" + bot.Secret,
		"form-encoded":                 url.QueryEscape(bot.ID) + ":" + url.QueryEscape(bot.Secret),
		"every byte encoded":           percent(bot.ID) + ":" + percent(bot.Secret),
		"userId form-encoded":          url.QueryEscape(userID) + ":" + bot.Secret,
		"userId as it stands":          userID + ":" + bot.Secret,
		"userId every byte encoded":    percent(userID) + ":" + percent(bot.Secret),
		"account's UUID":               bot.Account.ID.String() + ":" + bot.Secret,
		"account's short id":           accounts.ShortID(bot.Account.ID) + ":" + bot.Secret,
		"lower-case hexadecimal digit": strings.ReplaceAll(url.QueryEscape(userID), "%3A", "%3a") + ":" + bot.Secret,
	} {
		t.Run(name, func(t *testing.T) {
			body := wantToken(t, env.Post(t, "/token", grant(), basic(text)))
			if id := testenv.Payload(t, body["access_token"].(string))["client_id"]; id != bot.ID {
				t.Errorf("client_id %v, want the credential's", id)
			}
		})
	}
	if text := bot.ID + bot.Secret; url.QueryEscape(text) != text {
		t.Errorf("ids and secrets need encoding")
	}
}

func TestStandard06_SchemeCase(t *testing.T) {
	env, bot := start(t)
	encoded := base64.StdEncoding.EncodeToString([]byte(bot.ID + ":" + bot.Secret))
	for _, scheme := range []string{"Basic ", "basic ", "BASIC ", "Basic  "} {
		wantToken(t, env.Post(t, "/token", grant(), testenv.Header("Authorization", scheme+encoded)))
	}
}

func TestStandard08_09_10_OneMethod(t *testing.T) {
	env, bot := start(t)
	other := env.Machine(t, "acme", "other", "api")
	token := env.Token(t, bot.Login)
	assertion := []string{"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", token}
	for _, tc := range []struct {
		name   string
		form   url.Values
		header []func(*http.Request)
		status int
		code   string
	}{
		{"Basic and secret in the body", bot.Form(), []func(*http.Request){bot.Basic()}, 400, "invalid_request"},
		{"Basic and assertion", grant(assertion...), []func(*http.Request){bot.Basic()}, 400, "invalid_request"},
		{"secret and assertion", with(bot.Form(), assertion...), nil, 400, "invalid_request"},
		{"Bearer and secret", bot.Form(), []func(*http.Request){testenv.Bearer(token)}, 400, "invalid_request"},
		{"two headers", grant(), []func(*http.Request){bot.Basic(), testenv.Header("Authorization", "Bearer x")}, 400, "invalid_request"},
		{"the same header twice", grant(), []func(*http.Request){bot.Basic(), func(r *http.Request) {
			r.Header.Add("Authorization", r.Header.Get("Authorization"))
		}}, 400, "invalid_request"},
		{"another client_id in the body", grant("client_id", other.ID), []func(*http.Request){bot.Basic()}, 400, "invalid_request"},
		{"secret without client_id", grant("client_secret", bot.Secret), nil, 400, "invalid_request"},
		{"assertion alone", grant(assertion...), nil, 401, "invalid_client"},
		{"assertion with client_id", grant(append(assertion, "client_id", bot.ID)...), nil, 401, "invalid_client"},
		{"Bearer", grant(), []func(*http.Request){testenv.Bearer(token)}, 401, "invalid_client"},
		{"Negotiate", grant(), []func(*http.Request){testenv.Header("Authorization", "Negotiate YII=")}, 401, "invalid_client"},
		{"client_id alone", grant("client_id", bot.ID), nil, 401, "invalid_client"},
		{"client_id and empty secret", grant("client_id", bot.ID, "client_secret", ""), nil, 401, "invalid_client"},
		{"nothing", grant(), nil, 401, "invalid_client"},
		{"Basic that is no base64", grant(), []func(*http.Request){testenv.Header("Authorization", "Basic %%%")}, 400, "invalid_request"},
		{"Basic without colon", grant(), []func(*http.Request){basic(bot.ID)}, 400, "invalid_request"},
		{"Basic without secret", grant(), []func(*http.Request){basic(bot.ID + ":")}, 401, "invalid_client"},
		{"Basic without id", grant(), []func(*http.Request){basic(":" + bot.Secret)}, 401, "invalid_client"},
		{"empty Basic", grant(), []func(*http.Request){testenv.Header("Authorization", "Basic ")}, 400, "invalid_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantError(t, env.Post(t, "/token", tc.form, tc.header...), tc.status, tc.code)
		})
	}
	wantToken(t, env.Post(t, "/token", grant("client_id", bot.ID), bot.Basic()))
	wantToken(t, env.Post(t, "/token", grant("client_id", bot.Account.UserID()), basic(bot.Account.UserID()+":"+bot.Secret)))
}

// Standard 14: who has no secret gets nothing, whatever it is called.
func TestStandard14_NoPublicClients(t *testing.T) {
	env, _ := start(t)
	bare := env.Machine(t, "acme", "bare", "api", func(in *accounts.NewAccount) { in.Credential = nil })
	for _, id := range []string{bare.Account.ID.String(), bare.Account.UserID()} {
		wantError(t, env.Post(t, "/token", grant("client_id", id)), 401, "invalid_client")
		wantError(t, env.Post(t, "/token", grant(), basic(id+":")), 401, "invalid_client")
		wantError(t, env.Post(t, "/token", grant("client_id", id, "client_secret", "x")), 401, "invalid_client")
	}
}

// refusals makes every reason why a client is not who it says, each with a login of its own.
func refusals(t *testing.T, env *testenv.Env) map[string]testenv.Login {
	t.Helper()
	ctx, by := t.Context(), testenv.Operator
	machine := func(slug string) testenv.Machine { return env.Machine(t, "acme", slug, "api") }
	patch := func(m testenv.Machine, p accounts.CredentialPatch) testenv.Login {
		if _, err := env.Service.UpdateCredential(ctx, by, m.At(), m.Credential.ID, p); err != nil {
			t.Fatal(err)
		}
		return m.Login
	}
	good, off, gone := machine("good"), machine("off"), machine("gone")
	rotated, retired := machine("rotated"), machine("retired")
	if _, err := env.Service.UpdateAccount(ctx, by, off.At(), accounts.AccountPatch{Disabled: accounts.Some(true)}); err != nil {
		t.Fatal(err)
	}
	if err := env.Service.DeleteAccount(ctx, by, gone.At(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := env.Service.Rotate(ctx, by, rotated.At(), accounts.Rotation{}); err != nil {
		t.Fatal(err)
	}
	secrets, err := env.Service.Secrets(ctx, by, retired.At(), retired.Credential.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := env.Service.RetireSecret(ctx, by, retired.At(), retired.Credential.ID, secrets[0].ID); err != nil {
		t.Fatal(err)
	}
	closed := env.Org(t, "closed")
	inClosed := env.Machine(t, "closed", "bot", "api")
	if _, err := env.Service.UpdateOrg(ctx, by, accounts.ByID(closed.ID), accounts.OrgPatch{Disabled: accounts.Some(true)}); err != nil {
		t.Fatal(err)
	}
	expired := patch(machine("expired"), accounts.CredentialPatch{ExpiresAt: accounts.Some(env.Clock.Now().Add(time.Minute))})
	elsewhere := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	cases := map[string]testenv.Login{
		"unknown id":                {ID: "abcdefghijklmnopqrstuvwxyz", Secret: good.Secret},
		"unknown id and secret":     {ID: "abcdefghijklmnopqrstuvwxyz", Secret: "sas_acme_00000000-0000-4000-8000-000000000000"},
		"another's secret":          {ID: good.ID, Secret: machine("foreign").Secret},
		"another org's secret":      {ID: good.ID, Secret: env.Admin.Secret},
		"wrong secret":              {ID: good.ID, Secret: "sas_acme_00000000-0000-4000-8000-000000000000"},
		"truncated secret":          {ID: good.ID, Secret: good.Secret[:len(good.Secret)-1]},
		"one character more":        {ID: good.ID, Secret: good.Secret + "0"},
		"upper-case secret":         {ID: good.ID, Secret: strings.ToUpper(good.Secret)},
		"upper-case id":             {ID: strings.ToUpper(good.ID), Secret: good.Secret},
		"id with a space":           {ID: good.ID + " ", Secret: good.Secret},
		"the name":                  {ID: "good", Secret: good.Secret},
		"another org's userId":      {ID: "sa:closed:good", Secret: good.Secret},
		"disabled account":          off.Login,
		"deleted account":           gone.Login,
		"old secret":                rotated.Login,
		"retired secret":            retired.Login,
		"disabled organization":     inClosed.Login,
		"disabled credential":       patch(machine("blocked"), accounts.CredentialPatch{Disabled: accounts.Some(true)}),
		"expired credential":        expired,
		"address that may not come": patch(machine("far"), accounts.CredentialPatch{AllowedCIDRs: accounts.Some(elsewhere)}),
	}
	env.Clock.Advance(2 * time.Minute)
	return cases
}

// Every refusal is the same answer, byte by byte, and leaves nothing behind.
func TestStandard20_I4_I7_I32_OneRefusal(t *testing.T) {
	for path, form := range map[string]url.Values{
		"/token": grant(), "/introspect": {"token": {"x"}}, "/revoke": {"token": {"x"}},
	} {
		t.Run(path, func(t *testing.T) {
			env, _ := start(t, func(c *testenv.Config) { c.Limiter = generous{} })
			var first testenv.Answer
			for name, login := range refusals(t, env) {
				for style, answer := range map[string]testenv.Answer{
					"header": env.Post(t, path, form, login.Basic()),
					"body":   env.Post(t, path, with(form, "client_id", login.ID, "client_secret", login.Secret)),
				} {
					wantError(t, answer, http.StatusUnauthorized, "invalid_client")
					answer.Header.Del("X-Correlation-Id")
					answer.Header.Del("Date")
					if first.Body == "" {
						first = answer
					}
					if answer.Body != first.Body || !sameHeader(answer.Header, first.Header) {
						t.Errorf("%s in the %s differs: %v %s", name, style, answer.Header, answer.Body)
					}
				}
			}
			if first.Header.Get("Www-Authenticate") != `Basic realm="signet"` {
				t.Errorf("WWW-Authenticate %q", first.Header.Get("Www-Authenticate"))
			}
			wantUntouched(t, env)
		})
	}
}

func sameHeader(a, b http.Header) bool {
	if len(a) != len(b) {
		return false
	}
	for name := range a {
		if !slices.Equal(a[name], b[name]) {
			return false
		}
	}
	return true
}

// wantUntouched checks that no account of acme has been used or has a token.
func wantUntouched(t *testing.T, env *testenv.Env) {
	t.Helper()
	list, page, err := env.Service.Accounts(t.Context(), testenv.Operator, accounts.BySlug("acme"), accounts.Query{Limit: 100})
	if err != nil || page.Total < 5 {
		t.Fatalf("%d accounts: %v", page.Total, err)
	}
	for _, account := range list {
		if !account.LastUse.At.IsZero() || account.LastUse.Unknown {
			t.Errorf("%s was used at %v", account.Slug, account.LastUse.At)
		}
		live, err := env.State.List(t.Context(), account.ID)
		if err != nil || len(live) > 0 {
			t.Errorf("%s has %d tokens: %v", account.Slug, len(live), err)
		}
	}
}

func TestI7_RefusedRequestsLeaveNoTrace(t *testing.T) {
	env, bot := start(t)
	for _, slug := range []string{"b", "c", "d", "e"} {
		env.Machine(t, "acme", slug, "api")
	}
	for code, form := range map[string]url.Values{
		"invalid_scope":          grant("scope", "other:thing"),
		"invalid_target":         grant("resource", "https://files.example"),
		"unsupported_grant_type": {"grant_type": {"password"}},
		"invalid_request":        {"scope": {"api:read"}},
	} {
		wantError(t, env.Post(t, "/token", form, bot.Basic()), http.StatusBadRequest, code)
	}
	wantUntouched(t, env)
}
