package keycard_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/testenv"
)

// An account that may administer gets its credential here, trades it here, and reads here:
// the way of a client of Keycard from its first secret to its first call.
func TestCredentialToTokenToCall(t *testing.T) {
	d := open(t)
	account := accounts.ShortID(d.Machine(t, "acme", "terraform", "admin").Account.ID)
	credential, login := d.login(t, account)
	path := acme + "/" + account + "/credentials/" + credential
	if used, ok := d.do(t, 200, "GET "+path, "").JSON(t)["last_used_at"]; ok {
		t.Errorf("used at %v before its first use", used)
	}
	plain := base64.StdEncoding.EncodeToString([]byte(login.ID + ":" + login.Secret))
	for name, send := range map[string]func() testenv.Answer{
		"basic as it stands": func() testenv.Answer {
			return d.call(t, "POST", "/service-account-token", "grant_type=client_credentials", asForm, testenv.Header("Authorization", "Basic "+plain))
		},
		"basic encoded": func() testenv.Answer {
			return d.call(t, "POST", "/service-account-token", "grant_type=client_credentials", asForm, login.Basic())
		},
		"body": func() testenv.Answer {
			return d.call(t, "POST", "/service-account-token", login.Form().Encode(), asForm)
		},
	} {
		answer := send()
		got := answer.JSON(t)
		if answer.Status != 200 || got["token_type"] != "Bearer" || got["expires_in"] != 900.0 {
			t.Fatalf("%s: %d %s", name, answer.Status, answer.Body)
		}
		token := member(t, got, "access_token")
		if aud := testenv.Payload(t, token)["aud"]; aud != d.Issuer {
			t.Errorf("%s: the token is for %v", name, aud)
		}
		d.as(t, token, 200, "GET "+acme, "")
	}
	first := member(t, d.do(t, 200, "GET "+path, "").JSON(t), "last_used_at")
	if first < "2026" {
		t.Errorf("last used at %s", first)
	}
	both := d.call(t, "POST", "/service-account-token", login.Form().Encode(), asForm, login.Basic())
	if both.Status != 400 || both.JSON(t)["error"] != "invalid_request" {
		t.Errorf("credentials in two places: %d %s", both.Status, both.Body)
	}
}

// The library that Keycard's Terraform provider takes its tokens with.
func TestTokenForGolangOAuth2(t *testing.T) {
	d := open(t)
	m := d.Machine(t, "acme", "terraform", "admin")
	for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams, oauth2.AuthStyleAutoDetect} {
		config := clientcredentials.Config{ClientID: m.ID, ClientSecret: m.Secret, TokenURL: d.URL + "/service-account-token", AuthStyle: style}
		token, err := config.Token(t.Context())
		must(t, err)
		d.as(t, token.AccessToken, 200, "GET "+acme, "")
	}
}

// A token of this door is for administration, and with nothing to administer for nothing.
// A resource that is named wins.
func TestTokensOfThisDoorAreForTheIssuer(t *testing.T) {
	d := open(t)
	m := d.Machine(t, "acme", "worker", "agent-standard")
	trade := func(extra url.Values) map[string]any {
		t.Helper()
		form := m.Form()
		for name, values := range extra {
			form[name] = values
		}
		return d.Post(t, "/service-account-token", form).JSON(t)
	}
	got := trade(nil)
	if aud := testenv.Payload(t, member(t, got, "access_token"))["aud"]; aud != d.Issuer || got["scope"] != "" {
		t.Errorf("audience %v, scope %v", aud, got["scope"])
	}
	d.as(t, member(t, got, "access_token"), 403, "GET "+acme, "")
	elsewhere := trade(url.Values{"resource": {d.Issuer + "/orgs/acme"}})
	if scope := elsewhere["scope"]; scope != "llm:* tools:*" {
		t.Errorf("scope %v for a resource", scope)
	}
	d.as(t, member(t, elsewhere, "access_token"), 401, "GET "+acme, "")
	if refused := trade(url.Values{"scope": {"llm:*"}}); refused["error"] != "invalid_scope" {
		t.Errorf("%v", refused)
	}
}

// TestHazard28_NothingButTheTokenCounts sends what clients send besides.
func TestHazard28_NothingButTheTokenCounts(t *testing.T) {
	d := open(t)
	for _, header := range [][2]string{
		{"User-Agent", "Keycard/JS 0.15.0"},
		{"X-Stainless-Retry-Count", "0"},
		{"X-Stainless-Lang", "js"},
		{"Accept", "*/*"},
		{"Accept", "application/json"},
		{"X-Client-Trace-Id", "5b2d7a52-6d1c-4c86-9f0c-9d2f8a5f2c11"},
		{"If-Match", `"1"`},
		{"Idempotency-Key", "stainless-node-retry-1"},
		{"X-Tenantid", "0199c1a2-7f34-7cc1-9d1e-3a5b8f2c4d01"},
	} {
		d.do(t, 200, "GET "+acme, "", testenv.Header(header[0], header[1]))
		if answer := d.call(t, "GET", acme, "", testenv.Header(header[0], header[1])); answer.Status != 401 {
			t.Errorf("%s without a token: %d", header[0], answer.Status)
		}
	}
}

func TestRequestIDBecomesTheCorrelationID(t *testing.T) {
	d := open(t)
	const id = "5b2d7a52-6d1c-4c86-9f0c-9d2f8a5f2c11"
	for status, answer := range map[int]testenv.Answer{
		201: d.do(t, 201, "POST "+acme, `{"name":"x"}`, testenv.Header("X-Client-Request-ID", id)),
		404: d.do(t, 404, "GET /organizations/nobody/service-accounts", "", testenv.Header("X-Client-Request-ID", id)),
		401: d.call(t, "GET", acme, "", testenv.Header("X-Client-Request-ID", id)),
	} {
		if got := answer.Header.Get("X-Correlation-Id"); got != id {
			t.Errorf("%d: %q", status, got)
		}
	}
	events, _, err := d.Service.AuditEvents(t.Context(), testenv.Operator, accounts.BySlug("acme"), accounts.AuditQuery{Limit: 1})
	must(t, err)
	if len(events) != 1 || events[0].CorrelationID != id {
		t.Errorf("%+v", events)
	}
	if got := d.do(t, 200, "GET "+acme, "", testenv.Header("X-Client-Request-ID", "no id!")).Header.Get("X-Correlation-Id"); got == "no id!" {
		t.Error("a malformed id is taken up")
	}
}

// TestI30_SecretsAreShownOnce: two calls have two secrets of the documented shape, and no
// other answer has either.
func TestI30_SecretsAreShownOnce(t *testing.T) {
	d := open(t)
	account := d.make(t, acme, "deployer")
	_, first := d.login(t, account)
	_, second := d.login(t, account)
	if first.Secret == second.Secret || len(first.Secret) != 64 || strings.Trim(first.Secret, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != "" {
		t.Error("secrets are not 64 letters and digits of their own")
	}
	for _, path := range []string{acme, acme + "/" + account, acme + "/" + account + "/credentials"} {
		answer := d.do(t, 200, "GET "+path+"?expand=permissions", "")
		if strings.Contains(answer.Body, first.Secret) || strings.Contains(answer.Body, "client_secret") || answer.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("GET %s: %s", path, answer.Body)
		}
	}
	if strings.Contains(d.Logged(), first.Secret) || strings.Contains(d.Logged(), second.Secret) {
		t.Error("a secret is in the log")
	}
}

// The call of the vendor's page, as its client sends it: to an organization with the label x,
// with the client's headers.
func TestSeed002_CreateAsDocumented(t *testing.T) {
	d := open(t)
	d.Org(t, "x")
	answer := d.do(t, 201, "POST /organizations/x/service-accounts", `{"name":"name"}`, func(r *http.Request) {
		r.Header.Set("Accept", "application/json")
		r.Header.Set("User-Agent", "KeycardAPI/JS 0.15.0")
		r.Header.Set("X-Stainless-Retry-Count", "0")
		r.Header.Set("X-Stainless-Timeout", "60")
	})
	got := answer.JSON(t)
	if len(member(t, got, "id")) != 26 || member(t, got, "name") != "name" || member(t, got, "created_at") != member(t, got, "updated_at") || len(got) != 4 {
		t.Errorf("%v", got)
	}
	full := d.do(t, 201, "POST /organizations/x/service-accounts", `{"name":"name","description":"description"}`).JSON(t)
	if full["description"] != "description" {
		t.Errorf("%v", full)
	}
	read := d.do(t, 200, "GET /organizations/x/service-accounts/"+member(t, full, "id")+"?expand=permissions", "").JSON(t)
	for name, of := range read["permissions"].(map[string]any) {
		for action, granted := range of.(map[string]any) {
			if _, ok := granted.(bool); !ok {
				t.Errorf("permissions.%s.%s is %v", name, action, granted)
			}
		}
	}
}

// Every operation of the vendor's resource page answers with the members that it lists.
func TestSeed001_OperationsAsDocumented(t *testing.T) {
	d := open(t)
	account := d.make(t, acme, "deployer")
	at := acme + "/" + account
	made := d.do(t, 201, "POST "+at+"/credentials", `{"name":"name","description":"description"}`).JSON(t)
	key := at + "/credentials/" + member(t, made, "id")
	d.Token(t, testenv.Login{ID: member(t, made, "client_id"), Secret: member(t, made, "client_secret")})
	for _, step := range [][2]string{
		{"GET " + at + "?expand[]=permissions", "id created_at name updated_at permissions"},
		{"PATCH " + at, "id created_at name updated_at description"},
		{"GET " + key + "?expand[]=permissions", "id client_id created_at name description last_used_at permissions"},
		{"PATCH " + key, "id client_id created_at name description last_used_at"},
		{"GET " + acme, "items page_info"},
		{"GET " + at + "/credentials", "items page_info"},
	} {
		request, members := step[0], step[1]
		body := ""
		if strings.HasPrefix(request, "PATCH") {
			body = `{"description":"changed"}`
		}
		got := d.do(t, 200, request, body).JSON(t)
		for _, name := range strings.Fields(members) {
			if got[name] == nil {
				t.Errorf("%s: no %s in %v", request, name, got)
			}
		}
		if len(got) != len(strings.Fields(members)) {
			t.Errorf("%s: %v has more than %s", request, got, members)
		}
	}
	d.do(t, 204, "DELETE "+key, "", testenv.Header("Accept", "*/*"))
	d.do(t, 204, "DELETE "+at, "", testenv.Header("Accept", "*/*"))
}
