package rezolve_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/testenv"
	"github.com/signet-issuer/signet/server/compat/rezolve"
)

func TestClientRefusals(t *testing.T) {
	s := start(t)
	id, _ := s.client(t)
	with := func(member, value string) string {
		var kept []string
		for _, text := range []string{
			`"name":"n"`, `"clientType":"confidential"`, `"redirectUris":[]`, `"grantTypes":["client_credentials"]`, `"scopes":["api:read"]`,
		} {
			if !strings.HasPrefix(text, `"`+member+`"`) {
				kept = append(kept, text)
			}
		}
		if value != "" {
			kept = append(kept, `"`+member+`":`+value)
		}
		return "{" + strings.Join(kept, ",") + "}"
	}
	for _, bad := range []struct{ member, value, field string }{
		{"name", "", "name"},
		{"name", `""`, "name"},
		{"name", "null", "name"},
		{"name", "7", "name"},
		{"name", `" edge"`, "name"},
		{"description", `"` + strings.Repeat("x", 501) + `"`, "description"},
		{"clientType", "", "clientType"},
		{"clientType", `"public"`, "clientType"},
		{"redirectUris", "", "redirectUris"},
		{"redirectUris", `["https://app.example/cb"]`, "redirectUris"},
		{"redirectUris", "null", "redirectUris"},
		{"grantTypes", "", "grantTypes"},
		{"grantTypes", "[]", "grantTypes"},
		{"grantTypes", `["authorization_code"]`, "grantTypes"},
		{"grantTypes", `["client_credentials","refresh_token"]`, "grantTypes"},
		{"scopes", "", "scopes"},
		{"scopes", "[]", "scopes"},
		{"scopes", `["a b"]`, "scopes"},
		{"scopes", `["ticketing:read"]`, "scopes"},
		{"scopes", "[1]", "scopes[0]"},
		{"allowedOrigins", `["https://app.example"]`, "allowedOrigins"},
		{"ipWhitelist", `["10.0.0.0/33"]`, "ipWhitelist[0]"},
		{"ipWhitelist", `["10.0.0.1/8"]`, "ipWhitelist"},
		{"ipWhitelist", `["fe80::1%eth0"]`, "ipWhitelist[0]"},
		{"ipWhitelist", `["::ffff:10.0.0.1"]`, "ipWhitelist"},
		// hazards 39, 43: nothing rides along on a body, whatever its spelling
		{"role", `"owner"`, "body"},
		{"status", `"active"`, "body"},
		{"clientSecret", `"mine"`, "body"},
		{"Name", `"x"`, "body"},
		{"tenant", `{"id":"` + accounts.SystemOrgID.String() + `"}`, "body"},
	} {
		t.Run(bad.member+bad.value, func(t *testing.T) {
			refused := s.sys(t, "POST", clients, with(bad.member, bad.value)).refused(t, 400, "VALIDATION_ERROR")
			if details, _ := at(t, refused.object(t), "error", "details").(map[string]any); details[bad.field] == nil {
				t.Errorf("it does not complain of %s: %s", bad.field, refused.body)
			}
			if bad.value != "" {
				s.sys(t, "PATCH", clients+"/"+id, `{"`+bad.member+`":`+bad.value+`}`).refused(t, 400, "VALIDATION_ERROR")
			}
		})
	}
	s.sys(t, "POST", clients, "").refused(t, 400, "INVALID_REQUEST")
	for _, body := range []string{`{"gracePeriodMinutes":-1}`, `{"gracePeriodMinutes":43201}`, `{"gracePeriodMinutes":9223372036854775807}`, `{"gracePeriodMinutes":1.5}`, `{"expiresIn":1}`} {
		s.sys(t, "POST", clients+"/"+id+"/rotate-secret", body).refused(t, 400, "VALIDATION_ERROR")
	}
}

func TestParameterRefusals(t *testing.T) {
	s := start(t)
	for _, query := range []string{
		"limit=0", "limit=101", "limit=-1", "limit=x", "limit=", "limit=1.0", "limit=007", "limit=1&limit=2", "limit=99999999999999999999",
		"offset=-1", "offset=x", "offset=100000001", "page=1", "limit=%zz", "LIMIT=5",
	} {
		s.sys(t, "GET", clients+"?"+query, "").refused(t, 400, "INVALID_PARAMETER")
	}
	s.sys(t, "POST", create+"?dry=1", "").refused(t, 400, "INVALID_PARAMETER")
	for _, id := range []string{
		"x", "client-", "sa-x", "550e8400e29b41d4a716446655440001", "{550e8400-e29b-41d4-a716-446655440001}", "00000000-0000-0000-0000-000000000000",
		"client-sa-" + someID, "agpjzau7cz6mdhi6hjny6lcnae",
	} {
		for _, method := range []string{"GET", "PATCH", "DELETE"} {
			s.sys(t, method, clients+"/"+id, "{}").refused(t, 400, "INVALID_PARAMETER")
		}
		s.sys(t, "POST", clients+"/"+id+"/rotate-secret", "").refused(t, 400, "INVALID_PARAMETER")
	}
	id, _ := s.client(t)
	for _, spelled := range []string{id, strings.ToUpper(id), "client-" + id, "sa-" + id} {
		if got := s.sys(t, "GET", clients+"/"+spelled, "").text(t, "id"); got != id {
			t.Errorf("%s is %s", spelled, got)
		}
	}
}

// filled is a route with its variable filled.
type filled struct{ method, path string }

func routes(id string) []filled {
	var all []filled
	for _, route := range rezolve.Surface(rezolve.Config{}).Routes {
		if !strings.HasPrefix(route.Path, "/openapi/") {
			all = append(all, filled{route.Method, strings.ReplaceAll(route.Path, "{clientId}", id)})
		}
	}
	return all
}

// body is one that the route accepts.
func (f filled) body() string {
	switch {
	case f.path == clients && f.method == http.MethodPost:
		return newClient
	case f.method == http.MethodPatch:
		return `{"name":"Other"}`
	default:
		return ""
	}
}

func TestTenantHeader(t *testing.T) {
	s := start(t)
	for _, route := range routes(someID) {
		s.call(t, route.method, route.path, route.body(), as(s.root)).refused(t, 400, "INVALID_REQUEST")
		s.call(t, route.method, route.path, route.body(), as(s.root), of(s.acme), of(s.acme)).refused(t, 400, "INVALID_REQUEST")
		for _, id := range []string{"", "acme", "x", accounts.ShortID(s.acme.ID), strings.ReplaceAll(s.acme.ID.String(), "-", ""), "urn:uuid:" + s.acme.ID.String()} {
			s.call(t, route.method, route.path, route.body(), as(s.root), tenant(id)).refused(t, 400, "INVALID_REQUEST")
		}
	}
	s.call(t, "POST", create, "", as(s.root), tenant(strings.ToUpper(s.acme.ID.String()))).wants(t, 200)
	s.call(t, "POST", create, "", as(s.root), tenant(accounts.SystemOrgID.String())).wants(t, 200)
}

// I33, I35: the tenant of header and token agree, and one that is not the caller's looks like none.
func TestI35_ForeignTenantLooksAbsent(t *testing.T) {
	s := start(t)
	other := s.Org(t, "other")
	theirs := s.Machine(t, "other", "bot", "agent-standard").Account
	admin := s.administrator(t, "tenant-admin", "owner")
	for _, id := range []string{theirs.ID.String(), someID} {
		for _, route := range routes(id) {
			foreign := s.call(t, route.method, route.path, route.body(), as(admin), of(other)).refused(t, 403, "FORBIDDEN")
			absent := s.call(t, route.method, route.path, route.body(), as(admin), tenant(someID)).refused(t, 403, "FORBIDDEN")
			if untimed(t, foreign) != untimed(t, absent) || foreign.header.Get("WWW-Authenticate") != absent.header.Get("WWW-Authenticate") {
				t.Errorf("%s: foreign %s, absent %s", foreign.request, foreign.body, absent.body)
			}
			s.call(t, route.method, route.path, route.body(), as(admin), tenant(accounts.SystemOrgID.String())).refused(t, 403, "FORBIDDEN")
		}
	}
	// Objects of another tenant under the own one are absent, dead or alive.
	for _, route := range routes(theirs.ID.String()) {
		if strings.Contains(route.path, theirs.ID.String()) {
			s.call(t, route.method, route.path, route.body(), as(admin), of(s.acme)).refused(t, 404, "OAUTH_CLIENT_NOT_FOUND")
		}
	}
	s.call(t, "DELETE", clients+"/"+theirs.ID.String(), "", as(s.root), of(s.acme)).refused(t, 404, "OAUTH_CLIENT_NOT_FOUND")
	s.call(t, "DELETE", clients+"/"+theirs.ID.String(), "", as(s.root), of(other)).wants(t, 200)
	s.call(t, "DELETE", clients+"/"+theirs.ID.String(), "", as(admin), of(s.acme)).refused(t, 404, "OAUTH_CLIENT_NOT_FOUND")
	s.call(t, "DELETE", clients+"/"+theirs.ID.String(), "", as(admin), of(other)).refused(t, 403, "FORBIDDEN")
	s.call(t, "DELETE", clients+"/"+theirs.ID.String(), "", as(s.root), of(other)).refused(t, 409, "OAUTH_CLIENT_ALREADY_DELETED")
}

// untimed is the body of an error without its timestamp.
func untimed(t *testing.T, a answer) string {
	t.Helper()
	before, _, ok := strings.Cut(a.body, `"timestamp"`)
	if !ok {
		t.Fatalf("no timestamp in %s", a.body)
	}
	return before
}

// hazard 67: callers are known before anything else of the request is read.
func TestHazard67_CallersAreKnownFirst(t *testing.T) {
	s := start(t)
	for _, route := range routes("no-uuid") {
		for _, caller := range []struct {
			name, challenge string
			options         []option
		}{
			{"nobody", "Bearer", nil},
			{"basic", "Bearer", []option{testenv.Header("Authorization", "Basic eDp5")}},
			{"api key", "Bearer", []option{testenv.Header("X-API-Key", "ak_live_x")}},
			{"garbage", `Bearer error="invalid_token"`, []option{as("x.y.z")}},
		} {
			got := s.call(t, route.method, route.path+"?nonsense=1", strings.Repeat("[", 10_000), caller.options...).refused(t, 401, "UNAUTHORIZED")
			if challenge := got.header.Get("WWW-Authenticate"); challenge != caller.challenge {
				t.Errorf("%s as %s: challenge %q", got.request, caller.name, challenge)
			}
		}
	}
}

// The permission that each route demands, and no other, opens it.
func TestPermissions(t *testing.T) {
	s := start(t)
	needed := map[string][]string{
		"POST " + create:                       {"orgs:service-accounts:create"},
		"GET " + clients:                       {"orgs:service-accounts:read", "orgs:credentials:read"},
		"POST " + clients:                      {"orgs:service-accounts:create"},
		"GET " + clients + "/*":                {"orgs:service-accounts:read", "orgs:credentials:read"},
		"PATCH " + clients + "/*":              {"orgs:service-accounts:update"},
		"DELETE " + clients + "/*":             {"orgs:service-accounts:delete"},
		"POST " + clients + "/*/rotate-secret": {"orgs:credentials:update"},
	}
	every := []string{
		"orgs:service-accounts:create", "orgs:service-accounts:read", "orgs:service-accounts:update", "orgs:service-accounts:delete",
		"orgs:credentials:create", "orgs:credentials:read", "orgs:credentials:update", "orgs:credentials:delete", "orgs:tokens:read", "orgs:settings:read",
	}
	owner := s.Machine(t, "acme", "owner", "owner").Login
	id, _ := s.client(t)
	for _, route := range routes(id) {
		permissions, declared := needed[route.method+" "+strings.ReplaceAll(route.path, id, "*")]
		if !declared {
			t.Errorf("%s %s is not in the table", route.method, route.path)
			continue
		}
		for _, permission := range permissions {
			var others []string
			for _, other := range every {
				if other != permission {
					others = append(others, other)
				}
			}
			token := s.Token(t, owner, "resource", s.Issuer, "scope", strings.Join(others, " "))
			s.call(t, route.method, route.path, route.body(), as(token), of(s.acme)).refused(t, 403, "FORBIDDEN")
		}
	}
	for _, route := range routes(id) {
		if route.method == http.MethodDelete {
			continue
		}
		token := s.Token(t, owner, "resource", s.Issuer, "scope", strings.Join(needed[route.method+" "+strings.ReplaceAll(route.path, id, "*")], " "))
		s.call(t, route.method, route.path, route.body(), as(token), of(s.acme)).wants(t, 200)
	}
	token := s.Token(t, owner, "resource", s.Issuer, "scope", "orgs:service-accounts:delete")
	deleted := s.call(t, "DELETE", clients+"/"+id, "", as(token), of(s.acme)).data(t)
	if _, told := deleted["tokensRevoked"]; told {
		t.Error("who may not see tokens is told their number")
	}
}

func TestUnknownRoutesAnswerInTheDialect(t *testing.T) {
	s := start(t)
	for _, path := range []string{
		"/api/v1/admin", "/api/v1/admin/tenants/x", "/api/v1/api-keys", "/api/v1/api-keys/x/rotate", "/api/v1/credentials", clients + "/x/y",
		"/api/v1/admin/service-account/create/",
	} {
		s.sys(t, "GET", path, "").refused(t, 404, "NOT_FOUND")
	}
	for _, other := range []struct{ method, path, allow string }{
		{"GET", create, "POST"},
		{"PUT", clients + "/" + someID, "DELETE, GET, HEAD, PATCH"},
		{"DELETE", clients, "GET, HEAD, POST"},
	} {
		refused := s.sys(t, other.method, other.path, "").refused(t, 405, "METHOD_NOT_ALLOWED")
		if allow := refused.header.Get("Allow"); allow != other.allow {
			t.Errorf("%s: Allow %q", refused.request, allow)
		}
	}
	if native := s.Do(t, "GET", "/v2/nowhere", "", as(s.root)); !strings.Contains(native.Body, "NotFoundError") {
		t.Errorf("the native API answers %s", native.Body)
	}
}

func TestTooManyFailures(t *testing.T) {
	s := start(t)
	for range 100 {
		s.call(t, "POST", create, "", as("x"), of(s.acme)).refused(t, 401, "UNAUTHORIZED")
	}
	refused := s.call(t, "POST", create, "", as("x"), of(s.acme)).refused(t, 429, "RATE_LIMIT_EXCEEDED")
	if limit := refused.header.Get("X-RateLimit-Limit"); limit != "100" {
		t.Errorf("X-RateLimit-Limit %q", limit)
	}
	s.sys(t, "POST", create, "").wants(t, 200)
}

// I11: without truth nothing is said about it.
func TestI11_NoTruth(t *testing.T) {
	s := start(t)
	if err := s.DB.Close(); err != nil {
		t.Fatal(err)
	}
	for _, route := range routes(someID) {
		s.sys(t, route.method, route.path, route.body()).refused(t, 503, "SERVICE_UNAVAILABLE")
	}
}

func TestCorrelationIDIsTakenUp(t *testing.T) {
	s := start(t)
	got := s.call(t, "POST", create, "", testenv.Header("X-Correlation-Id", "mine-1"))
	if id := got.refused(t, 401, "UNAUTHORIZED").header.Get("X-Correlation-Id"); id != "mine-1" {
		t.Errorf("x-correlation-id %q", id)
	}
}

// I8: nothing keeps an answer that may have a secret.
func TestI8_NoStore(t *testing.T) {
	s := start(t)
	for _, got := range []answer{s.sys(t, "POST", create, ""), s.sys(t, "GET", clients, ""), s.call(t, "GET", clients, "")} {
		if control := got.header.Get("Cache-Control"); control != "no-store" {
			t.Errorf("%s: Cache-Control %q", got.request, control)
		}
	}
}
