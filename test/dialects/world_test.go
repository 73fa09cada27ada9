package dialects_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/testenv"
	"github.com/signet-issuer/signet/test/referee"
)

// world is a server with every door, and a client whose every exchange one of the documents allows.
type world struct {
	*testenv.Env
	http *http.Client
	root string // token of an owner of the system org
}

func start(t testing.TB) *world {
	t.Helper()
	w := &world{Env: testenv.Start(t)}
	w.http = referee.New(t, documents(t, w.Env)...).Client()
	w.root = w.Token(t, w.Admin)
	return w
}

// documents are fetched from where the server has them.
func documents(t testing.TB, env *testenv.Env) [][]byte {
	t.Helper()
	var all [][]byte
	for _, path := range []string{"/openapi.json", "/openapi/keycard.json", "/openapi/nscale.json", "/openapi/rezolve.json"} {
		got := env.Do(t, http.MethodGet, path, "")
		if got.Status != http.StatusOK {
			t.Fatalf("%s: %d", path, got.Status)
		}
		all = append(all, []byte(got.Body))
	}
	return all
}

type option = func(*http.Request)

func header(name, value string) option {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func as(token string) option { return header("Authorization", "Bearer "+token) }

// asForm sends a form where JSON is usual.
func asForm(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }

// answer is an answer with its body read.
type answer struct {
	request string
	status  int
	header  http.Header
	body    string
}

// send returns the request that was sent, too.
func (w *world) send(t testing.TB, method, path, sent string, options ...option) (*http.Request, answer) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, w.URL+path, strings.NewReader(sent))
	if err != nil {
		t.Fatal(err)
	}
	if sent != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, apply := range options {
		apply(r)
	}
	shown := r.Clone(t.Context())
	response, err := w.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return shown, answer{method + " " + path, response.StatusCode, response.Header, string(read)}
}

// call sends JSON, or nothing when sent is empty.
func (w *world) call(t testing.TB, method, path, sent string, options ...option) answer {
	t.Helper()
	_, got := w.send(t, method, path, sent, options...)
	return got
}

func (a answer) wants(t testing.TB, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("%s: status %d, want %d: %s", a.request, a.status, status, a.body)
	}
	return a
}

// at finds a value in the body: numbers are places in a list.
func (a answer) at(t testing.TB, path ...any) any {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(a.body), &value); err != nil {
		t.Fatalf("%s: %v: %s", a.request, err, a.body)
	}
	for _, step := range path {
		switch inner := value.(type) {
		case map[string]any:
			value = inner[step.(string)]
		case []any:
			place, ok := step.(int)
			if !ok || place >= len(inner) {
				t.Fatalf("%s: no %v in %s", a.request, path, a.body)
			}
			value = inner[place]
		default:
			t.Fatalf("%s: no %v in %s", a.request, path, a.body)
		}
	}
	return value
}

// text is a text in the body that is there.
func (a answer) text(t testing.TB, path ...any) string {
	t.Helper()
	text, ok := a.at(t, path...).(string)
	if !ok || text == "" {
		t.Fatalf("%s: no text at %v in %s", a.request, path, a.body)
	}
	return text
}

func (a answer) list(t testing.TB, path ...any) []any {
	t.Helper()
	list, ok := a.at(t, path...).([]any)
	if !ok {
		t.Fatalf("%s: no list at %v in %s", a.request, path, a.body)
	}
	return list
}

// full lets an organization have no more accounts than one, which it has.
func (w *world) full(t testing.TB, org string) {
	t.Helper()
	count := int64(1)
	_, err := w.Service.UpdateOrg(t.Context(), testenv.Operator, accounts.BySlug(org), accounts.OrgPatch{
		MaxServiceAccounts: accounts.Some(&count),
	})
	if err != nil {
		t.Fatal(err)
	}
}
