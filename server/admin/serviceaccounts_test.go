package admin_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The response of the page "create org service account" of Prisme, as dialects.md and the
// seed have it: name and JSON type of every property.
var prismeAccount = map[string]string{
	"id": "string", "userId": "string", "orgSlug": "string", "slug": "string", "name": "string", "description": "string",
	"roleSlug": "string", "scopes": "array", "disabled": "bool", "lastUsedAt": "string", "createdBy": "string",
	"updatedBy": "string", "createdAt": "string", "updatedAt": "string",
}

func jsonType(value any) string {
	switch value.(type) {
	case string:
		return "string"
	case bool:
		return "bool"
	case []any:
		return "array"
	case nil:
		return "null"
	default:
		return "other"
	}
}

func wantPrisme(t *testing.T, object map[string]any) {
	t.Helper()
	for name, want := range prismeAccount {
		value, present := object[name]
		if got := jsonType(value); !present || got != want {
			t.Errorf("%s is %s (present: %t), want %s", name, got, present, want)
		}
	}
}

func TestPrismeCreateToken(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	made := s.sys(t, "POST", "/v2/orgs/acme/service-accounts",
		`{"slug":"bot","name":"Bot","roleSlug":"agent-standard","description":"d","scopes":["llm:*"]}`).wants(t, 201)
	secret := made.text(t, "clientSecret")
	if !regexp.MustCompile(`^sas_acme_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(secret) {
		t.Errorf("secret has the shape %q", regexp.MustCompile(`[0-9a-f]`).ReplaceAllString(secret, "x"))
	}
	if got := made.text(t, "userId"); got != "sa:acme:bot" {
		t.Errorf("userId %q", got)
	}
	if made.object(t)["lastUsedAt"] != nil {
		t.Error("a new account was used")
	}

	token := s.call(t, "POST", "/v2/orgs/acme/service-accounts/bot/token", `{"clientSecret":"`+secret+`"}`).wants(t, 200)
	object := token.object(t)
	if object["tokenType"] != "Bearer" || jsonType(object["permissions"]) != "array" || jsonType(object["scopes"]) != "array" {
		t.Errorf("token answer %v", object)
	}
	if got := strings.Count(token.text(t, "accessToken"), "."); got != 2 {
		t.Errorf("accessToken has %d dots", got)
	}
	used := s.sys(t, "GET", "/v2/orgs/acme/service-accounts/bot", "").wants(t, 200).object(t)
	wantPrisme(t, used)
	list := s.sys(t, "GET", "/v2/orgs/acme/service-accounts", "").wants(t, 200).object(t)
	results, _ := list["results"].([]any)
	if len(results) != 1 || list["total"] != 1.0 {
		t.Fatalf("list %v", list)
	}
	first, _ := results[0].(map[string]any)
	wantPrisme(t, first)
}

func TestServiceAccountPatch(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	s.issued(t, "bot", "agent-standard")
	const at = "/v2/orgs/acme/service-accounts/bot"
	group := s.sys(t, "POST", "/v2/orgs/acme/groups", `{"name":"g","roles":["api"]}`).wants(t, 201).text(t, "id")
	full := s.sys(t, "PATCH", at, `{"name":"New","description":"line\nline","roleSlug":"org:api","scopes":["api:*"],"groups":["`+group+`"],
		"tokenLifetimeSeconds":60,"tags":[{"name":"team","value":"x"}],"disabled":true}`).wants(t, 200).object(t)
	for name, want := range map[string]any{"name": "New", "description": "line\nline", "roleSlug": "api", "tokenLifetimeSeconds": 60.0, "disabled": true} {
		if full[name] != want {
			t.Errorf("%s is %v, want %v", name, full[name], want)
		}
	}
	same := s.sys(t, "PATCH", at, `{}`).wants(t, 200).object(t)
	for _, name := range []string{"name", "description", "roleSlug", "tokenLifetimeSeconds", "disabled"} {
		if same[name] != full[name] {
			t.Errorf("%s became %v without being sent", name, same[name])
		}
	}
	cleared := s.sys(t, "PATCH", at, `{"description":null,"roleSlug":null,"scopes":null,"groups":null,"tokenLifetimeSeconds":null,"tags":null,"disabled":false}`).wants(t, 200)
	for _, want := range []string{`"description":""`, `"roleSlug":null`, `"scopes":[]`, `"groups":[]`, `"tokenLifetimeSeconds":null`, `"tags":[]`, `"disabled":false`} {
		if !strings.Contains(cleared.body, want) {
			t.Errorf("%s is not in %s", want, cleared.body)
		}
	}
}

func TestServiceAccountRefusals(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	s.issued(t, "bot", "agent-standard")
	const list, one = "/v2/orgs/acme/service-accounts", "/v2/orgs/acme/service-accounts/bot"
	for _, tc := range []struct{ name, method, path, body, field string }{
		{"no slug", "POST", list, `{"name":"x"}`, "slug"},
		{"bad slug", "POST", list, `{"slug":"A","name":"x"}`, "slug"},
		{"reserved slug", "POST", list, `{"slug":"system","name":"x"}`, "slug"},
		{"slug like an id", "POST", list, `{"slug":"aaaaaaaaaaaaaaaaaaaaaaaaae","name":"x"}`, "slug"},
		{"no name", "POST", list, `{"slug":"x"}`, "name"},
		{"unknown role", "POST", list, `{"slug":"x","name":"x","roleSlug":"nobody"}`, "roleSlug"},
		{"empty role", "POST", list, `{"slug":"x","name":"x","roleSlug":""}`, "roleSlug"},
		{"bad scope", "POST", list, `{"slug":"x","name":"x","scopes":["a b"]}`, "scopes"},
		{"scopes that leave nothing", "POST", list, `{"slug":"x","name":"x","roleSlug":"api","scopes":["orders:*"]}`, "scopes"},
		{"bad group", "POST", list, `{"slug":"x","name":"x","groups":["g"]}`, "groups[0]"},
		{"unknown group", "POST", list, `{"slug":"x","name":"x","groups":["0199c1a2-7f34-7cc1-9d1e-3a5b8f2c4d01"]}`, "groups"},
		{"lifetime zero", "POST", list, `{"slug":"x","name":"x","tokenLifetimeSeconds":0}`, "tokenLifetimeSeconds"},
		{"lifetime huge", "POST", list, `{"slug":"x","name":"x","tokenLifetimeSeconds":9223372036854775807}`, "tokenLifetimeSeconds"},
		{"lifetime fraction", "POST", list, `{"slug":"x","name":"x","tokenLifetimeSeconds":1.5}`, "tokenLifetimeSeconds"},
		{"tag twice", "POST", list, `{"slug":"x","name":"x","tags":[{"name":"a","value":"1"},{"name":"a","value":"2"}]}`, "tags"},
		{"wrong type", "POST", list, `{"slug":1,"name":"x"}`, "slug"},
		{"null name", "PATCH", one, `{"name":null}`, "name"},
		{"null disabled", "PATCH", one, `{"disabled":null}`, "disabled"},
		{"empty role in a patch", "PATCH", one, `{"roleSlug":""}`, "roleSlug"},
		{"overlap negative", "POST", one + "/rotate", `{"overlapSeconds":-1}`, "overlapSeconds"},
		{"overlap too long", "POST", one + "/rotate", `{"overlapSeconds":2592001}`, "overlapSeconds"},
		// hazards 39, 43: nothing rides along on a body, whatever its spelling (17)
		{"patching the slug", "PATCH", one, `{"slug":"other"}`, ""},
		{"patching the version", "PATCH", one, `{"version":7}`, ""},
		{"patching the creator", "PATCH", one, `{"createdBy":"sa:acme:me"}`, ""},
		{"creating in another org", "POST", list, `{"slug":"x","name":"x","orgSlug":"system"}`, ""},
		{"choosing the secret", "POST", list, `{"slug":"x","name":"x","clientSecret":"mine"}`, ""},
		{"wrong case", "POST", list, `{"slug":"x","name":"x","ROLESLUG":"owner"}`, ""},
		{"long s", "POST", list, `{"slug":"x","name":"x","roleſlug":"owner"}`, ""},
		{"twice", "POST", list, `{"slug":"x","slug":"y","name":"x"}`, "slug"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			refused := s.sys(t, tc.method, tc.path, tc.body).refused(t, 400, "BadParameters")
			if !strings.Contains(refused.body, `"field":"`+tc.field+`"`) {
				t.Errorf("it does not complain of %q: %s", tc.field, refused.body)
			}
		})
	}
	s.sys(t, "POST", list, `{"slug":"x","name":"x"} {}`).refused(t, 400, "BadParameters")
	s.sys(t, "POST", list, "").refused(t, 400, "BadParameters")
	s.sys(t, "POST", list, `{"slug":"bot","name":"x"}`).refused(t, 409, "AlreadyUsed")
	s.sys(t, "POST", list, `{"slug":"x","name":"`+strings.Repeat("x", 70_000)+`"}`).refused(t, 413, "PayloadTooLarge")
	s.sys(t, "POST", list, `{}`, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }).refused(t, 415, "UnsupportedMediaType")
	s.sys(t, "PUT", one, `{}`).refused(t, 405, "MethodNotAllowed")
	s.sys(t, "GET", "/v2/nothing", "").refused(t, 404, "NotFoundError")
	if got := s.sys(t, "GET", list, "").wants(t, 200).object(t)["total"]; got != 1.0 {
		t.Errorf("%v accounts after refusals, want 1", got)
	}
}

func TestRotateWithAndWithoutOverlap(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	first := s.issued(t, "bot", "agent-standard")
	const at = "/v2/orgs/acme/service-accounts/bot"
	overlapped := s.sys(t, "POST", at+"/rotate", `{"overlapSeconds":60}`).wants(t, 200)
	until, err := time.Parse(time.RFC3339, overlapped.text(t, "previousSecretExpiresAt"))
	if err != nil || until.Before(s.Clock.Now()) {
		t.Errorf("the older secret ends at %v, %v", until, err)
	}
	s.call(t, "POST", at+"/token", `{"clientSecret":"`+first.Secret+`"}`).wants(t, 200)
	s.Clock.Advance(61 * time.Second)
	s.call(t, "POST", at+"/token", `{"clientSecret":"`+first.Secret+`"}`).refused(t, 401, "AuthenticationError")
	second := overlapped.text(t, "clientSecret")
	rotated := s.sys(t, "POST", at+"/rotate", "").wants(t, 200)
	if rotated.object(t)["previousSecretExpiresAt"] != nil {
		t.Error("an end is named for secrets that have ended")
	}
	s.call(t, "POST", at+"/token", `{"clientSecret":"`+second+`"}`).refused(t, 401, "AuthenticationError")
	s.call(t, "POST", at+"/token", `{"clientSecret":"`+rotated.text(t, "clientSecret")+`"}`).wants(t, 200)
}

func TestTokenDoor(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	s.Org(t, "other")
	login := s.issued(t, "bot", "agent-standard")
	account := s.sys(t, "GET", "/v2/orgs/acme/service-accounts/bot", "").text(t, "id")
	org := s.sys(t, "GET", "/v2/orgs/acme", "").text(t, "id")
	right := `{"clientSecret":"` + login.Secret + `"}`
	for _, path := range []string{"acme/service-accounts/bot", org + "/service-accounts/bot", "acme/service-accounts/" + account, org + "/service-accounts/" + account} {
		s.call(t, "POST", "/v2/orgs/"+path+"/token", right).wants(t, 200)
	}
	var bodies []string
	for _, tc := range []struct{ name, path, body string }{
		{"wrong secret", "acme/service-accounts/bot", `{"clientSecret":"sas_acme_x"}`},
		{"unknown account", "acme/service-accounts/nobody", right},
		{"unknown org", "nowhere/service-accounts/bot", right},
		{"other org", "other/service-accounts/bot", right},
		{"malformed account", "acme/service-accounts/BOT", right},
		{"malformed org", "ACME/service-accounts/bot", right},
	} {
		bodies = append(bodies, s.call(t, "POST", "/v2/orgs/"+tc.path+"/token", tc.body).refused(t, 401, "AuthenticationError").body)
	}
	s.sys(t, "PATCH", "/v2/orgs/acme/service-accounts/bot", `{"disabled":true}`).wants(t, 200)
	bodies = append(bodies, s.call(t, "POST", "/v2/orgs/acme/service-accounts/bot/token", right).refused(t, 401, "AuthenticationError").body)
	for _, body := range bodies {
		if body != bodies[0] {
			t.Errorf("refusals differ: %s and %s", bodies[0], body)
		}
	}
}

func TestTokenDoorLifetime(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	secret := s.issued(t, "bot", "agent-standard").Secret
	for _, tc := range []struct {
		expiresIn string
		want      time.Duration
	}{
		{"", time.Hour},
		{`,"expiresIn":60`, time.Minute},
		{`,"expiresIn":999999`, time.Hour},
		{`,"expiresIn":9223372036854775807`, time.Hour},
	} {
		before := s.Clock.Now()
		got := s.call(t, "POST", "/v2/orgs/acme/service-accounts/bot/token", `{"clientSecret":"`+secret+`"`+tc.expiresIn+`}`).wants(t, 200)
		until, err := time.Parse(time.RFC3339, got.text(t, "expiresAt"))
		if lives := until.Sub(before); err != nil || lives > tc.want || lives < tc.want-5*time.Second {
			t.Errorf("%q: lives %v, want %v (%v)", tc.expiresIn, lives, tc.want, err)
		}
	}
	for _, bad := range []string{`"expiresIn":0`, `"expiresIn":-1`, `"expiresIn":1.5`, `"expiresIn":"60"`, `"expiresIn":1e30`, `"clientSecret":""`} {
		body := `{"clientSecret":"` + secret + `",` + bad + `}`
		if strings.HasPrefix(bad, `"clientSecret"`) {
			body = `{` + bad + `}`
		}
		s.call(t, "POST", "/v2/orgs/acme/service-accounts/bot/token", body).refused(t, 400, "BadParameters")
	}
}
