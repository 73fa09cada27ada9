package nscale_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/testenv"
	"github.com/signet-issuer/signet/server/compat/nscale"
	"github.com/signet-issuer/signet/test/referee"
)

// door is a whole Signet; everything that a test sends goes past the referee.
type door struct {
	*testenv.Env
	http  *http.Client
	acme  accounts.Org
	other accounts.Org
	admin string // token of an account of acme that may do everything there
}

func start(t testing.TB, change ...func(*testenv.Config)) *door {
	t.Helper()
	d := &door{Env: testenv.Start(t, change...)}
	d.http = referee.New(t, renderedDocument(t)).Client()
	d.acme, d.other = d.Org(t, "acme"), d.Org(t, "other")
	d.admin = d.administrator(t, "acme", "admin", accounts.RoleOwner)
	return d
}

func renderedDocument(t testing.TB) []byte {
	t.Helper()
	document, err := nscale.Document()
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// administrator makes an account with the role in the org and returns a JWT for the issuer.
func (d *door) administrator(t testing.TB, org, slug, role string) string {
	t.Helper()
	return d.Token(t, d.Machine(t, org, slug, role).Login, "resource", d.Issuer)
}

type option = func(*http.Request)

func as(token string) option { return testenv.Bearer(token) }

type answer struct {
	request string
	status  int
	header  http.Header
	body    string
}

// call sends JSON, or nothing when body is empty.
func (d *door) call(t testing.TB, method, path, body string, options ...option) answer {
	t.Helper()
	if body != "" {
		options = append([]option{testenv.Header("Content-Type", "application/json")}, options...)
	}
	return d.send(t, method, path, body, options...)
}

func (d *door) send(t testing.TB, method, path, body string, options ...option) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, d.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, apply := range options {
		apply(r)
	}
	response, err := d.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{method + " " + path, response.StatusCode, response.Header, string(read)}
}

// may calls as the administrator of acme.
func (d *door) may(t testing.TB, method, path, body string) answer {
	t.Helper()
	return d.call(t, method, path, body, as(d.admin))
}

func (a answer) wants(t testing.TB, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("%s: status %d, want %d: %s", a.request, a.status, status, a.body)
	}
	return a
}

// refused checks an error, which says the id of the request and forbids to keep the answer.
func (a answer) refused(t testing.TB, status int, code string) answer {
	t.Helper()
	a.wants(t, status)
	said := into[map[string]string](t, a)
	if said["error"] != code || said["error_description"] == "" || said["trace_id"] != a.header.Get("X-Correlation-Id") {
		t.Fatalf("%s: %s, want %s", a.request, a.body, code)
	}
	if got := a.header.Get("Cache-Control"); got != "no-cache" || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("%s: headers %v", a.request, a.header)
	}
	return a
}

// says checks a part of the description.
func (a answer) says(t testing.TB, text string) answer {
	t.Helper()
	if got := into[map[string]string](t, a)["error_description"]; !strings.Contains(got, text) {
		t.Errorf("%s: %q, want something about %q", a.request, got, text)
	}
	return a
}

func into[T any](t testing.TB, a answer) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%s: %v: %s", a.request, err, a.body)
	}
	return v
}

// object is any resource as a client reads it.
type object struct {
	Metadata struct {
		ID, Name, Description, OrganizationID             string
		CreationTime, CreatedBy, ModifiedTime, ModifiedBy string
		ProvisioningStatus, HealthStatus                  string
		Tags                                              []accounts.Tag
	}
	Spec struct {
		GroupIDs, RoleIDs, ServiceAccountIDs []string
		OrganizationType                     string
	}
	Status struct{ Expiry, AccessToken string }
}

func path(org accounts.Org, parts ...string) string {
	return "/api/v1/organizations/" + org.ID.String() + "/" + strings.Join(parts, "/")
}

func named(name string, groups ...string) string {
	return `{"metadata":{"name":"` + name + `"},"spec":{"groupIDs":` + list(groups) + `}}`
}

func list(texts []string) string {
	if len(texts) == 0 {
		return "[]"
	}
	return `["` + strings.Join(texts, `","`) + `"]`
}

// made creates a service account in acme and returns it with its token.
func (d *door) made(t testing.TB, name string, groups ...string) object {
	t.Helper()
	return into[object](t, d.may(t, "POST", path(d.acme, "serviceaccounts"), named(name, groups...)).wants(t, 201))
}

// group creates a group in acme whose members hold the permissions.
func (d *door) group(t testing.TB, name string, permissions ...string) object {
	t.Helper()
	role := d.Role(t, "acme", "role-of-"+name, permissions...)
	body := `{"metadata":{"name":"` + name + `"},"spec":{"roleIDs":["` + role.ID.String() + `"],"serviceAccountIDs":[]}}`
	return into[object](t, d.may(t, "POST", path(d.acme, "groups"), body).wants(t, 201))
}

func (d *door) lists(t testing.TB, token string, parts ...string) []object {
	t.Helper()
	return into[[]object](t, d.call(t, "GET", path(d.acme, parts...), "", as(token)).wants(t, 200))
}

// disable does by the service what this door has no word for.
func (d *door) disable(t testing.TB, id string) {
	t.Helper()
	_, err := d.Service.UpdateAccount(t.Context(), testenv.Operator, accounts.AccountRef{
		Org: accounts.ByID(d.acme.ID), Account: accounts.ByID(uuid.MustParse(id)),
	}, accounts.AccountPatch{Disabled: accounts.Some(true)})
	if err != nil {
		t.Fatal(err)
	}
}
