package dialects_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/testenv"
)

const (
	anyText    = `.+`
	anyUUID    = uuidShape
	shortShape = `[a-z2-7]{26}`
	timeShape  = `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`
)

var typeNames = []string{"[bool]", "[map[string]interface {}]"}

// documented is a member that a vendor's page shows, and the shape of its value: for a text a
// pattern, for other types the type's name in brackets.
type documented struct {
	path  []any
	shape string
}

func member(shape string, path ...any) documented { return documented{path, shape} }

func (a answer) documents(t *testing.T, members ...documented) {
	t.Helper()
	for _, m := range members {
		value := a.at(t, m.path...)
		if slices.Contains(typeNames, m.shape) {
			if got := fmt.Sprintf("[%T]", value); got != m.shape {
				t.Errorf("%v is %s, and not %s: %s", m.path, got, m.shape, a.body)
			}
			continue
		}
		text, ok := value.(string)
		if !ok || !regexp.MustCompile("^(?:"+m.shape+")$").MatchString(text) {
			t.Errorf("%v is %v, and not of the shape %s", m.path, value, m.shape)
		}
	}
}

// seed fills a vendor's command in: pairs of what is replaced, and by what.
func (w *world) seed(t *testing.T, name string, filled ...string) answer {
	t.Helper()
	line, err := os.ReadFile(filepath.Join("testdata", "seeds", name+".sh"))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(filled); i += 2 {
		if !strings.Contains(string(line), filled[i]) {
			t.Fatalf("the command has no %s", filled[i])
		}
	}
	return w.run(t, curl(t, strings.NewReplacer(filled...).Replace(string(line))))
}

func TestSeed000_Prisme(t *testing.T) {
	w := start(t)
	w.Org(t, "acme")
	admin := w.Token(t, w.Machine(t, "acme", "administrator", accounts.RoleAdmin).Login)
	got := w.seed(t, "prisme", "https://api.eda.prisme.ai", w.URL, "{orgSlug}", "acme", "<token>", admin,
		`"slug": "<string>"`, `"slug": "ci"`, `"roleSlug": "<string>"`, `"roleSlug": "agent-standard"`,
		"[\n    \"<string>\"", "[\n    \"llm:*\"").wants(t, 201)
	got.documents(t,
		member(anyUUID, "id"), member("sa:acme:ci", "userId"), member("acme", "orgSlug"), member("ci", "slug"),
		member("<string>", "name"), member("<string>", "description"), member("agent-standard", "roleSlug"),
		member(`llm:\*`, "scopes", 0), member("[bool]", "disabled"), member(anyText, "createdBy"), member(anyText, "updatedBy"),
		member(timeShape, "createdAt"), member(timeShape, "updatedAt"), member("sas_acme_"+uuidShape, "clientSecret"),
	)
	if got.at(t, "lastUsedAt") != nil || got.at(t, "disabled") != false {
		t.Errorf("a new account was used, or is disabled: %s", got.body)
	}
	// The last documented member has a value once there is one.
	w.call(t, "POST", "/v2/orgs/acme/service-accounts/ci/token", fmt.Sprintf(`{"clientSecret":%q}`, got.text(t, "clientSecret"))).wants(t, 200)
	w.call(t, "GET", "/v2/orgs/acme/service-accounts/ci", "", as(admin)).documents(t, member(timeShape, "lastUsedAt"))
}

// The page lists ten operations, without a command: each is called as its clients call it.
func TestSeed001_KeycardResource(t *testing.T) {
	w := start(t)
	w.Org(t, "acme")
	login := w.Machine(t, "acme", "administrator", accounts.RoleAdmin).Login
	token := w.call(t, "POST", "/service-account-token", grant, asForm, login.Basic()).wants(t, 200).text(t, "access_token")
	say := func(status int, method, path, sent string) answer {
		return w.call(t, method, "/organizations/acme/service-accounts"+path, sent, as(token)).wants(t, status)
	}
	account := []documented{
		member(shortShape, "id"), member(timeShape, "created_at"), member("name", "name"), member(timeShape, "updated_at"), member("description", "description"),
	}
	made := say(201, "POST", "", `{"name":"name","description":"description"}`)
	made.documents(t, account...)
	one := "/" + made.text(t, "id")
	say(200, "GET", one+"?expand[]=permissions", "").documents(t, append(account, member("[map[string]interface {}]", "permissions"))...)
	say(200, "PATCH", one, `{"name":"name"}`).documents(t, account...)
	if listed := say(200, "GET", "?expand=total_count", "").list(t, "items"); len(listed) != 2 {
		t.Errorf("%d accounts", len(listed))
	}
	credential := []documented{
		member(shortShape, "id"), member(anyText, "client_id"), member(timeShape, "created_at"), member("name", "name"), member("description", "description"),
	}
	secret := say(201, "POST", one+"/credentials", `{"name":"name","description":"description"}`)
	secret.documents(t, append(credential, member("[A-Za-z0-9]{64}", "client_secret"))...)
	two := one + "/credentials/" + secret.text(t, "id")
	used := testenv.Login{ID: secret.text(t, "client_id"), Secret: secret.text(t, "client_secret")}
	w.call(t, "POST", "/service-account-token", used.Form().Encode(), asForm).wants(t, 200)
	say(200, "GET", two+"?expand=permissions", "").documents(t,
		append(credential, member(timeShape, "last_used_at"), member("[map[string]interface {}]", "permissions"))...)
	say(200, "PATCH", two, `{"description":"description"}`).documents(t, credential...)
	if listed := say(200, "GET", one+"/credentials", "").list(t, "items"); len(listed) != 1 {
		t.Errorf("%d credentials", len(listed))
	}
	say(204, "DELETE", two, "")
	say(204, "DELETE", one, "")
}

// The page's program sends this for serviceAccounts.create('x', { name: 'name' }).
func TestSeed002_KeycardCreate(t *testing.T) {
	w := start(t)
	w.Org(t, "x")
	login := w.Machine(t, "x", "administrator", accounts.RoleAdmin).Login
	token := w.call(t, "POST", "/service-account-token", grant, asForm, login.Basic()).wants(t, 200).text(t, "access_token")
	const id = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"
	got := w.call(t, "POST", "/organizations/x/service-accounts", `{"name":"name"}`, as(token), header("X-Client-Request-ID", id)).wants(t, 201)
	got.documents(t, member(shortShape, "id"), member(timeShape, "created_at"), member("name", "name"), member(timeShape, "updated_at"))
	if got.header.Get("X-Correlation-Id") != id {
		t.Errorf("headers %v", got.header)
	}
	shown := w.call(t, "GET", "/organizations/x/service-accounts/"+got.text(t, "id")+"?expand=permissions", "", as(token)).wants(t, 200)
	shown.documents(t, member("[bool]", "permissions", "service_accounts", "read"), member("[bool]", "permissions", "service_accounts", "update"))
	long := fmt.Sprintf(`{"name":"name","description":%q}`, strings.Repeat("d", 501))
	w.call(t, "POST", "/organizations/x/service-accounts", long, as(token)).wants(t, 400)
}

func TestSeed003_Nscale(t *testing.T) {
	w := start(t)
	org := w.Org(t, "acme")
	admin := w.Token(t, w.Machine(t, "acme", "administrator", accounts.RoleAdmin).Login)
	group := w.call(t, "POST", "/api/v1/organizations/"+org.ID.String()+"/groups",
		`{"metadata":{"name":"g"},"spec":{"roleIDs":[],"serviceAccountIDs":[]}}`, as(admin)).wants(t, 201).text(t, "metadata", "id")
	got := w.seed(t, "nscale", "https://identity.nks.europe-west4.nscale.com", w.URL, "{organizationID}", org.ID.String(),
		"<token>", admin, "0aaba80d-67ef-4799-b6d9-59f37e2ce2ad", group).wants(t, 201)
	got.documents(t,
		member(anyUUID, "metadata", "id"), member("my-service-account", "metadata", "name"), member(org.ID.String(), "metadata", "organizationId"),
		member(timeShape, "metadata", "creationTime"), member("provisioned", "metadata", "provisioningStatus"), member("healthy", "metadata", "healthStatus"),
		member(group, "spec", "groupIDs", 0), member(timeShape, "status", "expiry"), member(anyText, "status", "accessToken"),
	)
	// The same with the group of the page, which there is not.
	again := w.seed(t, "nscale", "https://identity.nks.europe-west4.nscale.com", w.URL, "{organizationID}", org.ID.String(), "<token>", admin).wants(t, 201)
	if groups := again.list(t, "spec", "groupIDs"); len(groups) != 0 {
		t.Errorf("groups %v", groups)
	}
	w.call(t, "GET", "/oauth2/v2/userinfo", "", as(got.text(t, "status", "accessToken"))).wants(t, 200)
}

func TestSeed004_Rezolve(t *testing.T) {
	w := start(t)
	org := w.Org(t, "acme", func(in *accounts.NewOrg) { in.Name, in.DefaultRole = "Acme Corporation", accounts.RoleAPI })
	admin := w.Token(t, w.Machine(t, "acme", "administrator", accounts.RoleAdmin).Login)
	got := w.seed(t, "rezolve", "{{base_url}}", w.URL, "{{access_token}}", admin, "{{tenant_id}}", org.ID.String()).wants(t, 200)
	got.documents(t,
		member("[bool]", "success"), member("Service account created successfully", "message"), member(`.*\.\d{3}Z`, "timestamp"),
		member("sa-"+uuidShape, "data", "id"), member(`service-account-\d{14}`, "data", "name"),
		member(`sa_client_[0-9a-f]{12}`, "data", "clientId"), member(`sa_secret_[A-Za-z0-9]{20}`, "data", "clientSecret"),
		member("service_account", "data", "type"), member("active", "data", "status"),
		member("api:read", "data", "permissions", 0), member("api:write", "data", "permissions", 1),
		member(`.*\.\d{3}Z`, "data", "createdAt"), member(uuidShape, "data", "createdBy", "id"),
		member("administrator", "data", "createdBy", "name"), member(`.+@.+`, "data", "createdBy", "email"),
		member(org.ID.String(), "data", "tenant", "id"), member("Acme Corporation", "data", "tenant", "name"),
	)
}
