package keycard_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/internal/testenv"
	"github.com/signet-issuer/signet/server/compat/keycard"
	"github.com/signet-issuer/signet/test/referee"
)

// door is a whole Signet with the org acme; everything that a test sends goes past the referee.
type door struct {
	*testenv.Env
	http *http.Client
	root string // token of an owner of the system org
}

const acme = "/organizations/acme/service-accounts"

func open(t testing.TB, change ...func(*testenv.Config)) *door {
	t.Helper()
	document, err := keycard.Document()
	must(t, err)
	d := &door{Env: testenv.Start(t, change...), http: referee.New(t, document).Client()}
	d.root = d.Token(t, d.Admin)
	d.Org(t, "acme")
	return d
}

// call sends JSON, or nothing when body is empty.
func (d *door) call(t testing.TB, method, path, body string, change ...func(*http.Request)) testenv.Answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, d.URL+path, strings.NewReader(body))
	must(t, err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, apply := range change {
		apply(r)
	}
	response, err := d.http.Do(r)
	must(t, err)
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	must(t, err)
	return testenv.Answer{Status: response.StatusCode, Header: response.Header, Body: string(read)}
}

// as calls with a token and checks the status.
func (d *door) as(t testing.TB, token string, want int, request, body string, change ...func(*http.Request)) testenv.Answer {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	answer := d.call(t, method, path, body, append([]func(*http.Request){testenv.Bearer(token)}, change...)...)
	if answer.Status != want {
		t.Fatalf("%s: %d, want %d: %s", request, answer.Status, want, answer.Body)
	}
	return answer
}

// do calls as an owner of the system org.
func (d *door) do(t testing.TB, want int, request, body string, change ...func(*http.Request)) testenv.Answer {
	t.Helper()
	return d.as(t, d.root, want, request, body, change...)
}

// make makes something and returns its id.
func (d *door) make(t testing.TB, list, name string) string {
	t.Helper()
	return member(t, d.do(t, 201, "POST "+list, `{"name":"`+name+`"}`).JSON(t), "id")
}

// login makes a credential.
func (d *door) login(t testing.TB, account string) (id string, login testenv.Login) {
	t.Helper()
	made := d.do(t, 201, "POST "+acme+"/"+account+"/credentials", `{"name":"login"}`).JSON(t)
	return member(t, made, "id"), testenv.Login{ID: member(t, made, "client_id"), Secret: member(t, made, "client_secret")}
}

// caller makes an account of acme with the role and returns its token for the issuer.
func (d *door) caller(t testing.TB, slug, role string, parameters ...string) string {
	t.Helper()
	return d.Token(t, d.Machine(t, "acme", slug, role).Login, append([]string{"resource", d.Issuer}, parameters...)...)
}

func member(t testing.TB, object map[string]any, name string) string {
	t.Helper()
	text, ok := object[name].(string)
	if !ok {
		t.Fatalf("no %s in %v", name, object)
	}
	return text
}

func decode[T any](t testing.TB, answer testenv.Answer) T {
	t.Helper()
	var v T
	must(t, json.Unmarshal([]byte(answer.Body), &v))
	return v
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func asJSON(r *http.Request) { r.Header.Set("Content-Type", "application/json") }
