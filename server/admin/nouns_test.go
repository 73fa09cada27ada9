package admin_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signet-issuer/signet/accounts"
)

func TestOrgs(t *testing.T) {
	s := start(t)
	made := s.sys(t, "POST", "/v2/orgs", `{"slug":"acme","name":"Acme","defaultRole":"org:api","audiences":["https://b.example","https://a.example"],
		"defaultAudience":"https://a.example","maxServiceAccounts":1}`).wants(t, 201)
	for _, want := range []string{`"defaultRole":"api"`, `"audiences":["https://a.example","https://b.example"]`, `"defaultAudience":"https://a.example"`, `"maxServiceAccounts":1`} {
		if !strings.Contains(made.body, want) {
			t.Errorf("%s is not in %s", want, made.body)
		}
	}
	id := made.text(t, "id")
	parsed, ok := accounts.ParseID(id)
	if !ok {
		t.Fatalf("id %q", id)
	}
	for _, ref := range []string{"acme", id, accounts.ShortID(parsed)} {
		if got := s.sys(t, "GET", "/v2/orgs/"+ref, "").wants(t, 200); got.body != made.body {
			t.Errorf("%s reads as %s", ref, got.body)
		}
	}
	s.issued(t, "bot", "api")
	s.sys(t, "POST", "/v2/orgs/acme/service-accounts", `{"slug":"more","name":"x"}`).refused(t, 409, "LimitReached")
	cleared := s.sys(t, "PATCH", "/v2/orgs/acme", `{"audiences":null,"defaultAudience":null,"maxServiceAccounts":null}`).wants(t, 200)
	for _, want := range []string{`"audiences":[]`, `"defaultAudience":null`, `"maxServiceAccounts":null`, `"name":"Acme"`} {
		if !strings.Contains(cleared.body, want) {
			t.Errorf("%s is not in %s", want, cleared.body)
		}
	}
	s.sys(t, "POST", "/v2/orgs/acme/service-accounts", `{"slug":"more","name":"x"}`).wants(t, 201)
	s.sys(t, "POST", "/v2/orgs", `{"slug":"acme","name":"x"}`).refused(t, 409, "AlreadyUsed")
	s.sys(t, "PATCH", "/v2/orgs/acme", `{"audiences":["https://a.example"]}`).wants(t, 200)
	s.sys(t, "POST", "/v2/orgs", `{"slug":"thief","name":"x","audiences":["https://a.example"]}`).refused(t, 409, "AlreadyUsed")
	for _, bad := range []string{
		`{"slug":"x","name":"x","audiences":["not a uri"]}`, `{"slug":"x","name":"x","audiences":["` + s.Issuer + `/orgs/acme"]}`,
		`{"slug":"x","name":"x","defaultAudience":"https://a.example"}`, `{"slug":"x","name":"x","maxServiceAccounts":-1}`,
		`{"slug":"x","name":"x","defaultRole":"admin"}`, `{"slug":"x","name":"x","defaultRole":""}`, `{"slug":"x","name":"x","defaultAudience":""}`,
	} {
		s.sys(t, "POST", "/v2/orgs", bad).refused(t, 400, "BadParameters")
	}
}

func TestRoles(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	builtIn := s.sys(t, "GET", "/v2/orgs/acme/roles", "").wants(t, 200)
	want := []string{"owner", "admin", "viewer", "member", "agent-standard", "api"}
	if got := builtIn.results(t, "slug"); !slices.Equal(got, want) {
		t.Errorf("built-in roles %v, want %v", got, want)
	}
	if got := builtIn.text(t, "defaultRole"); got != "agent-standard" {
		t.Errorf("default role %q", got)
	}
	made := s.sys(t, "POST", "/v2/orgs/acme/roles", `{"slug":"reader","name":"Reader","permissions":["orders:*","orders:read","orgs:roles:manage"],"delegable":true}`).wants(t, 201)
	if !strings.Contains(made.body, `"permissions":["orders:*","orgs:roles:*"]`) {
		t.Errorf("permissions in %s", made.body)
	}
	for _, ref := range []string{"reader", "org:reader", made.text(t, "id")} {
		if got := s.sys(t, "GET", "/v2/orgs/acme/roles/"+ref, "").wants(t, 200); got.body != made.body {
			t.Errorf("%s reads as %s", ref, got.body)
		}
	}
	s.issued(t, "bot", "reader")
	s.sys(t, "DELETE", "/v2/orgs/acme/roles/reader", "").refused(t, 409, "InUse")
	s.sys(t, "DELETE", "/v2/orgs/acme/roles/agent-standard", "").refused(t, 409, "Protected")
	emptied := s.sys(t, "PATCH", "/v2/orgs/acme/roles/reader", `{"permissions":null}`).wants(t, 200)
	if !strings.Contains(emptied.body, `"permissions":[]`) {
		t.Errorf("permissions in %s", emptied.body)
	}
	s.sys(t, "POST", "/v2/orgs/acme/roles", `{"slug":"reader","name":"x"}`).refused(t, 409, "AlreadyUsed")
	for _, bad := range []string{`{"slug":"x"}`, `{"slug":"x","name":"x","permissions":["a:*b"]}`, `{"slug":"x","name":"x","permissions":[null]}`} {
		s.sys(t, "POST", "/v2/orgs/acme/roles", bad).refused(t, 400, "BadParameters")
	}
	s.sys(t, "PATCH", "/v2/orgs/acme/roles/reader", `{"permissions":["a b"]}`).refused(t, 400, "BadParameters")
}

func TestGroups(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	bot := s.Machine(t, "acme", "bot", "member")
	made := s.sys(t, "POST", "/v2/orgs/acme/groups", `{"name":"g","roles":["org:api"],"members":["`+accounts.ShortID(bot.Account.ID)+`"]}`).wants(t, 201)
	if !strings.Contains(made.body, `"members":["`+bot.Account.ID.String()+`"]`) || !strings.Contains(made.body, `"roles":["api"]`) {
		t.Errorf("group %s", made.body)
	}
	const account = "/v2/orgs/acme/service-accounts/bot"
	id := made.text(t, "id")
	if got := s.sys(t, "GET", account, "").body; !strings.Contains(got, `"groups":["`+id+`"]`) {
		t.Errorf("account %s", got)
	}
	if got := s.sys(t, "GET", "/v2/orgs/acme/groups?search=G", "").results(t, "id"); !slices.Equal(got, []string{id}) {
		t.Errorf("groups %v", got)
	}
	emptied := s.sys(t, "PATCH", "/v2/orgs/acme/groups/"+id, `{"roles":null,"members":null}`).wants(t, 200)
	if !strings.Contains(emptied.body, `"members":[]`) || !strings.Contains(emptied.body, `"roles":[]`) {
		t.Errorf("group %s", emptied.body)
	}
	labelled := s.sys(t, "PATCH", "/v2/orgs/acme/groups/"+id, `{"description":"what for","tags":[{"name":"a","value":"b"}]}`).wants(t, 200)
	if !strings.Contains(labelled.body, `"description":"what for"`) || !strings.Contains(labelled.body, `"tags":[{"name":"a","value":"b"}]`) {
		t.Errorf("group %s", labelled.body)
	}
	for _, bad := range []string{`{}`, `{"name":"x","members":["bot"]}`, `{"name":"x","members":["` + someID + `"]}`, `{"name":"x","roles":["nobody"]}`} {
		s.sys(t, "POST", "/v2/orgs/acme/groups", bad).refused(t, 400, "BadParameters")
	}
	s.sys(t, "PATCH", "/v2/orgs/acme/groups/"+id, `{"members":[""]}`).refused(t, 400, "BadParameters")
	s.sys(t, "GET", "/v2/orgs/acme/groups/g", "").refused(t, 404, "ObjectNotFound")
}

func TestCredentialsAndSecrets(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	s.issued(t, "bot", "agent-standard")
	const at = "/v2/orgs/acme/service-accounts/bot/credentials"
	made := s.sys(t, "POST", at, `{"kind":"secret","name":"ci","description":"d","scopes":["llm:*"],"allowedCidrs":["10.0.0.0/8","127.0.0.0/8"],
		"expiresAt":"2099-01-01T00:00:00.123456789+01:00"}`).wants(t, 201)
	for _, want := range []string{`"expiresAt":"2098-12-31T23:00:00.123456Z"`, `"allowedCidrs":["10.0.0.0/8","127.0.0.0/8"]`, `"primary":false`, `"lastUsedAt":null`} {
		if !strings.Contains(made.body, want) {
			t.Errorf("%s is not in %s", want, made.body)
		}
	}
	one := at + "/" + made.text(t, "id")
	secret := made.text(t, "clientSecret")
	s.call(t, "POST", "/v2/orgs/acme/service-accounts/bot/token", `{"clientSecret":"`+secret+`"}`, userAgent("probe/1")).wants(t, 200)
	secrets := s.sys(t, "GET", one+"/secrets", "").wants(t, 200)
	if !strings.HasSuffix(secret, secrets.results(t, "hint")[0]) || secrets.results(t, "lastUsedUserAgent")[0] != "probe/1" || secrets.results(t, "lastUsedAddress")[0] != "127.0.0.1" {
		t.Errorf("secrets %s", secrets.body)
	}
	if got := s.sys(t, "GET", one, "").wants(t, 200); got.object(t)["lastUsedAt"] == nil {
		t.Errorf("unused: %s", got.body)
	}
	added := s.sys(t, "POST", one+"/secrets", `{"expiresAt":"2098-01-01T00:00:00Z"}`).wants(t, 201)
	for range 8 {
		s.sys(t, "POST", one+"/secrets", "").wants(t, 201)
	}
	s.sys(t, "POST", one+"/secrets", "").refused(t, 409, "LimitReached")
	s.sys(t, "DELETE", one+"/secrets/"+added.text(t, "id"), "").wants(t, 200)
	s.sys(t, "DELETE", one+"/secrets/"+added.text(t, "id"), "").refused(t, 404, "ObjectNotFound")
	cleared := s.sys(t, "PATCH", one, `{"description":null,"scopes":null,"allowedCidrs":null,"expiresAt":null}`).wants(t, 200)
	for _, want := range []string{`"expiresAt":null`, `"allowedCidrs":[]`, `"scopes":[]`, `"description":""`} {
		if !strings.Contains(cleared.body, want) {
			t.Errorf("%s is not in %s", want, cleared.body)
		}
	}
	for _, bad := range []string{
		`{"name":"x"}`, `{"kind":"public_key","name":"x"}`, `{"kind":"secret"}`, `{"kind":"secret","name":"x","allowedCidrs":["10.0.0.1/8"]}`,
		`{"kind":"secret","name":"x","allowedCidrs":["10.0.0.1"]}`, `{"kind":"secret","name":"x","expiresAt":"2001-01-01T00:00:00Z"}`,
		`{"kind":"secret","name":"x","expiresAt":"0001-01-01T00:00:00Z"}`, `{"kind":"secret","name":"x","expiresAt":"tomorrow"}`,
		`{"kind":"secret","name":"x","primary":true}`, `{"kind":"secret","name":"x","scopes":["orders:*"]}`,
	} {
		s.sys(t, "POST", at, bad).refused(t, 400, "BadParameters")
	}
	s.sys(t, "PATCH", one, `{"expiresAt":"0001-01-01T00:00:00Z"}`).refused(t, 400, "BadParameters")
	s.sys(t, "POST", one+"/secrets", `{"expiresAt":"0001-01-01T00:00:00Z"}`).refused(t, 400, "BadParameters")
}

func userAgent(text string) option { return func(r *http.Request) { r.Header.Set("User-Agent", text) } }

func TestI30_SecretsAreShownOnce(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	login := s.issued(t, "bot", "api")
	rotated := s.sys(t, "POST", "/v2/orgs/acme/service-accounts/bot/rotate", `{"overlapSeconds":60}`).wants(t, 200).text(t, "clientSecret")
	credential := s.sys(t, "GET", "/v2/orgs/acme/service-accounts/bot/credentials", "").results(t, "id")[0]
	for _, path := range []string{
		"", "/service-accounts", "/service-accounts/bot", "/service-accounts/bot/credentials",
		"/service-accounts/bot/credentials/" + credential, "/service-accounts/bot/credentials/" + credential + "/secrets", "/audit-events",
	} {
		got := s.sys(t, "GET", "/v2/orgs/acme"+path, "").wants(t, 200)
		if strings.Contains(got.body, login.Secret) || strings.Contains(got.body, rotated) || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s shows a secret or may be kept", got.request)
		}
	}
	if logged := s.Logged(); strings.Contains(logged, login.Secret) || strings.Contains(logged, rotated) || strings.Contains(logged, s.root) {
		t.Error("a secret is logged")
	}
}

func TestKeys(t *testing.T) {
	s := start(t)
	before := s.sys(t, "GET", "/v2/keys", "").wants(t, 200)
	if got := before.results(t, "state"); !slices.Equal(slices.Sorted(slices.Values(got)), []string{"active", "prepared"}) {
		t.Errorf("states %v", got)
	}
	refused := s.sys(t, "POST", "/v2/keys/rotate", "").refused(t, 409, "KeyNotRipe")
	details, _ := refused.object(t)["details"].(map[string]any)
	if text, _ := details["ripeAt"].(string); text == "" {
		t.Errorf("no time in %s", refused.body)
	}
	s.sys(t, "POST", "/v2/keys/rotate", `{"force":true}`, idempotencyKey("k")).wants(t, 200)
	s.sys(t, "POST", "/v2/keys/rotate", `{"force":true}`, idempotencyKey("k")).wants(t, 200)
	s.sys(t, "POST", "/v2/keys/rotate", `{}`, idempotencyKey("k")).refused(t, 409, "IdempotencyKeyReused")
	after := s.sys(t, "GET", "/v2/keys", "").wants(t, 200)
	if got := after.results(t, "state"); len(got) != 3 {
		t.Errorf("states after one rotation %v", got)
	}
	s.Clock.Advance(7 * time.Minute)
	s.sys(t, "POST", "/v2/keys/rotate", "").wants(t, 200)
	s.sys(t, "DELETE", "/v2/keys/nothing", "").refused(t, 404, "ObjectNotFound")
	signedWith := before.results(t, "kid")[slices.Index(before.results(t, "state"), "active")]
	s.sys(t, "DELETE", "/v2/keys/"+signedWith, "").wants(t, 200)
	s.sys(t, "GET", "/v2/keys", "").refused(t, 401, "AuthenticationError")
	s.root = s.Token(t, s.Admin)
	s.sys(t, "GET", "/v2/keys", "").wants(t, 200)
}

func TestTokensOfAnAccount(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	login := s.issued(t, "bot", "api")
	other := s.issued(t, "other", "api")
	first, second, theirs := s.Token(t, login), s.Token(t, login, "scope", "api:read"), s.Token(t, other)
	const at = "/v2/orgs/acme/service-accounts/bot/tokens"
	listed := s.sys(t, "GET", at, "").wants(t, 200).results(t, "jti")
	if slices.Sort(listed); !slices.Equal(listed, slices.Sorted(slices.Values([]string{jtiOf(t, first), jtiOf(t, second)}))) {
		t.Errorf("tokens %v", listed)
	}
	s.sys(t, "DELETE", at+"/"+jtiOf(t, first), "").wants(t, 200)
	s.sys(t, "DELETE", at+"/"+jtiOf(t, first), "").wants(t, 200)  // may be repeated
	s.sys(t, "DELETE", at+"/"+jtiOf(t, theirs), "").wants(t, 200) // is not the account's: nothing happens
	s.sys(t, "DELETE", at+"/nothing", "").refused(t, 404, "ObjectNotFound")
	for token, want := range map[string]bool{first: false, second: true, theirs: true} {
		if got := s.active(t, token); got != want {
			t.Errorf("token is active: %t, want %t", got, want)
		}
	}
	if got := s.sys(t, "GET", at, "").wants(t, 200).results(t, "jti"); !slices.Equal(got, []string{jtiOf(t, second)}) {
		t.Errorf("tokens %v", got)
	}
}
