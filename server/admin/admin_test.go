package admin_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/internal/testenv"
	"github.com/signet-issuer/signet/test/referee"
)

// server is a whole Signet; everything that a test sends goes past the referee.
type server struct {
	*testenv.Env
	http *http.Client
	root string // token of an owner of the system org
}

func start(t testing.TB, change ...func(*testenv.Config)) *server {
	t.Helper()
	s := &server{Env: testenv.Start(t, change...)}
	s.http = referee.New(t, renderedDocument(t)).Client()
	s.root = s.Token(t, s.Admin)
	return s
}

// answer is an answer with its body read.
type answer struct {
	request string
	status  int
	header  http.Header
	body    string
}

type option = func(*http.Request)

func as(token string) option           { return testenv.Bearer(token) }
func ifMatch(tag string) option        { return testenv.Header("If-Match", tag) }
func idempotencyKey(key string) option { return testenv.Header("Idempotency-Key", key) }

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

// sys calls as an owner of the system org.
func (s *server) sys(t testing.TB, method, path, body string, options ...option) answer {
	t.Helper()
	return s.call(t, method, path, body, append([]option{as(s.root)}, options...)...)
}

// wants fails the test unless the answer has the status.
func (a answer) wants(t testing.TB, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("%s: status %d, want %d: %s", a.request, a.status, status, a.body)
	}
	return a
}

// refused checks status and class of an error.
func (a answer) refused(t testing.TB, status int, class string) answer {
	t.Helper()
	a.wants(t, status)
	if got := a.text(t, "error"); got != class {
		t.Fatalf("%s: error %q, want %q: %s", a.request, got, class, a.body)
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

// text returns a member that is a string.
func (a answer) text(t testing.TB, name string) string {
	t.Helper()
	text, ok := a.object(t)[name].(string)
	if !ok {
		t.Fatalf("%s: no %s in %s", a.request, name, a.body)
	}
	return text
}

// results returns one member of every object of a list.
func (a answer) results(t testing.TB, name string) []string {
	t.Helper()
	list, ok := a.object(t)["results"].([]any)
	if !ok {
		t.Fatalf("%s: no results in %s", a.request, a.body)
	}
	texts := make([]string, len(list))
	for i := range list {
		object, _ := list[i].(map[string]any)
		texts[i], _ = object[name].(string)
	}
	return texts
}

// administrator makes an account with the role in the org and returns its token.
func (s *server) administrator(t testing.TB, org, slug, role string) string {
	t.Helper()
	return s.Token(t, s.Machine(t, org, slug, role).Login, "resource", s.Issuer)
}

// issued makes a service account of the org acme over HTTP and returns its client id and secret.
func (s *server) issued(t testing.TB, slug, role string) testenv.Login {
	t.Helper()
	made := s.sys(t, "POST", "/v2/orgs/acme/service-accounts",
		`{"slug":"`+slug+`","name":"`+slug+`","roleSlug":"`+role+`"}`).wants(t, 201)
	return testenv.Login{ID: made.text(t, "clientId"), Secret: made.text(t, "clientSecret")}
}
