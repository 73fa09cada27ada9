package rezolve_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/testenv"
)

// The command of the vendor's page with nothing but its placeholders filled.
func TestSeed004_CurlAsWritten(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("curl is not installed")
	}
	s := start(t)
	script, err := os.ReadFile("testdata/create-service-account.sh")
	if err != nil {
		t.Fatal(err)
	}
	command := strings.NewReplacer("{{base_url}}", s.URL, "{{access_token}}", s.administrator(t, "tenant-admin", "admin"),
		"{{tenant_id}}", s.acme.ID.String()).Replace(string(script))
	shell := exec.CommandContext(t.Context(), "sh", "-c", strings.TrimSpace(command)+` --silent --show-error --write-out '%{http_code}'`)
	output, err := shell.Output()
	if err != nil {
		t.Fatal(err)
	}
	body, status := string(output[:len(output)-3]), string(output[len(output)-3:])
	if status != "200" {
		t.Fatalf("status %s: %s", status, body)
	}
	checkSeed004(t, s, answer{request: "curl", status: http.StatusOK, body: body})
}

// checkSeed004 checks every documented member of the answer, its type and its shape.
func checkSeed004(t *testing.T, s *server, got answer) {
	t.Helper()
	const id = `[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`
	const instant = `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`
	object := got.object(t)
	if object["success"] != true || object["message"] != "Service account created successfully" {
		t.Errorf("envelope %v", object)
	}
	if timestamp, _ := object["timestamp"].(string); !regexp.MustCompile("^" + instant + "$").MatchString(timestamp) {
		t.Errorf("timestamp %q", timestamp)
	}
	for _, want := range []struct {
		path  []string
		shape string
	}{
		{[]string{"id"}, `sa-` + id},
		{[]string{"name"}, `service-account-\d{14}`},
		{[]string{"clientId"}, `sa_client_[0-9a-f]{12}`},
		{[]string{"clientSecret"}, `sa_secret_[A-Za-z0-9]{20}`},
		{[]string{"type"}, `service_account`},
		{[]string{"status"}, `active`},
		{[]string{"createdAt"}, instant},
		{[]string{"createdBy", "id"}, id},
		{[]string{"createdBy", "name"}, `tenant-admin`},
		{[]string{"createdBy", "email"}, `tenant-admin@acme\.sa\.invalid`},
		{[]string{"tenant", "id"}, s.acme.ID.String()},
		{[]string{"tenant", "name"}, `Acme Corporation`},
	} {
		if text := got.text(t, want.path...); !regexp.MustCompile("^" + want.shape + "$").MatchString(text) {
			t.Errorf("%v has not the shape %s", want.path, want.shape)
		}
	}
	if permissions := list(t, got.data(t)["permissions"]); !slices.Equal(permissions, []string{"api:read", "api:write"}) {
		t.Errorf("permissions %v", permissions)
	}
}

func TestCreatedAccountIsACitizenOfAllDoors(t *testing.T) {
	s := start(t)
	made := s.sys(t, "POST", create, "")
	checkName := regexp.MustCompile(`^service-account-` + s.Clock.Now().UTC().Format("20060102") + `\d{6}$`)
	if !checkName.MatchString(made.text(t, "name")) {
		t.Errorf("name %q", made.text(t, "name"))
	}
	id := strings.TrimPrefix(made.text(t, "id"), "sa-")
	for _, clientID := range []string{made.text(t, "clientId"), id} {
		token := s.Token(t, testenv.Login{ID: clientID, Secret: made.text(t, "clientSecret")})
		claims := testenv.Payload(t, token)
		if claims["scope"] != "api:read api:write" || claims["org"] != "acme" || claims["client_id"] != made.text(t, "clientId") {
			t.Errorf("claims %v", claims)
		}
	}
	login := testenv.Login{ID: id, Secret: made.text(t, "clientSecret")}
	if alias := s.Post(t, "/api/v1/oauth/token", login.Form()); alias.Status != http.StatusOK || alias.JSON(t)["token_type"] != "Bearer" {
		t.Errorf("the dialect's token endpoint answers %d %s", alias.Status, alias.Body)
	}
	native := s.Do(t, "GET", "/v2/orgs/acme/service-accounts/"+id, "", as(s.root)).JSON(t)
	if native["name"] != made.text(t, "name") || native["slug"] != made.text(t, "name") || native["roleSlug"] != "api" || native["lastUsedAt"] == nil {
		t.Errorf("the native API shows %v", native)
	}
	shown := s.sys(t, "GET", clients+"/"+made.text(t, "id"), "").data(t)
	if shown["id"] != id || shown["clientId"] != made.text(t, "clientId") || at(t, shown, "usage", "lastUsedAt") == nil {
		t.Errorf("as a client it is %v", shown)
	}
}

func TestNamesAreUniqueWithinOneSecond(t *testing.T) { everywhere(t, namesAreUnique) }

func namesAreUnique(t *testing.T, s *server) {
	s.Clock.Stop()
	const many = 12
	names := make([]string, many)
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+create, nil)
			if err != nil {
				t.Error(err)
				return
			}
			as(s.root)(r)
			of(s.acme)(r)
			response, err := s.http.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = response.Body.Close() }()
			var body struct{ Data struct{ Name string } }
			if err := json.NewDecoder(response.Body).Decode(&body); err != nil || response.StatusCode != http.StatusOK {
				t.Errorf("status %d: %v", response.StatusCode, err)
			}
			names[i] = body.Data.Name
		})
	}
	all.Wait()
	stem := "service-account-" + s.Clock.Now().UTC().Format("20060102150405")
	want := []string{stem}
	for n := 2; n <= many; n++ {
		want = append(want, fmt.Sprintf("%s-%d", stem, n))
	}
	slices.Sort(names)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("names %v", names)
	}
}

func TestCreateAccountBodies(t *testing.T) {
	s := start(t)
	for _, body := range []string{"", "{}", " {\n} "} {
		s.sys(t, "POST", create, body).wants(t, 200)
	}
	untyped := func(r *http.Request) { r.Header.Del("Content-Type") }
	s.http = http.DefaultClient // the document asks for a content type where there is a body
	s.sys(t, "POST", create, "{}", untyped).wants(t, 200)
	s.sys(t, "POST", create, "", testenv.Header("Content-Type", "text/plain"), testenv.Header("realmname", "any"), testenv.Header("x-other", "1")).wants(t, 200)
	for _, bad := range []struct {
		body, code string
	}{
		{`{"name":"mine"}`, "VALIDATION_ERROR"},
		{`{"id":"sa-1","permissions":["*"]}`, "VALIDATION_ERROR"}, // hazard 43
		{`[]`, "VALIDATION_ERROR"},
		{`""`, "VALIDATION_ERROR"},
		{`null`, "INVALID_REQUEST"},
		{`{} {}`, "INVALID_REQUEST"},
		{`{`, "INVALID_REQUEST"},
		{`{"a":1,"a":2}`, "VALIDATION_ERROR"},
	} {
		refused := s.sys(t, "POST", create, bad.body).refused(t, 400, bad.code)
		if strings.Contains(refused.body, "mine") {
			t.Errorf("the refusal repeats what was sent: %s", refused.body)
		}
	}
	s.sys(t, "POST", create, strings.Repeat(" ", 65<<10)).refused(t, 413, "PAYLOAD_TOO_LARGE")
	s.sys(t, "POST", create, "{}", func(r *http.Request) { r.Header.Set("Content-Type", "text/xml") }).refused(t, 415, "UNSUPPORTED_MEDIA_TYPE")
}

func TestQuotaIsTheDocumentedConflict(t *testing.T) {
	s := start(t)
	small := s.Org(t, "small", func(org *accounts.NewOrg) { two := int64(2); org.MaxServiceAccounts = &two })
	first := s.call(t, "POST", create, "", as(s.root), of(small))
	s.call(t, "POST", create, "", as(s.root), of(small)).wants(t, 200)
	s.call(t, "POST", create, "", as(s.root), of(small)).refused(t, 409, "SERVICE_ACCOUNT_LIMIT_REACHED")
	refused := s.call(t, "POST", clients, strings.Replace(newClient, "api:read", "llm:*", 1), as(s.root), of(small))
	refused.refused(t, 409, "SERVICE_ACCOUNT_LIMIT_REACHED")
	// The dead do not count.
	s.call(t, "DELETE", clients+"/"+first.text(t, "id"), "", as(s.root), of(small)).wants(t, 200)
	s.call(t, "POST", create, "", as(s.root), of(small)).wants(t, 200)
}

// tenant_admin is the role admin of the tenant, super_admin the owner of the system org.
func TestRequiredRoles(t *testing.T) {
	s := start(t)
	for role, status := range map[string]int{"admin": 200, "owner": 200, "viewer": 403, "member": 403, "api": 403} {
		token := s.Token(t, s.Machine(t, "acme", role, role).Login, "resource", s.Issuer)
		got := s.call(t, "POST", create, "", as(token), of(s.acme)).wants(t, status)
		if status == http.StatusForbidden {
			got.refused(t, 403, "FORBIDDEN")
			if challenge := got.header.Get("WWW-Authenticate"); challenge != `Bearer error="insufficient_scope", scope="orgs:service-accounts:create"` {
				t.Errorf("%s: challenge %q", role, challenge)
			}
		}
	}
	super := s.call(t, "POST", create, "", as(s.root), of(s.acme))
	if _, err := uuid.Parse(super.text(t, "createdBy", "id")); err != nil || !strings.HasSuffix(super.text(t, "createdBy", "email"), "@system.sa.invalid") {
		t.Errorf("created by %v", super.data(t)["createdBy"])
	}
}

// I34: the account gets the default role, which only who may grant it can hand out.
func TestI34_DefaultRoleIsNoEscalation(t *testing.T) {
	s := start(t)
	s.Role(t, "acme", "powerful", "secrets:*")
	_, err := s.Service.UpdateOrg(t.Context(), testenv.Operator, accounts.BySlug("acme"), accounts.OrgPatch{DefaultRole: accounts.Some("powerful")})
	if err != nil {
		t.Fatal(err)
	}
	admin := s.administrator(t, "tenant-admin", "admin")
	s.call(t, "POST", create, "", as(admin), of(s.acme)).refused(t, 403, "FORBIDDEN")
	s.call(t, "POST", clients, strings.Replace(newClient, "api:read", "secrets:read", 1), as(admin), of(s.acme)).refused(t, 403, "FORBIDDEN")
	s.sys(t, "POST", create, "").wants(t, 200)
}
