package server_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signet-issuer/signet/internal/testenv"
	"github.com/signet-issuer/signet/server/web"
	"github.com/signet-issuer/signet/test/referee"
)

var update = flag.Bool("update", false, "write the golden matrix instead of comparing with it")

// free never limits, so that only authority decides.
type free struct{}

func (free) Allow(context.Context, string, int, time.Duration) (bool, time.Duration) { return true, 0 }

// Whoever has a token or none may call these.
var public = []string{
	"GET /.well-known/jwks.json", "GET /.well-known/oauth-authorization-server", "GET /.well-known/openid-configuration",
	"GET /.well-known/oauth-protected-resource", "GET /.well-known/openid-protected-resource",
	"GET /oauth2/v2/jwks", "GET /oidc/.well-known/openid-configuration", "GET /oidc/jwks",
	"GET /openapi.json", "GET /openapi/keycard.json", "GET /openapi/nscale.json", "GET /openapi/rezolve.json",
	"GET /livez", "GET /readyz", "GET /metrics", // the last for this machine only
}

func TestEveryRouteIsDocumented(t *testing.T) {
	env := testenv.Start(t)
	var documented, served []string
	for _, path := range []string{"/openapi.json", "/openapi/keycard.json", "/openapi/nscale.json", "/openapi/rezolve.json"} {
		document, err := referee.Load([]byte(env.Do(t, http.MethodGet, path, "").Body))
		if err != nil {
			t.Fatal(err)
		}
		documented = append(documented, document.Operations()...)
	}
	for _, surface := range env.Deps().Surfaces() {
		for _, route := range surface.Routes {
			served = append(served, route.Method+" "+route.Path)
		}
	}
	for _, name := range served {
		if !slices.Contains(documented, name) {
			t.Errorf("not documented: %s", name)
		}
	}
	for _, name := range documented {
		if !slices.Contains(served, name) {
			t.Errorf("documented, but no route: %s", name)
		}
	}
}

// Hazards 31 to 33 and 41: who may do what, on every route of every door.
func TestHazard31_MatrixOfCallersRoutesAndObjects(t *testing.T) {
	m := newMatrix(t)
	var table strings.Builder
	for _, surface := range m.Deps().Surfaces() {
		for _, route := range surface.Routes {
			m.route(&table, surface.Name, route)
		}
	}
	path := filepath.Join("testdata", "matrix.golden")
	if *update {
		if err := os.WriteFile(path, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	was, is := strings.Split(string(want), "\n"), strings.Split(table.String(), "\n")
	heading := ""
	for i := range max(len(was), len(is)) {
		if i >= len(was) || i >= len(is) || was[i] != is[i] {
			t.Fatalf("%s:%d is not as it was, at %s (-update writes it anew)\ngot %q", path, i+1, heading, strings.Join(is[i:min(i+1, len(is))], ""))
		}
		if !strings.HasPrefix(was[i], " ") {
			heading = was[i]
		}
	}
}

// Hazard 33: the answer to a revocation tells nothing, so what it did is looked up.
func TestHazard33_TokensAreRevokedThroughTheirOwnAccountAlone(t *testing.T) {
	m := newMatrix(t)
	machine := m.Machine(t, "acme", "victim", "api")
	token := m.Token(t, machine.Login)
	jti, _ := testenv.Payload(t, token)["jti"].(string)
	owner := m.callers[7].token
	active := func() bool {
		answer := m.Post(t, "/introspect", url.Values{"token": {token}}, testenv.Bearer(m.callers[9].token))
		return answer.JSON(t)["active"] == true
	}
	for _, path := range []string{
		"/v2/orgs/acme/service-accounts/" + m.own.account.String(),
		"/v2/orgs/globex/service-accounts/" + m.foreign.account.String(),
		"/v2/orgs/globex/service-accounts/" + machine.Account.ID.String(),
	} {
		m.Do(t, http.MethodDelete, path+"/tokens/"+jti, "", testenv.Bearer(owner))
		if !active() {
			t.Errorf("revoked through %s", path)
		}
	}
	m.Do(t, http.MethodDelete, "/v2/orgs/acme/service-accounts/victim/tokens/"+jti, "", testenv.Bearer(owner))
	if active() {
		t.Error("not revoked through its own account")
	}
}

// cell is one answer.
type cell struct {
	status int
	header http.Header
	body   string
}

func (c cell) same(other cell) bool {
	return c.status == other.status && c.body == other.body && maps.EqualFunc(c.header, other.header, slices.Equal)
}

// route writes the rows of one route.
func (m *matrix) route(table *strings.Builder, surface string, route web.Route) {
	name := route.Method + " " + route.Path
	columns := columnsOf(surface, route.Path)
	table.WriteString(name + " (" + surface + "): " + strings.Join(columns, " ") + "\n")
	rows, order := map[string][]string{}, []string{}
	for _, caller := range m.callers {
		cells := map[string]cell{}
		statuses := ""
		for _, column := range columns {
			got := m.ask(caller, surface, route, column)
			cells[column] = got
			statuses += fmt.Sprintf(" %d", got.status)
			if got.status >= http.StatusInternalServerError {
				m.t.Errorf("%s, %s, %s: %d %s", name, caller.name, column, got.status, got.body)
			}
		}
		m.judge(caller, name, cells)
		if rows[statuses] == nil {
			order = append(order, statuses)
		}
		rows[statuses] = append(rows[statuses], caller.name)
	}
	for _, statuses := range order {
		table.WriteString("   " + statuses + "  " + strings.Join(rows[statuses], ", ") + "\n")
	}
}

// judge checks what must hold whatever the golden table says.
func (m *matrix) judge(caller caller, name string, cells map[string]cell) {
	m.t.Helper()
	if caller.token == "" || caller.powerless {
		for column, got := range cells {
			if got.status < http.StatusBadRequest != slices.Contains(public, name) {
				m.t.Errorf("%s, %s, %s: %d", name, caller.name, column, got.status)
			}
		}
	}
	if got, ok := cells["own"]; ok && caller.name == "own owner" && got.status >= http.StatusBadRequest && !refused(name) {
		m.t.Errorf("%s: an owner gets %d in its own organization: %s", name, got.status, got.body)
	}
	equal := [][2]string{{"mixed", "absent"}, {"sibling", "absent"}}
	switch {
	case caller.other:
		equal = [][2]string{{"own", "nowhere"}, {"mixed", "nowhere"}, {"absent", "nowhere"}}
	case !caller.system:
		equal = append(equal, [2]string{"foreign", "nowhere"})
	}
	for _, pair := range equal {
		one, ok := cells[pair[0]]
		two, also := cells[pair[1]]
		if ok && also && !one.same(two) {
			m.t.Errorf("%s, %s: %s can be told from %s:\n%d %v %s\n%d %v %s", name, caller.name, pair[0], pair[1],
				one.status, one.header, one.body, two.status, two.header, two.body)
		}
	}
}

// ofTheSystem are the routes that an owner of another organization may not use in its own, and
// those where another proof than a bearer token counts.
var ofTheSystem = regexp.MustCompile(`^(POST /v2/orgs|DELETE /v2/orgs/\{org\}|\w+ /v2/keys.*|POST (/api/v1)?/(oauth/|oauth2/|oauth2/v2/)?token|` +
	`POST /service-account-token|POST /revoke|POST /organizations/\{organization_id\}/token|POST .*/\{slug\}/token)$`)

func refused(name string) bool { return ofTheSystem.MatchString(name) }

var variable = regexp.MustCompile(`\{(\w+)\}`)

var organizationVariables = []string{"org", "organization_id", "organizationID"}

// columnsOf says which objects a route can be asked about.
func columnsOf(surface, path string) []string {
	names := variable.FindAllStringSubmatch(path, -1)
	tenant := surface == "rezolve" && strings.HasPrefix(path, "/api/")
	switch {
	case len(names) == 0 && !tenant, strings.HasSuffix(path, "{kid}"):
		return []string{"own"}
	case len(names) == 0, len(names) == 1 && slices.Contains(organizationVariables, names[0][1]):
		return []string{"own", "foreign", "nowhere", "deleted"}
	case len(names) > 2:
		return []string{"own", "foreign", "nowhere", "mixed", "sibling", "absent", "deleted"}
	default:
		return []string{"own", "foreign", "nowhere", "mixed", "absent", "deleted"}
	}
}

// ask sends one request and heals what it broke.
func (m *matrix) ask(caller caller, surface string, route web.Route, column string) cell {
	m.t.Helper()
	name := route.Method + " " + route.Path
	ofOrg := !slices.Contains(columnsOf(surface, route.Path), "absent")
	org, object := m.objects(column, ofOrg)
	if name == "DELETE /v2/orgs/{org}" && caller.system && (column == "own" || column == "foreign") {
		org = m.estate("passing-" + m.next())
		object = org
	}
	path := fill(route.Path, org, object)
	sent := strings.ReplaceAll(bodies[name], "%", m.next())
	r, err := http.NewRequestWithContext(m.t.Context(), route.Method, m.URL+path, strings.NewReader(sent))
	if err != nil {
		m.t.Fatal(err)
	}
	switch {
	case strings.HasPrefix(sent, "{"):
		r.Header.Set("Content-Type", "application/json")
	case sent != "":
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if surface == "rezolve" {
		r.Header.Set("X-Tenantid", org.id.String())
	}
	r.Header.Set("X-Correlation-Id", "matrix")
	if caller.token != "" {
		r.Header.Set("Authorization", "Bearer "+caller.token)
	}
	got := m.send(r)
	if got.status < http.StatusBadRequest && route.Method != http.MethodGet {
		m.heal(column)
	}
	return got
}

func (m *matrix) send(r *http.Request) cell {
	m.t.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		m.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	response.Header.Del("Date")
	return cell{response.StatusCode, response.Header, string(read)}
}

const (
	newResource = `{"metadata":{"name":"made"},"spec":{"groupIDs":[]}}`
	newGroup    = `{"metadata":{"name":"made"},"spec":{"roleIDs":[],"serviceAccountIDs":[]}}`
	renamed     = `{"name":"renamed"}`
	grant       = "grant_type=client_credentials"
	native      = "/v2/orgs/{org}"
	nativeOne   = native + "/service-accounts/{slug}"
	keycardList = "/organizations/{organization_id}/service-accounts"
	keycardOne  = keycardList + "/{service_account_id}"
	nscaleOrg   = "/api/v1/organizations/{organizationID}"
)

// bodies are what makes a request one that an owner may make. A % is a new number.
var bodies = map[string]string{
	"POST /v2/orgs":                                           `{"slug":"made-%","name":"Made"}`,
	"PATCH " + native:                                         renamed,
	"POST " + native + "/roles":                               `{"slug":"made-%","name":"Made"}`,
	"PATCH " + native + "/roles/{role}":                       renamed,
	"POST " + native + "/groups":                              `{"name":"Made %"}`,
	"PATCH " + native + "/groups/{group}":                     renamed,
	"POST " + native + "/service-accounts":                    `{"slug":"made-%","name":"Made","roleSlug":"member"}`,
	"PATCH " + nativeOne:                                      renamed,
	"POST " + nativeOne + "/token":                            `{"clientSecret":"wrong"}`,
	"POST " + nativeOne + "/credentials":                      `{"kind":"secret","name":"Made"}`,
	"PATCH " + nativeOne + "/credentials/{credential}":        renamed,
	"POST " + nativeOne + "/credentials/{credential}/secrets": `{}`,
	"POST /v2/keys/rotate":                                    `{}`,

	"POST /token":                 grant,
	"POST /oauth/token":           grant,
	"POST /oauth2/token":          grant,
	"POST /api/v1/oauth/token":    grant,
	"POST /service-account-token": grant,
	"POST /introspect":            "token=unknown",
	"POST /revoke":                "token=unknown",

	"POST " + keycardList:                                      `{"name":"Made"}`,
	"PATCH " + keycardOne:                                      renamed,
	"POST " + keycardOne + "/credentials":                      `{"name":"Made"}`,
	"PATCH " + keycardOne + "/credentials/{credential_id}":     renamed,
	"POST " + nscaleOrg + "/serviceaccounts":                   newResource,
	"PUT " + nscaleOrg + "/serviceaccounts/{serviceAccountID}": newResource,
	"POST " + nscaleOrg + "/groups":                            newGroup,
	"PUT " + nscaleOrg + "/groups/{groupid}":                   newGroup,
	"POST /oauth2/v2/token":                                    grant,
	"POST /api/v1/oauth-clients":                               `{"name":"Made","clientType":"confidential","redirectUris":[],"grantTypes":["client_credentials"],"scopes":["api:read"]}`,
	"PATCH /api/v1/oauth-clients/{clientId}":                   renamed,
}
