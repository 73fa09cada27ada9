package rezolve_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/engines"
	"github.com/signet-issuer/signet/internal/testenv"
	"github.com/signet-issuer/signet/server/compat/rezolve"
	"github.com/signet-issuer/signet/test/referee"
)

const (
	create  = "/api/v1/admin/service-account/create"
	clients = "/api/v1/oauth-clients"
	someID  = "0199c1a2-7f34-7cc1-9d1e-3a5b8f2c4d01"
)

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }

// everywhere runs a test on the embedded databases and on the production engines.
func everywhere(t *testing.T, test func(*testing.T, *server)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) { test(t, start(t)) })
	t.Run("production", func(t *testing.T) {
		test(t, start(t, func(c *testenv.Config) { c.Database, c.Redis = engines.Database(t), engines.RedisURL(t) }))
	})
}

// server is a whole Signet; what the tests of the dialect send goes past the referee.
type server struct {
	*testenv.Env
	http *http.Client
	root string       // token of an owner of the system org
	acme accounts.Org // with the default role api
}

func start(t testing.TB, change ...func(*testenv.Config)) *server {
	t.Helper()
	s := &server{Env: testenv.Start(t, change...)}
	s.http = referee.New(t, document(t)).Client()
	s.root = s.Token(t, s.Admin)
	s.acme = s.Org(t, "acme", func(org *accounts.NewOrg) { org.DefaultRole, org.Name = accounts.RoleAPI, "Acme Corporation" })
	return s
}

func document(t testing.TB) []byte {
	t.Helper()
	rendered, err := rezolve.Document()
	if err != nil {
		t.Fatal(err)
	}
	return rendered
}

type option = func(*http.Request)

func as(token string) option { return testenv.Bearer(token) }

func tenant(id string) option { return testenv.Header("x-tenantid", id) }

// of names the tenant.
func of(org accounts.Org) option { return tenant(org.ID.String()) }

// answer is an answer with its body read.
type answer struct {
	request string
	status  int
	header  http.Header
	body    string
}

// call sends JSON, or nothing when body is empty.
func (s *server) call(t testing.TB, method, path, body string, options ...option) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, apply := range options {
		apply(r)
	}
	response, err := s.http.Do(r)
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

// sys calls as an owner of the system org, about acme.
func (s *server) sys(t testing.TB, method, path, body string, options ...option) answer {
	t.Helper()
	return s.call(t, method, path, body, append([]option{as(s.root), of(s.acme)}, options...)...)
}

func (a answer) wants(t testing.TB, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("%s: status %d, want %d: %s", a.request, a.status, status, a.body)
	}
	return a
}

// refused checks status and code of an error.
func (a answer) refused(t testing.TB, status int, code string) answer {
	t.Helper()
	a.wants(t, status)
	if got := at(t, a.object(t), "error", "code"); got != code {
		t.Fatalf("%s: code %v, want %s: %s", a.request, got, code, a.body)
	}
	return a
}

func (a answer) object(t testing.TB) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(a.body), &object); err != nil {
		t.Fatalf("%s: %v: %s", a.request, err, a.body)
	}
	return object
}

// data is what the envelope of a success carries.
func (a answer) data(t testing.TB) map[string]any {
	t.Helper()
	data, ok := a.wants(t, http.StatusOK).object(t)["data"].(map[string]any)
	if !ok {
		t.Fatalf("%s: no data in %s", a.request, a.body)
	}
	return data
}

// text is a text in the data.
func (a answer) text(t testing.TB, path ...string) string {
	t.Helper()
	text, ok := at(t, a.data(t), path...).(string)
	if !ok {
		t.Fatalf("%s: no %v in %s", a.request, path, a.body)
	}
	return text
}

// at walks into an object.
func at(t testing.TB, object map[string]any, path ...string) any {
	t.Helper()
	var value any = object
	for _, name := range path {
		inner, ok := value.(map[string]any)
		if !ok {
			t.Fatalf("no %v in %v", path, object)
		}
		value = inner[name]
	}
	return value
}

func list(t testing.TB, value any) []string {
	t.Helper()
	items, ok := value.([]any)
	if !ok {
		t.Fatalf("%v is no list", value)
	}
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i], _ = item.(string)
	}
	return texts
}

// administrator makes an account of acme with the role and returns its token.
func (s *server) administrator(t testing.TB, slug, role string) string {
	t.Helper()
	return s.Token(t, s.Machine(t, "acme", slug, role).Login, "resource", s.Issuer)
}

const newClient = `{"name":"Backend Service","description":"Reports","clientType":"confidential","redirectUris":[],
	"grantTypes":["client_credentials"],"scopes":["api:read"],"allowedOrigins":[],"ipWhitelist":[]}`

// client makes an OAuth client of acme.
func (s *server) client(t testing.TB) (id string, login testenv.Login) {
	t.Helper()
	made := s.sys(t, "POST", clients, newClient)
	return made.text(t, "id"), testenv.Login{ID: made.text(t, "clientId"), Secret: made.text(t, "clientSecret")}
}
