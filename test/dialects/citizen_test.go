package dialects_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/testenv"
	"github.com/signet-issuer/signet/server"
)

// town is a world with one organization and its administrator.
type town struct {
	*world
	org   accounts.Org
	admin string // token
}

func startTown(t *testing.T) *town {
	t.Helper()
	w := start(t)
	org := w.Org(t, "acme", func(in *accounts.NewOrg) { in.DefaultRole = accounts.RoleAPI })
	return &town{world: w, org: org, admin: w.Token(t, w.Machine(t, "acme", "administrator", accounts.RoleAdmin).Login)}
}

func (w *town) do(t *testing.T, status int, method, path, sent string) answer {
	t.Helper()
	return w.call(t, method, path, sent, as(w.admin), header("X-Tenantid", w.org.ID.String())).wants(t, status)
}

func (w *town) nscale() string {
	return "/api/v1/organizations/" + w.org.ID.String() + "/serviceaccounts"
}

const (
	acmeNative  = "/v2/orgs/acme/service-accounts"
	acmeKeycard = "/organizations/acme/service-accounts"
)

// makers create an account each in its own door and return its id as the core has it.
var makers = []struct {
	door string
	make func(t *testing.T, w *town) uuid.UUID
}{
	{"prisme", func(t *testing.T, w *town) uuid.UUID {
		return id(t, w.do(t, 201, "POST", acmeNative, `{"slug":"citizen","name":"citizen","roleSlug":"api"}`).text(t, "id"))
	}},
	{"keycard", func(t *testing.T, w *town) uuid.UUID {
		return id(t, w.do(t, 201, "POST", acmeKeycard, `{"name":"citizen"}`).text(t, "id"))
	}},
	{"nscale", func(t *testing.T, w *town) uuid.UUID {
		return id(t, w.do(t, 201, "POST", w.nscale(), `{"metadata":{"name":"citizen"},"spec":{"groupIDs":[]}}`).text(t, "metadata", "id"))
	}},
	{"rezolve", func(t *testing.T, w *town) uuid.UUID {
		made := w.do(t, 200, "POST", rezolveAccounts, "").text(t, "data", "id")
		w.do(t, 200, "PATCH", rezolveClients+"/"+made, `{"name":"citizen"}`)
		return id(t, strings.TrimPrefix(made, "sa-"))
	}},
}

func id(t *testing.T, text string) uuid.UUID {
	t.Helper()
	parsed, ok := accounts.ParseID(text)
	if !ok {
		t.Fatalf("%s is no id", text)
	}
	return parsed
}

func TestCitizensOfEveryDoor(t *testing.T) {
	for _, maker := range makers {
		t.Run(maker.door, func(t *testing.T) {
			w := startTown(t)
			made := maker.make(t, w)
			w.sameObject(t, made)
			logins, bearer := w.credentials(t, made)
			w.sameUse(t, made, logins)
			w.sameAudit(t, made)
			w.honours(t, logins, bearer, true)
			w.do(t, 200, "PATCH", acmeNative+"/"+made.String(), `{"disabled":true}`)
			w.honours(t, logins, bearer, false)
			w.do(t, 200, "PATCH", acmeNative+"/"+made.String(), `{"disabled":false}`)
			w.deletedEverywhere(t, made, maker.door)
		})
	}
}

// sameObject checks that all doors show the account under the spelling of its id that is theirs.
func (w *town) sameObject(t *testing.T, made uuid.UUID) {
	t.Helper()
	native := w.do(t, 200, "GET", acmeNative+"/"+made.String(), "")
	keycard := w.do(t, 200, "GET", acmeKeycard+"/"+accounts.ShortID(made), "")
	rezolve := w.do(t, 200, "GET", rezolveClients+"/sa-"+made.String(), "")
	nscale := w.do(t, 200, "GET", w.nscale(), "")
	place := slices.IndexFunc(nscale.list(t), func(one any) bool {
		return one.(map[string]any)["metadata"].(map[string]any)["id"] == made.String()
	})
	if place < 0 {
		t.Fatalf("Nscale does not list %s", made)
	}
	if native.text(t, "id") != made.String() || keycard.text(t, "id") != accounts.ShortID(made) || rezolve.text(t, "data", "id") != made.String() {
		t.Errorf("ids %s, %s, %s", native.body, keycard.body, rezolve.body)
	}
	names := []string{
		native.text(t, "name"), keycard.text(t, "name"), rezolve.text(t, "data", "name"), nscale.text(t, place, "metadata", "name"),
	}
	if len(slices.Compact(names)) != 1 || names[0] != "citizen" {
		t.Errorf("names %q", names)
	}
	// One moment, as exact as each door writes it.
	var times []time.Time
	for _, text := range []string{
		native.text(t, "createdAt"), keycard.text(t, "created_at"), rezolve.text(t, "data", "audit", "createdAt"), nscale.text(t, place, "metadata", "creationTime"),
	} {
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, at.Truncate(time.Second))
	}
	if len(slices.CompactFunc(times, time.Time.Equal)) != 1 {
		t.Errorf("times %v", times)
	}
}

// credentials adds one of each kind and door, and checks that all doors know them all.
func (w *town) credentials(t *testing.T, made uuid.UUID) (logins []testenv.Login, bearer string) {
	t.Helper()
	native := acmeNative + "/" + made.String() + "/credentials"
	keycard := acmeKeycard + "/" + accounts.ShortID(made) + "/credentials"
	first := w.do(t, 201, "POST", native, `{"kind":"secret","name":"native"}`)
	second := w.do(t, 201, "POST", keycard, `{"name":"keycard"}`)
	bearer = w.do(t, 201, "POST", native, `{"kind":"token","name":"token"}`).text(t, "token")
	var ids, shorts []string
	for _, one := range w.do(t, 200, "GET", native, "").list(t, "results") {
		ids = append(ids, accounts.ShortID(id(t, one.(map[string]any)["id"].(string))))
	}
	for _, one := range w.do(t, 200, "GET", keycard, "").list(t, "items") {
		shorts = append(shorts, one.(map[string]any)["id"].(string))
	}
	slices.Sort(ids)
	slices.Sort(shorts)
	if len(ids) < 3 || !slices.Equal(ids, shorts) {
		t.Errorf("credentials %v and %v", ids, shorts)
	}
	return []testenv.Login{
		{ID: first.text(t, "clientId"), Secret: first.text(t, "clientSecret")},
		{ID: second.text(t, "client_id"), Secret: second.text(t, "client_secret")},
	}, bearer
}

// sameUse uses a credential of one door and reads the time in the others.
func (w *town) sameUse(t *testing.T, made uuid.UUID, logins []testenv.Login) {
	t.Helper()
	w.Token(t, logins[1])
	native := w.do(t, 200, "GET", acmeNative+"/"+made.String(), "").text(t, "lastUsedAt")
	rezolve := w.do(t, 200, "GET", rezolveClients+"/"+made.String(), "").text(t, "data", "usage", "lastUsedAt")
	var keycard string
	for _, one := range w.do(t, 200, "GET", acmeKeycard+"/"+accounts.ShortID(made)+"/credentials", "").list(t, "items") {
		if one := one.(map[string]any); one["client_id"] == logins[1].ID {
			keycard, _ = one["last_used_at"].(string)
		}
	}
	if keycard != native || rezolve != native[:len("2026-11-22T12:00:00.000")]+"Z" {
		t.Errorf("last used at %s, %s, %s", native, keycard, rezolve)
	}
}

func (w *town) sameAudit(t *testing.T, made uuid.UUID) {
	t.Helper()
	userID := w.do(t, 200, "GET", acmeNative+"/"+made.String(), "").text(t, "userId")
	events := w.do(t, 200, "GET", "/v2/orgs/acme/audit-events?target="+userID, "").list(t, "results")
	if len(events) == 0 {
		t.Fatalf("no events of %s", userID)
	}
	oldest, ok := events[len(events)-1].(map[string]any)
	if !ok || oldest["type"] != "organizations.serviceAccounts.created" || oldest["actor"] != "sa:acme:administrator" {
		t.Errorf("the first event is %v", oldest)
	}
}

// honours checks every door at which a credential can be shown.
func (w *town) honours(t *testing.T, logins []testenv.Login, bearer string, wanted bool) {
	t.Helper()
	check := func(what string, got answer) {
		t.Helper()
		if ok := got.status == http.StatusOK; ok != wanted || !ok && got.status != http.StatusUnauthorized {
			t.Errorf("%s: %d, honoured should be %v", what, got.status, wanted)
		}
	}
	for _, login := range logins {
		for _, path := range []string{"/token", "/oauth/token", "/oauth2/token", "/service-account-token", "/api/v1/oauth/token"} {
			check(path, w.call(t, "POST", path, login.Form().Encode(), asForm))
		}
	}
	check("userinfo", w.call(t, "GET", "/oauth2/v2/userinfo", "", as(bearer)))
	check("passport", w.call(t, "POST", "/oauth2/v2/token", passport(bearer), asForm))
	check("itself", w.call(t, "GET", w.nscale(), "", as(bearer)))
	introspected := w.call(t, "POST", "/introspect", "token="+bearer, asForm, as(w.root)).wants(t, 200)
	if introspected.at(t, "active") != wanted {
		t.Errorf("introspection: %s", introspected.body)
	}
}

// deletedEverywhere deletes in another door than the maker's.
func (w *town) deletedEverywhere(t *testing.T, made uuid.UUID, maker string) {
	t.Helper()
	if maker == "keycard" {
		w.do(t, 200, "DELETE", w.nscale()+"/"+made.String(), "")
	} else {
		w.do(t, 204, "DELETE", acmeKeycard+"/"+accounts.ShortID(made), "")
	}
	w.do(t, 404, "GET", acmeNative+"/"+made.String(), "")
	w.do(t, 404, "GET", acmeKeycard+"/"+accounts.ShortID(made), "")
	w.do(t, 404, "POST", w.nscale()+"/"+made.String()+"/rotate", "")
	w.do(t, 404, "GET", rezolveClients+"/"+made.String(), "")
}

// A door that is off is a wall like any other.
func TestDoorsAreSwitched(t *testing.T) {
	paths := map[string]func(*server.Dialects) *bool{
		"/oidc/jwks":                        func(d *server.Dialects) *bool { return &d.Prisme },
		"/organizations/x/service-accounts": func(d *server.Dialects) *bool { return &d.Keycard },
		"/api/v1/organizations":             func(d *server.Dialects) *bool { return &d.Nscale },
		rezolveClients:                      func(d *server.Dialects) *bool { return &d.Rezolve },
	}
	for path, which := range paths {
		open := server.Dialects{}
		*which(&open) = true
		env := testenv.Start(t, func(c *testenv.Config) { c.Dialects = &open })
		wall := env.Do(t, http.MethodGet, "/nowhere", "")
		for other := range paths {
			got := env.Do(t, http.MethodGet, other, "")
			if other == path {
				if got.Status == http.StatusNotFound {
					t.Errorf("%s is not there though its door is on", other)
				}
				continue
			}
			if got.Status != http.StatusNotFound || got.Body != wall.Body {
				t.Errorf("%s answers %d %s though its door is off", other, got.Status, got.Body)
			}
		}
	}
}
