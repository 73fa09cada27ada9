package e2e_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/test/referee"
)

// answer is an answer with its body read.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// field reads one member of an object.
func (a answer) field(t testing.TB, name string) string {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal(a.body, &object); err != nil {
		t.Fatalf("the body is no JSON object: %v: %s", err, a.body)
	}
	value, ok := object[name].(string)
	if !ok {
		t.Fatalf("the body has no text %q: %s", name, a.body)
	}
	return value
}

// into decodes the body.
func (a answer) into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
}

// api calls a server; every answer has to be one that its own document allows.
type api struct {
	t      testing.TB
	url    string
	issuer string
	bearer string // of an administrator, once there is one
	http   *http.Client
}

// api returns a caller without authorization. Its requests pass through the transports, the
// first one innermost.
func (s *server) api(t testing.TB, around ...func(http.RoundTripper) http.RoundTripper) *api {
	t.Helper()
	a := s.plain(t)
	document := a.get(documentPath).body
	a.http.Transport = referee.New(t, document).Watch(a.http.Transport)
	for _, wrap := range around {
		a.http.Transport = wrap(a.http.Transport)
	}
	return a
}

// plain returns a caller that no referee watches, for what is about speed or broken connections.
func (s *server) plain(t testing.TB) *api {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	t.Cleanup(transport.CloseIdleConnections)
	return &api{t: t, url: s.url, issuer: s.issuer, http: &http.Client{Transport: transport}}
}

// as returns a caller with an administrative token of the login.
func (a *api) as(who login) *api {
	a.t.Helper()
	b := *a
	b.bearer = a.token(who, "resource", a.issuer)
	return &b
}

type option = func(*http.Request)

func header(name, value string) option {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func (a *api) do(method, path, body string, options ...option) answer {
	a.t.Helper()
	got, err := a.try(method, path, body, options...)
	if err != nil {
		a.t.Fatal(err)
	}
	return got
}

// try reports a broken connection instead of failing the test.
func (a *api) try(method, path, body string, options ...option) (answer, error) {
	r, err := http.NewRequestWithContext(a.t.Context(), method, a.url+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if a.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+a.bearer)
	}
	for _, apply := range options {
		apply(r)
	}
	response, err := a.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, read}, err
}

// want sends a request whose answer must have the status.
func (a *api) want(status int, method, path, body string, options ...option) answer {
	a.t.Helper()
	got := a.do(method, path, body, options...)
	if got.status != status {
		a.t.Fatalf("%s %s: status %d, want %d: %s", method, path, got.status, status, got.body)
	}
	return got
}

func (a *api) get(path string) answer {
	a.t.Helper()
	return a.want(http.StatusOK, http.MethodGet, path, "")
}

func (a *api) post(status int, path, body string, options ...option) answer {
	a.t.Helper()
	return a.want(status, http.MethodPost, path, body, options...)
}

func (a *api) delete(path string) {
	a.t.Helper()
	a.want(http.StatusOK, http.MethodDelete, path, "")
}

// form posts a form without the administrator's token.
func (a *api) form(path string, form url.Values, options ...option) (answer, error) {
	b := *a
	b.bearer = ""
	return b.try(http.MethodPost, path, form.Encode(),
		append([]option{header("Content-Type", "application/x-www-form-urlencoded")}, options...)...)
}

func basic(who login) option {
	return func(r *http.Request) { r.SetBasicAuth(url.QueryEscape(who.ID), url.QueryEscape(who.Secret)) }
}

// ask sends a token request. Parameters are pairs.
func (a *api) ask(who login, parameters ...string) (answer, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	for i := 0; i+1 < len(parameters); i += 2 {
		form.Add(parameters[i], parameters[i+1])
	}
	return a.form("/token", form, basic(who))
}

// token trades a login for a token.
func (a *api) token(who login, parameters ...string) string {
	a.t.Helper()
	got, err := a.ask(who, parameters...)
	if err != nil {
		a.t.Fatal(err)
	}
	if got.status != http.StatusOK {
		a.t.Fatalf("no token: status %d: %s", got.status, got.body)
	}
	return got.field(a.t, "access_token")
}

// active introspects a token with the administrator's.
func (a *api) active(token string) bool {
	a.t.Helper()
	got, err := a.form("/introspect", url.Values{"token": {token}}, header("Authorization", "Bearer "+a.bearer))
	if err != nil {
		a.t.Fatal(err)
	}
	if got.status != http.StatusOK {
		a.t.Fatalf("introspection: status %d: %s", got.status, got.body)
	}
	var said struct{ Active bool }
	got.into(a.t, &said)
	return said.Active
}

// machine is a service account with its first credential.
type machine struct {
	login
	path       string // of the account
	credential string // id
}

// makeAcme makes the organization of the tests.
func (a *api) makeAcme() {
	a.t.Helper()
	a.post(http.StatusCreated, "/v2/orgs", `{"slug":"acme","name":"Acme"}`)
}

// machine makes a service account of acme.
func (a *api) machine(slug string) machine {
	a.t.Helper()
	const accounts = "/v2/orgs/acme/service-accounts"
	made := a.post(http.StatusCreated, accounts, `{"slug":"`+slug+`","name":"`+slug+`","roleSlug":"agent-standard"}`)
	return machine{
		login:      login{made.field(a.t, "clientId"), made.field(a.t, "clientSecret")},
		path:       accounts + "/" + slug,
		credential: made.field(a.t, "credentialId"),
	}
}
