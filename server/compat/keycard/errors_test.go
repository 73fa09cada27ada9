package keycard_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/testenv"
	"github.com/signet-issuer/signet/server/web"
)

// refused checks that an answer is an error of this dialect, which tells its status twice.
func refused(t testing.TB, answer testenv.Answer, status int, code string) map[string]any {
	t.Helper()
	got := answer.JSON(t)
	if answer.Status != status || got["status"] != float64(status) || got["code"] != code || got["message"] == "" || len(got) != 3 {
		t.Fatalf("%d %s, want %d %s", answer.Status, answer.Body, status, code)
	}
	return got
}

func TestI11_StorageGoneIsUnavailable(t *testing.T) {
	d := open(t)
	must(t, d.DB.Close())
	for _, request := range []string{"GET " + acme, "POST " + acme, "DELETE " + acme + "/agm4dit7gr6mdhi6hjny6lcnae"} {
		answer := d.do(t, 503, request, "")
		refused(t, answer, 503, "service_unavailable")
		if answer.Header.Get("Retry-After") != "1" || strings.Contains(answer.Body, "sql") {
			t.Errorf("%s: %v %s", request, answer.Header, answer.Body)
		}
	}
}

type full struct{}

func (full) Allow(context.Context, string, int, time.Duration) (bool, time.Duration) {
	return false, 7 * time.Second
}

func TestTooManyFailures(t *testing.T) {
	d := open(t, func(c *testenv.Config) { c.Limiter = full{} })
	answer := d.call(t, "GET", acme, "", testenv.Bearer("e30"))
	refused(t, answer, 429, "too_many_requests")
	if answer.Header.Get("Retry-After") != "7" {
		t.Errorf("%v", answer.Header)
	}
}

var _ web.Limiter = full{}

// TestHazard17_43_BodiesAreStrict sends everything that must not pass for the two members.
func TestHazard17_43_BodiesAreStrict(t *testing.T) {
	d := open(t)
	account := acme + "/" + d.make(t, acme, "deployer")
	credential := account + "/credentials/" + d.make(t, account+"/credentials", "key")
	long, wide := strings.Repeat("x", 201), strings.Repeat("x", 501)
	for _, body := range []string{
		``, `{`, `[]`, `null x`, `"x"`, `{"name":"x"}{}`, `{"name":1}`, `{"name":null}`, `{"name":["x"]}`, `{"name":{}}`, `{"name":""}`,
		`{"name":" x"}`, `{"name":"x\u0000"}`, `{"name":"` + long + `"}`, `{"Name":"x"}`, `{"name":"x","name":"x"}`,
		`{"name":"x","description":null}`, `{"name":"x","description":"` + wide + `"}`, `{"name":"x","description":5}`,
		`{"name":"x","id":"agm4dit7gr6mdhi6hjny6lcnae"}`, `{"name":"x","created_at":"2026-01-31T12:00:00Z"}`, `{"name":"x","client_id":"y"}`,
		`{"name":"x","client_secret":"y"}`, `{"name":"x","permissions":{}}`, `{"name":"x","role":"owner"}`, `{"name":"x","last_used_at":null}`,
		"{\"name\":\"\xff\"}", strings.Repeat("[", 10_000),
	} {
		for _, request := range []string{"POST " + acme, "PATCH " + account, "POST " + account + "/credentials", "PATCH " + credential} {
			answer := d.do(t, 400, request, body, asJSON)
			refused(t, answer, 400, "bad_request")
		}
	}
	for _, body := range []string{`{}`, `{"description":"x"}`} {
		d.do(t, 400, "POST "+acme, body)
		d.do(t, 200, "PATCH "+account, body)
		d.do(t, 400, "POST "+account+"/credentials", body)
		d.do(t, 200, "PATCH "+credential, body)
	}
	refused(t, d.do(t, 413, "POST "+acme, `{"name":"`+strings.Repeat("x", 64<<10)+`"}`), 413, "payload_too_large")
	refused(t, d.do(t, 415, "POST "+acme, `{"name":"x"}`, testenv.Header("Content-Encoding", "gzip")), 415, "unsupported_media_type")
}

// The longest that is documented, and what clears.
func TestLimitsOfWhatIsWritten(t *testing.T) {
	d := open(t)
	longest := strings.Repeat("é", 500)
	account := acme + "/" + d.make(t, acme, strings.Repeat("n", 200))
	if got := d.do(t, 200, "PATCH "+account, `{"description":"`+longest+`"}`).JSON(t); got["description"] != longest {
		t.Errorf("%v", got)
	}
	if got := d.do(t, 200, "PATCH "+account, `{"description":""}`).JSON(t); len(got) != 4 {
		t.Errorf("a description that was cleared is still there: %v", got)
	}
	before := d.do(t, 200, "GET "+account, "").JSON(t)
	d.Clock.Advance(time.Minute)
	after := d.do(t, 200, "PATCH "+account, `{"name":"renamed"}`).JSON(t)
	if member(t, after, "updated_at") <= member(t, before, "updated_at") || after["created_at"] != before["created_at"] || after["id"] != before["id"] {
		t.Errorf("%v, then %v", before, after)
	}
}

// A 409 is not sent again by clients that would do so twice.
func TestConflictsAreNotRetried(t *testing.T) {
	d := open(t)
	none := int64(0)
	d.Org(t, "full", func(o *accounts.NewOrg) { o.MaxServiceAccounts = &none })
	answer := d.do(t, 409, "POST /organizations/full/service-accounts", `{"name":"x"}`)
	refused(t, answer, 409, "conflict")
	if answer.Header.Get("X-Should-Retry") != "false" {
		t.Errorf("%v", answer.Header)
	}
	system, err := d.Service.Org(t.Context(), testenv.Operator, accounts.BySlug(accounts.SystemOrg))
	must(t, err)
	admins, _, err := d.Service.Accounts(t.Context(), testenv.Operator, accounts.ByID(system.ID), accounts.Query{Limit: 1})
	must(t, err)
	last := d.do(t, 409, "DELETE /organizations/system/service-accounts/"+accounts.ShortID(admins[0].ID), "")
	if message := refused(t, last, 409, "conflict")["message"]; message != "the last enabled owner of the system organization is protected" {
		t.Errorf("%v", message)
	}
}

// What would trade a user's token is refused the same way wherever, to whoever is known.
func TestUserTokensAreNotExchanged(t *testing.T) {
	d := open(t)
	owner := d.caller(t, "owner", "owner")
	var bodies []string
	for _, org := range []string{"acme", "nobody", "system"} {
		answer := d.as(t, owner, 403, "POST /organizations/"+org+"/token", "")
		refused(t, answer, 403, "not_offered")
		bodies = append(bodies, answer.Body)
	}
	if bodies[0] != bodies[1] || bodies[0] != bodies[2] {
		t.Errorf("%v", bodies)
	}
	if answer := d.call(t, "POST", "/organizations/acme/token", ""); answer.Status != 401 {
		t.Errorf("anonymous: %d", answer.Status)
	}
}

func TestUnknownRoutesAnswerInThisDialect(t *testing.T) {
	d := open(t)
	for _, path := range []string{"/organizations", "/organizations/acme", "/organizations/acme/users", acme + "/", acme + "//", acme + "/x/rotate", acme + "/x%2fy"} {
		answer := d.call(t, "GET", path, "")
		refused(t, answer, 404, "not_found")
	}
	for request, allow := range map[string]string{
		"PUT " + acme + "/x": "DELETE, GET, HEAD, PATCH", "GET /organizations/acme/token": "POST", "OPTIONS " + acme: "GET, HEAD, POST",
	} {
		method, path, _ := strings.Cut(request, " ")
		answer := d.call(t, method, path, "")
		refused(t, answer, 405, "method_not_allowed")
		if answer.Header.Get("Allow") != allow {
			t.Errorf("%s: Allow %q", request, answer.Header.Get("Allow"))
		}
	}
	if head := d.call(t, "HEAD", acme, "", testenv.Bearer(d.root)); head.Status != 200 || head.Body != "" {
		t.Errorf("HEAD: %d %q", head.Status, head.Body)
	}
}
