package nscale_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signet-issuer/signet/internal/testenv"
	"github.com/signet-issuer/signet/server/compat/nscale"
)

const nobody = "0aaba80d-67ef-4799-b6d9-59f37e2ce2ad"

// filled is a route under an organization with every variable of its path filled.
func filled(org, account, group string) [][2]string {
	fill := strings.NewReplacer("{organizationID}", org, "{serviceAccountID}", account, "{groupid}", group)
	var list [][2]string
	for _, route := range nscale.Surface(nscale.Config{}).Routes {
		if strings.Contains(route.Path, "{") {
			list = append(list, [2]string{route.Method, fill.Replace(route.Path)})
		}
	}
	return list
}

func TestIdsAreCheckedBeforeAnythingElse(t *testing.T) {
	d := start(t)
	for _, bad := range []string{
		"acme", "1", "0aaba80d67ef4799b6d959f37e2ce2ad", "{0aaba80d-67ef-4799-b6d9-59f37e2ce2ad}", "0aaba80d-67ef-4799-b6d9-59f37e2ce2ag",
	} {
		for _, route := range filled(bad, nobody, nobody) {
			d.call(t, route[0], strings.NewReplacer("{", "%7B", "}", "%7D").Replace(route[1])+"?x=1", "").refused(t, 400, "invalid_request")
		}
	}
	for _, route := range filled(d.acme.ID.String(), "bot", "bot") {
		if strings.Contains(route[1], "bot") {
			d.call(t, route[0], route[1], `{`).refused(t, 400, "invalid_request").says(t, "UUID")
		}
	}
	// Either case spells the same id.
	d.call(t, "GET", path(d.acme, "roles"), "", as(d.admin)).wants(t, 200)
	d.call(t, "GET", "/api/v1/organizations/"+strings.ToUpper(d.acme.ID.String())+"/roles", "", as(d.admin)).wants(t, 200)
}

func TestCallersAreKnownBeforeBodiesAreRead(t *testing.T) {
	d := start(t)
	metadata := `resource_metadata="` + d.URL + `/.well-known/openid-protected-resource"`
	for _, route := range filled(d.acme.ID.String(), nobody, nobody) {
		for name, caller := range map[string]struct {
			options []option
			says    string
		}{
			"nobody":  {nil, "a bearer token is needed"},
			"basic":   {[]option{testenv.Header("Authorization", "Basic eDp5")}, "a bearer token is needed"},
			"garbage": {[]option{as("x.y.z")}, "the bearer token is not valid"},
			"two":     {[]option{as(d.admin), as(d.admin)}, "the bearer token is not valid"},
		} {
			body := "["
			if route[0] == http.MethodGet {
				body = ""
			}
			got := d.call(t, route[0], route[1]+"?nonsense=1", body, caller.options...)
			if got.status == http.StatusTooManyRequests { // the limit on failures of one source
				d.Clock.Advance(time.Minute)
				got = d.call(t, route[0], route[1]+"?nonsense=1", body, caller.options...)
			}
			got.refused(t, 401, "access_denied").says(t, caller.says)
			want := `Bearer error="access_denied",error_description="` + caller.says + `",` + metadata
			if challenge := got.header.Get("WWW-Authenticate"); challenge != want {
				t.Errorf("%s as %s: challenge %q", got.request, name, challenge)
			}
		}
	}
}

// I33: an organization that is somebody else's is the same 403 as one that is nobody's.
func TestI33_ForeignLooksAbsent(t *testing.T) {
	d := start(t)
	theirs := d.Machine(t, "other", "bot", "api").Account.ID.String()
	absent := filled(nobody, nobody, nobody)
	root := d.Token(t, d.Admin)
	bodies := map[bool]string{
		true:  `{"metadata":{"name":"x"},"spec":{"roleIDs":[],"serviceAccountIDs":[]}}`,
		false: named("x"),
	}
	for i, route := range filled(d.other.ID.String(), theirs, theirs) {
		body := ""
		if route[0] == http.MethodPut || (route[0] == http.MethodPost && !strings.HasSuffix(route[1], "/rotate")) {
			body = bodies[strings.Contains(route[1], "/groups")]
		}
		got := d.may(t, route[0], route[1], body).refused(t, 403, "forbidden")
		want := d.may(t, absent[i][0], absent[i][1], body).refused(t, 403, "forbidden")
		if plain(t, got) != plain(t, want) {
			t.Errorf("%s: %s, absent: %s", got.request, got.body, want.body)
		}
		d.call(t, absent[i][0], absent[i][1], body, as(root)).refused(t, 403, "forbidden")
	}
	// Within the own organization a foreign object is absent.
	own := path(d.acme, "serviceaccounts")
	d.may(t, "PUT", own+"/"+theirs, named("x")).refused(t, 404, "not_found").says(t, "service account")
	d.may(t, "DELETE", own+"/"+theirs, "").refused(t, 404, "not_found")
	d.may(t, "POST", own+"/"+theirs+"/rotate", "").refused(t, 404, "not_found")
	d.call(t, "GET", path(d.other, "serviceaccounts"), "", as(root)).wants(t, 200)
}

func plain(t *testing.T, a answer) string {
	t.Helper()
	return strings.ReplaceAll(a.body, a.header.Get("X-Correlation-Id"), "")
}

func TestBodiesAreReadStrictly(t *testing.T) {
	d := start(t)
	for name, test := range map[string]struct{ body, says string }{
		"empty":               {``, "empty"},
		"no JSON":             {`{`, "JSON"},
		"an array":            {`[]`, "object"},
		"something after":     {named("x") + `{}`, "JSON"},
		"no metadata":         {`{"spec":{"groupIDs":[]}}`, "metadata is required"},
		"no spec":             {`{"metadata":{"name":"x"}}`, "spec is required"},
		"nothing":             {`{}`, "metadata is required"},
		"no name":             {`{"metadata":{},"spec":{"groupIDs":[]}}`, "metadata.name"},
		"no groups":           {`{"metadata":{"name":"x"},"spec":{}}`, "spec.groupIDs is required"},
		"null groups":         {`{"metadata":{"name":"x"},"spec":{"groupIDs":null}}`, "spec.groupIDs is required"},
		"groups of numbers":   {`{"metadata":{"name":"x"},"spec":{"groupIDs":[1]}}`, "spec.groupIDs"},
		"unknown member":      {`{"metadata":{"name":"x"},"spec":{"groupIDs":[]},"status":{}}`, "not known"},
		"mass assignment":     {`{"metadata":{"name":"x","id":"` + nobody + `"},"spec":{"groupIDs":[]}}`, "not known"},
		"wrong case":          {`{"Metadata":{"name":"x"},"spec":{"groupIDs":[]}}`, "not known"},
		"twice":               {`{"metadata":{"name":"x","name":"y"},"spec":{"groupIDs":[]}}`, "more than once"},
		"null description":    {`{"metadata":{"name":"x","description":null},"spec":{"groupIDs":[]}}`, "metadata.description"},
		"null tags":           {`{"metadata":{"name":"x","tags":null},"spec":{"groupIDs":[]}}`, "metadata.tags"},
		"tag without a value": {`{"metadata":{"name":"x","tags":[{"name":"a"}]},"spec":{"groupIDs":[]}}`, "metadata.tags[0]"},
		"tag twice":           {`{"metadata":{"name":"x","tags":[{"name":"a","value":"1"},{"name":"a","value":"2"}]},"spec":{"groupIDs":[]}}`, "metadata.tags"},
		"long description":    {`{"metadata":{"name":"x","description":"` + strings.Repeat("d", 501) + `"},"spec":{"groupIDs":[]}}`, "metadata.description"},
		"many groups":         {named("x", manyIDs()...), "spec.groupIDs"},
	} {
		t.Run(name, func(t *testing.T) {
			d.may(t, "POST", path(d.acme, "serviceaccounts"), test.body).refused(t, 400, "invalid_request").says(t, test.says)
		})
	}
	for _, name := range []string{"", "-x", "x-", ".", "a b", "ä", "x/y", strings.Repeat("x", 64), `x\n`} {
		d.may(t, "POST", path(d.acme, "serviceaccounts"), named(name)).refused(t, 400, "invalid_request").says(t, "metadata.name")
	}
	for _, name := range []string{"x", "A.b_c-9", strings.Repeat("x", 63)} {
		d.made(t, name)
	}
	d.send(t, "POST", path(d.acme, "serviceaccounts"), named("x"), as(d.admin), testenv.Header("Content-Type", "text/plain")).
		refused(t, 400, "invalid_request")
	d.may(t, "POST", path(d.acme, "serviceaccounts"), named(strings.Repeat("x", 65<<10))).refused(t, 413, "request_entity_too_large")
	d.may(t, "GET", path(d.acme, "serviceaccounts")+"?limit=1", "").refused(t, 400, "invalid_request")
}

func manyIDs() []string {
	ids := make([]string, 65)
	for i := range ids {
		ids[i] = nobody[:34] + string([]byte{"0123456789abcdef"[i/16], "0123456789abcdef"[i%16]})
	}
	return ids
}

func TestUnknownRoutesAnswerInShape(t *testing.T) {
	d := start(t)
	for _, unknown := range []string{
		"/oauth2/v2/nothing", "/oauth2/v2", path(d.acme, "serviceaccounts", nobody, "x"), path(d.acme, "users"),
	} {
		d.may(t, "GET", unknown, "").refused(t, 404, "not_found")
	}
	for _, request := range [][3]string{
		{"DELETE", path(d.acme, "serviceaccounts"), "GET, HEAD, POST"},
		{"GET", path(d.acme, "serviceaccounts", nobody), "DELETE, PUT"},
		{"GET", "/oauth2/v2/token", "POST"},
		{"POST", "/oauth2/v2/jwks", "GET, HEAD"},
	} {
		got := d.may(t, request[0], request[1], "").refused(t, 405, "method_not_allowed")
		if allow := got.header.Get("Allow"); allow != request[2] {
			t.Errorf("%s: Allow %q", got.request, allow)
		}
	}
}

func TestRFC9728_Metadata(t *testing.T) {
	d := start(t)
	for _, place := range []string{"/.well-known/openid-protected-resource", "/.well-known/oauth-protected-resource"} {
		got := d.call(t, "GET", place, "").wants(t, 200)
		said := into[struct {
			Resource             string   `json:"resource"`
			AuthorizationServers []string `json:"authorization_servers"`
			Scopes               []string `json:"scopes_supported"`
			Methods              []string `json:"bearer_methods_supported"`
		}](t, got)
		if said.Resource != d.Issuer || len(said.AuthorizationServers) != 1 || said.AuthorizationServers[0] != d.Issuer || len(said.Scopes) != 10 {
			t.Errorf("%s says %s", place, got.body)
		}
		if got.header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %v", place, got.header)
		}
	}
}

// RFC 9728, section 3.1: the issuer's path goes behind the well-known one.
func TestMetadataOfAnIssuerWithAPath(t *testing.T) {
	e := testenv.Start(t, func(c *testenv.Config) { c.IssuerPath = "/auth" })
	refused := e.Do(t, "GET", "/api/v1/organizations", "")
	place := "/.well-known/openid-protected-resource/auth"
	if challenge := refused.Header.Get("WWW-Authenticate"); !strings.HasSuffix(challenge, `resource_metadata="`+e.URL+place+`"`) {
		t.Errorf("challenge %q", challenge)
	}
	if got := e.Do(t, "GET", place, ""); got.Status != 200 || got.JSON(t)["resource"] != e.Issuer {
		t.Errorf("metadata %d %s", got.Status, got.Body)
	}
}

func TestOutageIsUnavailable(t *testing.T) {
	d := start(t)
	token := d.made(t, "bot").Status.AccessToken
	if err := d.DB.Close(); err != nil {
		t.Fatal(err)
	}
	for _, got := range []answer{
		d.may(t, "GET", path(d.acme, "serviceaccounts"), ""),
		d.call(t, "GET", path(d.acme, "serviceaccounts"), "", as(token)),
		d.exchange(t, token),
		d.call(t, "GET", "/oauth2/v2/userinfo", "", as(token)),
	} {
		got.refused(t, 503, "server_error")
		if got.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", got.request)
		}
	}
	d.call(t, "GET", "/oauth2/v2/jwks", "").wants(t, 200)
}

// shut is a limiter that lets nobody through.
type shut struct{}

func (shut) Allow(context.Context, string, int, time.Duration) (bool, time.Duration) {
	return false, 1500 * time.Millisecond
}

func TestTooManyFailuresAndTooManyPassports(t *testing.T) {
	d := start(t, func(c *testenv.Config) { c.Limiter = shut{} })
	got := d.call(t, "GET", path(d.acme, "serviceaccounts"), "", as("x")).refused(t, 429, "server_error")
	if got.header.Get("Retry-After") != "2" {
		t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
	}
	d = start(t, func(c *testenv.Config) { c.PerOrgRate = 2 })
	d.Clock.Stop() // the administrator's token was one of two
	d.exchange(t, d.admin)
	d.exchange(t, d.admin)
	d.exchange(t, d.admin).refused(t, 429, "server_error")
}
