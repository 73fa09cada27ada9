package admin_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/internal/testenv"
	"github.com/signet-issuer/signet/server/admin"
)

// filled is a route of the native API with every variable of its path filled.
type filled struct{ method, path string }

// routes lists the native routes for an org. Bodies are left out: who may not call never gets so far.
func routes(org, account, id string) []filled {
	fill := strings.NewReplacer("{org}", org, "{slug}", account, "{role}", "owner", "{group}", id, "{credential}", id,
		"{secret}", id, "{jti}", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "{kid}", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	var list []filled
	for _, route := range admin.Surface(admin.Config{}).Routes {
		if route.Path != "/openapi.json" && !strings.HasSuffix(route.Path, "/token") {
			list = append(list, filled{route.Method, fill.Replace(route.Path)})
		}
	}
	return list
}

const someID = "0199c1a2-7f34-7cc1-9d1e-3a5b8f2c4d01"

func TestHazard67_CallersAreKnownBeforeBodiesAreRead(t *testing.T) {
	s := start(t)
	deep := strings.Repeat("[", 10_000)
	for _, route := range routes("acme", "bot", someID) {
		for _, caller := range []struct {
			name      string
			options   []option
			challenge string
		}{
			{"nobody", nil, "Bearer"},
			{"basic", []option{testenv.Header("Authorization", "Basic eDp5")}, "Bearer"},
			{"garbage", []option{as("x.y.z")}, `Bearer error="invalid_token"`},
			{"two", []option{as(s.root), as(s.root)}, `Bearer error="invalid_token"`},
		} {
			body := deep
			if route.method == http.MethodGet {
				body = ""
			}
			got := s.call(t, route.method, route.path+"?nonsense=1", body, caller.options...)
			if got.status == http.StatusTooManyRequests { // the limit on failures of one source
				s.Clock.Advance(61e9)
				got = s.call(t, route.method, route.path+"?nonsense=1", body, caller.options...)
			}
			got.refused(t, 401, "AuthenticationError")
			if challenge := got.header.Get("WWW-Authenticate"); challenge != caller.challenge {
				t.Errorf("%s as %s: challenge %q", got.request, caller.name, challenge)
			}
		}
	}
}

// A token for an org's API is none for the administration, whatever its account may do.
func TestAdminDoorsTakeTokensForTheIssuerOnly(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	owner := s.Machine(t, "acme", "owner", "owner")
	other := s.Token(t, owner.Login, "resource", s.Issuer+"/orgs/acme")
	s.call(t, "GET", "/v2/orgs/acme", "", as(other)).refused(t, 401, "AuthenticationError")
	right := s.Token(t, owner.Login, "resource", s.Issuer)
	s.call(t, "GET", "/v2/orgs/acme", "", as(right)).wants(t, 200)
	narrow := s.Token(t, owner.Login, "resource", s.Issuer, "scope", "orgs:roles:read")
	s.call(t, "GET", "/v2/orgs/acme/roles", "", as(narrow)).wants(t, 200)
	refused := s.call(t, "GET", "/v2/orgs/acme", "", as(narrow)).refused(t, 403, "ForbiddenError")
	if got := refused.header.Get("WWW-Authenticate"); got != `Bearer error="insufficient_scope", scope="orgs:settings:read"` {
		t.Errorf("challenge %q", got)
	}
}

func TestI33_ForeignLooksAbsent(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	foreign := s.Org(t, "other")
	machine := s.Machine(t, "other", "bot", "api")
	owner := s.administrator(t, "acme", "owner", "owner")
	for _, theirs := range []struct{ org, account, id string }{
		{"other", "bot", machine.Credential.ID.String()},
		{foreign.ID.String(), machine.Account.ID.String(), machine.Credential.ID.String()},
	} {
		absent := routes("nowhere", "nobody", someID)
		for i, route := range routes(theirs.org, theirs.account, theirs.id) {
			if !strings.HasPrefix(route.path, "/v2/orgs/") {
				continue
			}
			body := ""
			if route.method == http.MethodPost || route.method == http.MethodPatch {
				body = `{}`
			}
			if strings.HasSuffix(route.path, "/service-accounts") && route.method == http.MethodPost {
				body = `{"slug":"x","name":"x"}`
			}
			got := s.call(t, route.method, route.path, body, as(owner)).wants(t, 404)
			want := s.call(t, absent[i].method, absent[i].path, body, as(owner)).wants(t, 404)
			if got.body != want.body || !sameHeaders(got.header, want.header) {
				t.Errorf("%s: %s %v, absent: %s %v", got.request, got.body, got.header, want.body, want.header)
			}
		}
	}
	// Objects of another org under the own one are absent, too.
	for _, path := range []string{
		"/v2/orgs/acme/service-accounts/" + machine.Account.ID.String(),
		"/v2/orgs/acme/service-accounts/owner/credentials/" + machine.Credential.ID.String(),
	} {
		s.call(t, "GET", path, "", as(owner)).refused(t, 404, "ObjectNotFound")
		s.call(t, "DELETE", path, "", as(owner)).refused(t, 404, "ObjectNotFound")
	}
	s.sys(t, "GET", "/v2/orgs/other/service-accounts/bot", "").wants(t, 200)
	if list := s.call(t, "GET", "/v2/orgs", "", as(owner)).wants(t, 200); strings.Contains(list.body, "other") {
		t.Errorf("an owner of acme sees %s", list.body)
	}
}

func sameHeaders(a, b http.Header) bool {
	for _, header := range []http.Header{a, b} {
		for name := range header {
			if name != "Date" && name != "X-Correlation-Id" && a.Get(name) != b.Get(name) {
				return false
			}
		}
	}
	return true
}

func TestI34_NobodyRaisesAnybody(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	s.Role(t, "acme", "hr", "orgs:service-accounts:*", "orgs:credentials:*", "orgs:groups:*", "orgs:roles:*", "orgs:settings:*")
	s.Role(t, "acme", "billing", "invoices:*")
	hr := s.administrator(t, "acme", "hr", "hr")
	s.issued(t, "bot", "agent-standard")
	owner := s.Machine(t, "acme", "boss", "owner")
	strong := s.sys(t, "POST", "/v2/orgs/acme/groups", `{"name":"strong","roles":["billing"]}`).wants(t, 201).text(t, "id")
	const list, bot, boss = "/v2/orgs/acme/service-accounts", "/v2/orgs/acme/service-accounts/bot", "/v2/orgs/acme/service-accounts/boss"
	for _, w := range []write{
		{"POST", list, `{"slug":"x","name":"x","roleSlug":"owner"}`, "", ""},
		{"POST", list, `{"slug":"x","name":"x","roleSlug":"org:admin"}`, "", ""},
		{"POST", list, `{"slug":"x","name":"x","roleSlug":"billing"}`, "", ""},
		{"POST", list, `{"slug":"x","name":"x","groups":["` + strong + `"]}`, "", ""},
		{"PATCH", bot, `{"roleSlug":"owner"}`, "", ""},
		{"PATCH", bot, `{"roleSlug":"billing"}`, "", ""},
		{"PATCH", bot, `{"groups":["` + strong + `"]}`, "", ""},
		{"POST", boss + "/rotate", "", "", ""},
		{"POST", boss + "/credentials", `{"kind":"secret","name":"mine"}`, "", ""},
		{"POST", boss + "/credentials/" + owner.Credential.ID.String() + "/secrets", "", "", ""},
		{"POST", "/v2/orgs/acme/roles", `{"slug":"r","name":"r","permissions":["*"]}`, "", ""},
		{"POST", "/v2/orgs/acme/roles", `{"slug":"r","name":"r","permissions":["invoices:read"]}`, "", ""},
		{"PATCH", "/v2/orgs/acme/roles/hr", `{"permissions":["orgs:*"]}`, "", ""},
		{"PATCH", "/v2/orgs/acme/roles/billing", `{"delegable":true}`, "", ""},
		{"POST", "/v2/orgs/acme/groups", `{"name":"g","roles":["owner"]}`, "", ""},
		{"PATCH", "/v2/orgs/acme/groups/" + strong, `{"members":["` + owner.Account.ID.String() + `"]}`, "", ""},
		{"PATCH", "/v2/orgs/acme", `{"defaultRole":"billing"}`, "", ""},
		{"PATCH", "/v2/orgs/acme", `{"maxServiceAccounts":null}`, "", ""},
		{"PATCH", "/v2/orgs/acme", `{"disabled":false}`, "", ""},
		{"PATCH", "/v2/orgs/acme", `{"audiences":["https://api.example"]}`, "", ""},
		{"DELETE", "/v2/orgs/acme", "", "", ""},
		{"POST", "/v2/orgs", `{"slug":"mine","name":"x"}`, "", ""},
		{"GET", "/v2/keys", "", "", ""},
		{"POST", "/v2/keys/rotate", "", "", ""},
		{"DELETE", "/v2/keys/ABCDEFGHIJKLMNOPQRSTUVWXYZ", "", "", ""},
	} {
		s.call(t, w.method, w.path, w.body, as(hr)).refused(t, 403, "ForbiddenError")
	}
	s.sys(t, "PATCH", "/v2/orgs/acme", `{"defaultRole":"owner"}`).refused(t, 400, "BadParameters")
	// What may be delegated, may be given: that is their work.
	s.call(t, "POST", list, `{"slug":"y","name":"y","roleSlug":"agent-standard"}`, as(hr)).wants(t, 201)
	s.call(t, "POST", bot+"/rotate", "", as(hr)).wants(t, 200)
	s.call(t, "PATCH", bot, `{"roleSlug":"api","disabled":true}`, as(hr)).wants(t, 200)
}

func TestLastOwnerStays(t *testing.T) {
	s := start(t)
	const admin = "/v2/orgs/system/service-accounts/admin"
	for _, w := range []write{
		{"DELETE", admin, "", "", ""},
		{"PATCH", admin, `{"disabled":true}`, "", ""},
		{"PATCH", admin, `{"roleSlug":"viewer"}`, "", ""},
		{"PATCH", "/v2/orgs/system", `{"disabled":true}`, "", ""},
		{"DELETE", "/v2/orgs/system", "", "", ""},
		{"PATCH", "/v2/orgs/acme/roles/owner", `{"name":"x"}`, "", ""},
		{"DELETE", "/v2/orgs/acme/roles/member", "", "", ""},
	} {
		if strings.Contains(w.path, "acme") {
			s.sys(t, "POST", "/v2/orgs", `{"slug":"acme","name":"a"}`, idempotencyKey("acme")).wants(t, 201)
		}
		s.sys(t, w.method, w.path, w.body).refused(t, 409, "Protected")
	}
	second := s.administrator(t, "system", "second", "owner")
	s.call(t, "DELETE", admin, "", as(second)).wants(t, 200)
	s.sys(t, "GET", "/v2/orgs", "").refused(t, 401, "AuthenticationError")
}

func TestI11_NoStorageIsNoStatement(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	secret := s.issued(t, "bot", "api").Secret
	if err := s.DB.Close(); err != nil {
		t.Fatal(err)
	}
	s.sys(t, "GET", "/v2/orgs/acme", "").refused(t, 503, "ServiceUnavailable")
	s.sys(t, "POST", "/v2/orgs", `{"slug":"x","name":"x"}`).refused(t, 503, "ServiceUnavailable")
	s.call(t, "POST", "/v2/orgs/acme/service-accounts/bot/token", `{"clientSecret":"`+secret+`"}`).refused(t, 503, "ServiceUnavailable")
}

func TestTooManyFailuresArePutOff(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	secret := s.issued(t, "bot", "api").Secret
	const at = "/v2/orgs/acme/service-accounts/bot/token"
	put := 0
	for range 40 {
		if s.call(t, "POST", at, `{"clientSecret":"wrong"}`).status == http.StatusTooManyRequests {
			put++
		}
	}
	if put != 10 {
		t.Errorf("%d of 40 failures were put off, want 10", put)
	}
	s.call(t, "POST", at, `{"clientSecret":"`+secret+`"}`).wants(t, 200)
}
