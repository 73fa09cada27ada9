package keycard_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/testenv"
)

var update = flag.Bool("update", false, "write the golden transcript")

const golden = "testdata/scenario.txtar"

// transcript keeps what was sent and answered, with everything random replaced by its kind
// and number.
type transcript struct {
	*door
	t     *testing.T
	text  strings.Builder
	named map[string]string
}

// step sends one request and keeps it under a title.
func (s *transcript) step(title, request, body string, change ...func(*http.Request)) testenv.Answer {
	s.t.Helper()
	method, path, _ := strings.Cut(request, " ")
	answer := s.call(s.t, method, path, body, append([]func(*http.Request){testenv.Bearer(s.root)}, change...)...)
	fmt.Fprintf(&s.text, "-- %s --\n%s\n", title, request)
	if body != "" {
		fmt.Fprintf(&s.text, "%s\n", body)
	}
	fmt.Fprintf(&s.text, "\n%d\n", answer.Status)
	for _, name := range []string{"Content-Type", "Cache-Control", "Allow", "Www-Authenticate", "X-Should-Retry"} {
		if value := answer.Header.Get(name); value != "" {
			fmt.Fprintf(&s.text, "%s: %s\n", name, value)
		}
	}
	if answer.Body != "" {
		var pretty bytes.Buffer
		must(s.t, json.Indent(&pretty, []byte(answer.Body), "", "  "))
		fmt.Fprintf(&s.text, "%s\n", &pretty)
	}
	s.text.WriteString("\n")
	return answer
}

var random = regexp.MustCompile(`\beyJ[A-Za-z0-9_.-]+|\b[A-Za-z0-9]{64}\b|\b[a-z2-7]{26}\b|\b\d{4}-\d{2}-\d{2}T[\d:.]+Z`)

// stable names what is random by its kind and, times aside, by when it first came.
func (s *transcript) stable() string {
	return random.ReplaceAllStringFunc(s.text.String(), func(text string) string {
		kind := "id"
		switch {
		case strings.HasSuffix(text, "Z") && strings.Contains(text, ":"):
			return "{time}"
		case strings.HasPrefix(text, "eyJ"):
			kind = "token"
		case len(text) == 64:
			kind = "secret"
		}
		if s.named[text] == "" {
			s.named[text] = fmt.Sprintf("{%s-%d}", kind, len(s.named)+1)
		}
		return s.named[text]
	})
}

// TestScenario keeps every documented operation, and refusal, as it is on the wire.
func TestScenario(t *testing.T) {
	s := &transcript{door: open(t), t: t, named: map[string]string{}}
	s.live()
	s.refusals()
	if *update {
		must(t, os.WriteFile(golden, []byte(s.stable()), 0o600))
	}
	want, err := os.ReadFile(golden)
	must(t, err)
	if diff := cmp.Diff(string(want), s.stable()); diff != "" {
		t.Errorf("the transcript is not the golden one (-want +got):\n%s", diff)
	}
}

// live takes a service account through its life.
func (s *transcript) live() {
	t := s.t
	made := s.step("create", "POST "+acme, `{"name":"deployer","description":"Ships releases."}`)
	account := acme + "/" + member(t, made.JSON(t), "id")
	s.step("create without description", "POST "+acme, `{"name":"second"}`)
	s.step("read", "GET "+account, "")
	s.step("read with permissions", "GET "+account+"?expand=permissions", "")
	s.step("list", "GET "+acme+"?limit=1", "")
	s.step("list with permissions", "GET "+acme+"?limit=1&expand[]=permissions&expand[]=total_count", "")
	s.step("update", "PATCH "+account, `{"name":"releaser"}`)
	s.step("update nothing", "PATCH "+account, `{}`)
	s.step("clear the description", "PATCH "+account, `{"description":""}`)
	first := s.step("create credential", "POST "+account+"/credentials", `{"name":"build server","description":"In the cellar."}`).JSON(t)
	second := s.step("create second credential", "POST "+account+"/credentials", `{"name":"spare"}`).JSON(t)
	login := testenv.Login{ID: member(t, first, "client_id"), Secret: member(t, first, "client_secret")}
	s.step("token", "POST /service-account-token", "grant_type=client_credentials", asForm, login.Basic())
	credential := account + "/credentials/" + member(t, first, "id")
	s.step("read credential after its use", "GET "+credential+"?expand=permissions", "")
	s.step("list credentials", "GET "+account+"/credentials", "")
	s.step("update credential", "PATCH "+credential, `{"name":"old build server"}`)
	s.step("delete credential", "DELETE "+credential, "", testenv.Header("Accept", "*/*"))
	s.step("list what is left", "GET "+account+"/credentials?expand=permissions", "")
	s.step("delete account", "DELETE "+account, "", testenv.Header("Accept", "*/*"))
	s.step("read deleted account", "GET "+account, "")
	s.step("read credential of deleted account", "GET "+account+"/credentials/"+member(t, second, "id"), "")
	s.step("list empty page", "GET "+acme+"?before="+member(t, made.JSON(t), "id"), "")
}

func (s *transcript) refusals() {
	bad := testenv.Header("Authorization", "Bearer e30")
	anonymous := func(r *http.Request) { r.Header.Del("Authorization") }
	viewer := testenv.Bearer(s.caller(s.t, "viewer", "viewer"))
	full := int64(0)
	s.Org(s.t, "full", func(o *accounts.NewOrg) { o.MaxServiceAccounts = &full })
	s.step("no token", "GET "+acme, "", anonymous)
	s.step("bad token", "GET "+acme, "", anonymous, bad)
	s.step("no permission", "POST "+acme, `{"name":"x"}`, anonymous, viewer)
	s.step("unknown organization", "GET /organizations/nobody/service-accounts", "")
	s.step("no name", "POST "+acme, `{"description":"x"}`)
	s.step("description too long", "POST "+acme, `{"name":"x","description":"`+strings.Repeat("é", 501)+`"}`)
	s.step("null", "PATCH "+acme+"/x", `{"description":null}`)
	s.step("unknown member", "POST "+acme, `{"name":"x","role":"owner"}`)
	s.step("wrong case", "POST "+acme, `{"Name":"x"}`)
	s.step("repeated member", "POST "+acme, `{"name":"x","name":"y"}`)
	s.step("no JSON", "POST "+acme, `name=x`)
	s.step("no type", "POST "+acme, `{"name":"x"}`, func(r *http.Request) { r.Header.Del("Content-Type") })
	s.step("unknown parameter", "GET "+acme+"?page=1", "")
	s.step("limit out of range", "GET "+acme+"?limit=101", "")
	s.step("malformed cursor", "GET "+acme+"?after=x", "")
	cursor := accounts.ShortID(accounts.SystemOrgID)
	s.step("two cursors", "GET "+acme+"?after="+cursor+"&before="+cursor, "")
	s.step("quota", "POST /organizations/full/service-accounts", `{"name":"x"}`)
	s.step("unknown route", "GET /organizations/acme", "")
	s.step("unknown method", "PUT "+acme, `{"name":"x"}`)
	s.step("user token", "POST /organizations/acme/token", "")
	s.step("wrong secret", "POST /service-account-token", "grant_type=client_credentials&client_id=x&client_secret=y", anonymous, asForm)
}

func asForm(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }
