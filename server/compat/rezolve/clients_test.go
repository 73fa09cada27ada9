package rezolve_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/testenv"
)

// The vendor's example of a machine-to-machine client, but for its placeholders and scopes.
const backendService = `{
  "name": "Backend Service",
  "description": "Server-to-server integration for reporting service",
  "clientType": "confidential",
  "redirectUris": [],
  "grantTypes": ["client_credentials"],
  "scopes": ["api:read"],
  "allowedOrigins": [],
  "ipWhitelist": ["127.0.0.1", "198.51.100.0/24"]
}`

func TestClientLife(t *testing.T) { everywhere(t, clientLife) }

func clientLife(t *testing.T, s *server) {
	admin := s.Machine(t, "acme", "tenant-admin", "admin")
	token := s.Token(t, admin.Login, "resource", s.Issuer)
	as, of := as(token), of(s.acme)

	made := s.call(t, "POST", clients, backendService, as, of)
	for path, want := range map[string]string{
		"name": "Backend Service", "description": "Server-to-server integration for reporting service", "status": "active", "clientType": "confidential",
	} {
		if got := made.text(t, path); got != want {
			t.Errorf("%s is %q", path, got)
		}
	}
	if got := list(t, made.data(t)["ipWhitelist"]); !slices.Equal(got, []string{"127.0.0.1/32", "198.51.100.0/24"}) {
		t.Errorf("ipWhitelist %v", got)
	}
	if got := at(t, made.data(t), "tokenSettings", "accessTokenLifetime"); got != 900.0 {
		t.Errorf("accessTokenLifetime %v", got)
	}
	if got := made.text(t, "createdBy", "id"); got != admin.Account.ID.String() {
		t.Errorf("created by %s", got)
	}
	if got := made.text(t, "tenant", "name"); got != "Acme Corporation" {
		t.Errorf("tenant %s", got)
	}

	one := clients + "/" + made.text(t, "id")
	unused := s.call(t, "GET", one, "", as, of)
	if strings.Contains(unused.body, made.text(t, "clientSecret")) {
		t.Error("I30: a secret is shown again")
	}
	if use := at(t, unused.data(t), "usage", "lastUsedAt"); use != nil {
		t.Errorf("used %v", use)
	}
	login := testenv.Login{ID: made.text(t, "clientId"), Secret: made.text(t, "clientSecret")}
	if scope := testenv.Payload(t, s.Token(t, login))["scope"]; scope != "api:read" {
		t.Errorf("scope %v is not within the client's", scope)
	}
	shown := s.call(t, "GET", one, "", as, of).data(t)
	for _, want := range []struct {
		value any
		path  []string
	}{
		{1.0, []string{"usage", "activeTokenCount"}},
		{"127.0.0.1", []string{"usage", "lastUsedFromIp"}},
		{true, []string{"usage", "lastUsedKnown"}},
		{0.0, []string{"audit", "secretRotationCount"}},
		{nil, []string{"audit", "lastSecretRotatedAt"}},
		{admin.Account.ID.String(), []string{"audit", "createdBy", "id"}},
		{s.acme.ID.String(), []string{"tenant", "id"}},
		{false, []string{"security", "enforceHttps"}}, // the test's issuer is on loopback
	} {
		if got := at(t, shown, want.path...); got != want.value {
			t.Errorf("%v is %v, want %v", want.path, got, want.value)
		}
	}

	deleted := s.call(t, "DELETE", one, "", as, of)
	for path, want := range map[string]string{
		"id": made.text(t, "id"), "name": "Backend Service", "clientId": login.ID, "status": "deleted", "previousStatus": "active",
	} {
		if got := deleted.text(t, path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	if got := deleted.data(t); got["tokensRevoked"] != 1.0 || got["activeSessionsTerminated"] != 0.0 || at(t, got, "deletedBy", "id") != admin.Account.ID.String() {
		t.Errorf("deleted %v", got)
	}
	if status := s.Post(t, "/token", login.Form()).Status; status != http.StatusUnauthorized {
		t.Errorf("the deleted client gets %d", status)
	}
	again := s.call(t, "DELETE", one, "", as, of).refused(t, 409, "OAUTH_CLIENT_ALREADY_DELETED")
	details, _ := at(t, again.object(t), "error", "details").(string)
	if day := s.Clock.Now().UTC().Format("2006-01-02"); !strings.HasPrefix(details, "The OAuth client was deleted on "+day) {
		t.Errorf("details %q", details)
	}
	for _, method := range []string{"GET", "PATCH"} {
		s.call(t, method, one, "{}", as, of).refused(t, 404, "OAUTH_CLIENT_NOT_FOUND")
	}
	s.call(t, "POST", one+"/rotate-secret", "", as, of).refused(t, 404, "OAUTH_CLIENT_NOT_FOUND")
	s.call(t, "DELETE", clients+"/"+someID, "", as, of).refused(t, 404, "OAUTH_CLIENT_NOT_FOUND")
}

func TestClientWhitelistIsHonoured(t *testing.T) {
	s := start(t)
	made := s.sys(t, "POST", clients, strings.Replace(newClient, `"ipWhitelist":[]`, `"ipWhitelist":["2001:db8::7","198.51.100.0/24"]`, 1))
	login := testenv.Login{ID: made.text(t, "clientId"), Secret: made.text(t, "clientSecret")}
	one := clients + "/" + made.text(t, "id")
	if status := s.Post(t, "/token", login.Form()).Status; status != http.StatusUnauthorized {
		t.Fatalf("from elsewhere: %d", status)
	}
	changed := s.sys(t, "PATCH", one, `{"ipWhitelist":["127.0.0.0/8","198.51.100.0/24"]}`).data(t)
	added, removed := list(t, at(t, changed, "changes", "ipWhitelist", "added")), list(t, at(t, changed, "changes", "ipWhitelist", "removed"))
	if !slices.Equal(added, []string{"127.0.0.0/8"}) || !slices.Equal(removed, []string{"2001:db8::7/128"}) {
		t.Errorf("added %v, removed %v", added, removed)
	}
	s.Token(t, login)
	s.sys(t, "PATCH", one, `{"ipWhitelist":[]}`).wants(t, 200)
	s.Token(t, login)
}

func TestClientPatch(t *testing.T) {
	s := start(t)
	id, login := s.client(t)
	one := clients + "/" + id
	old := s.Token(t, login)
	changed := s.sys(t, "PATCH", one, `{"name":"Reports","description":null,"clientType":"confidential","redirectUris":[],"grantTypes":["client_credentials"],
		"scopes":["api:write"],"allowedOrigins":[]}`).data(t)
	want := map[string]any{
		"name":        map[string]any{"from": "Backend Service", "to": "Reports"},
		"description": map[string]any{"from": "Reports", "to": ""},
		"scopes":      map[string]any{"added": []any{"api:write"}, "removed": []any{"api:read"}},
	}
	if got := fmt.Sprint(changed["changes"]); got != fmt.Sprint(want) {
		t.Errorf("changes %s", got)
	}
	if changed["name"] != "Reports" || changed["description"] != "" || !slices.Equal(list(t, changed["scopes"]), []string{"api:write"}) {
		t.Errorf("changed to %v", changed)
	}
	if at(t, changed, "updatedBy", "email") == nil || changed["updatedAt"] == nil {
		t.Errorf("by nobody: %v", changed)
	}
	// The vendor lets tokens outlive their scope; here they end with it.
	answer := s.Post(t, "/introspect", map[string][]string{"token": {old}}, login.Basic())
	if answer.JSON(t)["active"] != false {
		t.Errorf("a token beyond the new scopes: %s", answer.Body)
	}
	same := s.sys(t, "PATCH", one, `{"name":"Reports"}`).data(t)
	if changes := at(t, same, "changes"); len(changes.(map[string]any)) != 0 {
		t.Errorf("changes of nothing: %v", changes)
	}
	s.sys(t, "PATCH", one, `{}`).wants(t, 200)
}

// I17: what cannot all be done is not done at all.
func TestI17_PatchIsAllOrNothing(t *testing.T) {
	s := start(t)
	id, _ := s.client(t)
	one := clients + "/" + id
	before := s.sys(t, "GET", one, "").data(t)
	s.sys(t, "PATCH", one, `{"name":"Other","ipWhitelist":["192.0.2.1/24"]}`).refused(t, 400, "VALIDATION_ERROR")
	s.sys(t, "PATCH", one, `{"name":"Other","scopes":["orders:read"]}`).refused(t, 400, "VALIDATION_ERROR")
	s.Role(t, "acme", "clerk", "orgs:service-accounts:*", "api:*")
	clerk := s.administrator(t, "clerk", "clerk")
	s.call(t, "PATCH", one, `{"name":"Other","ipWhitelist":["192.0.2.0/24"]}`, as(clerk), of(s.acme)).refused(t, 403, "FORBIDDEN")
	if after := s.sys(t, "GET", one, "").data(t); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("before %v, after %v", before, after)
	}
	s.call(t, "PATCH", one, `{"name":"Other"}`, as(clerk), of(s.acme)).wants(t, 200)
}

func TestRotateSecret(t *testing.T) {
	s := start(t)
	id, login := s.client(t)
	rotate := clients + "/" + id + "/rotate-secret"
	token := s.Token(t, login)
	first := s.sys(t, "POST", rotate, "")
	if first.text(t, "clientId") != login.ID || !strings.HasPrefix(first.text(t, "clientSecret"), "sa_secret_") || first.text(t, "clientSecret") == login.Secret {
		t.Error("the new secret is not one of the client")
	}
	if status := s.Post(t, "/token", login.Form()).Status; status != http.StatusUnauthorized {
		t.Errorf("the old secret gets %d", status)
	}
	renewed := testenv.Login{ID: login.ID, Secret: first.text(t, "clientSecret")}
	if answer := s.Post(t, "/introspect", map[string][]string{"token": {token}}, renewed.Basic()); answer.JSON(t)["active"] != false {
		t.Errorf("a token of the old secret: %s", answer.Body)
	}
	second := s.sys(t, "POST", rotate, `{"gracePeriodMinutes":60}`)
	s.Token(t, renewed)
	s.Token(t, testenv.Login{ID: login.ID, Secret: second.text(t, "clientSecret")})
	rotation, _ := second.data(t)["rotation"].(map[string]any)
	if rotation["rotationCount"] != 2.0 || at(t, rotation, "gracePeriod", "minutes") != 60.0 || at(t, rotation, "rotatedBy", "email") == nil {
		t.Errorf("rotation %v", rotation)
	}
	s.Clock.Advance(61 * time.Minute)
	if status := s.Post(t, "/token", renewed.Form()).Status; status != http.StatusUnauthorized {
		t.Errorf("after the grace period the old secret gets %d", status)
	}
	s.root = s.Token(t, s.Admin)
	detail := s.sys(t, "GET", clients+"/"+id, "").data(t)
	if at(t, detail, "audit", "secretRotationCount") != 2.0 || at(t, detail, "audit", "lastSecretRotatedAt") == nil {
		t.Errorf("audit %v", detail["audit"])
	}
	for range 20 {
		if got := s.sys(t, "POST", rotate, `{"gracePeriodMinutes":43200}`); got.status != http.StatusOK {
			got.refused(t, 409, "SECRET_LIMIT_REACHED")
			return
		}
	}
	t.Error("any number of secrets live at once")
}

// An account that another door made without a secret is listed, and gets one by rotation.
func TestClientsOfOtherDoors(t *testing.T) {
	s := start(t)
	bare := s.Machine(t, "acme", "bare", "api", func(in *accounts.NewAccount) { in.Credential = nil }).Account
	one := clients + "/" + bare.ID.String()
	shown := s.sys(t, "GET", one, "").data(t)
	if shown["clientId"] != bare.ID.String() || shown["status"] != "inactive" || shown["name"] != "bare" {
		t.Errorf("without a secret it is %v", shown)
	}
	s.sys(t, "PATCH", one, `{"ipWhitelist":["192.0.2.0/24"]}`).refused(t, 400, "VALIDATION_ERROR")
	made := s.sys(t, "POST", one+"/rotate-secret", "")
	s.Token(t, testenv.Login{ID: bare.ID.String(), Secret: made.text(t, "clientSecret")})
	disabled := s.Do(t, "PATCH", "/v2/orgs/acme/service-accounts/bare", `{"disabled":true}`, as(s.root), testenv.Header("Content-Type", "application/json"))
	if disabled.Status != http.StatusOK {
		t.Fatal(disabled.Body)
	}
	// hazard 23: no write of this door enables it.
	s.sys(t, "PATCH", one, `{"name":"bare still","scopes":["api:read"]}`).wants(t, 200)
	renewed := s.sys(t, "POST", one+"/rotate-secret", `{"gracePeriodMinutes":1}`)
	for _, secret := range []string{made.text(t, "clientSecret"), renewed.text(t, "clientSecret")} {
		if status := s.Post(t, "/token", testenv.Login{ID: bare.ID.String(), Secret: secret}.Form()).Status; status != http.StatusUnauthorized {
			t.Errorf("a disabled client gets %d", status)
		}
	}
	if shown := s.sys(t, "GET", one, "").data(t); shown["status"] != "inactive" || shown["clientId"] != made.text(t, "clientId") {
		t.Errorf("disabled it is %v", shown)
	}
}

func TestListPages(t *testing.T) {
	s := start(t)
	var want []string
	for range 7 {
		id, _ := s.client(t)
		want = append(want, id)
	}
	var got []string
	for offset := 0; ; offset += 3 {
		data := s.sys(t, "GET", fmt.Sprintf("%s?limit=3&offset=%d", clients, offset), "").data(t)
		page, _ := data["clients"].([]any)
		for _, one := range page {
			id, _ := at(t, one.(map[string]any), "id").(string)
			got = append(got, id)
		}
		if at(t, data, "pagination", "total") != 7.0 || at(t, data, "pagination", "limit") != 3.0 || at(t, data, "pagination", "offset") != float64(offset) {
			t.Errorf("pagination %v", data["pagination"])
		}
		if at(t, data, "pagination", "hasMore") != (offset+3 < 7) {
			t.Errorf("at %d: %v", offset, data["pagination"])
		}
		if offset > 7 {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("pages have %v, want %v", got, want)
	}
	data := s.sys(t, "GET", clients, "").data(t)
	if first, _ := data["clients"].([]any); len(first) != 7 || at(t, data, "pagination", "limit") != 50.0 {
		t.Errorf("without parameters: %v", data)
	}
}

func TestListsTellTheirCreators(t *testing.T) {
	s := start(t)
	admin := s.Machine(t, "acme", "tenant-admin", "admin")
	token := s.Token(t, admin.Login, "resource", s.Issuer)
	s.call(t, "POST", clients, newClient, as(token), of(s.acme)).wants(t, 200)
	s.client(t) // by the system's administrator, whom the tenant's does not see
	creators := func(token string) []string {
		t.Helper()
		var names []string
		page, _ := s.call(t, "GET", clients, "", as(token), of(s.acme)).data(t)["clients"].([]any)
		for _, one := range page {
			id, _ := at(t, one.(map[string]any), "createdBy", "id").(string)
			names = append(names, id)
		}
		return names
	}
	root := testenv.Payload(t, s.root)["sub"].(string)
	if got := creators(token); !slices.Equal(got, []string{"signet:test", admin.Account.ID.String(), root}) {
		t.Errorf("the tenant's administrator sees %v", got)
	}
	if got := creators(s.root); got[1] != admin.Account.ID.String() || strings.Contains(got[2], ":") {
		t.Errorf("the system's administrator sees %v", got)
	}
}
