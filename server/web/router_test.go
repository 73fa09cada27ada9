package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func marked(name string) FailFunc {
	return func(w http.ResponseWriter, r *http.Request, err error) {
		w.Header().Set("X-Surface", name)
		DefaultFail(w, r, err)
	}
}

func echo(names ...string) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		vars := map[string]string{}
		for _, name := range names {
			vars[name] = Var(r, name)
		}
		return WriteJSON(w, http.StatusOK, vars)
	}
}

func testRouter() *Router {
	oauth := Surface{Name: "oauth", Fail: marked("oauth"), Prefixes: []string{"/.well-known/"}, Routes: []Route{
		{Method: http.MethodPost, Path: "/token", Handler: ok},
		{Method: http.MethodGet, Path: "/.well-known/jwks.json", Handler: ok},
	}}
	dialect := Surface{Name: "dialect", Fail: marked("dialect"), Prefixes: []string{"/api"}, Routes: []Route{
		{Method: http.MethodGet, Path: "/api/v1/organizations/{org}/groups", Handler: echo("org")},
		{Method: http.MethodPost, Path: "/oauth2/v2/token", Handler: ok},
	}}
	native := Surface{Name: "native", Fail: marked("native"), Routes: []Route{
		{Method: http.MethodGet, Path: "/v2/orgs", Handler: ok},
		{Method: http.MethodPost, Path: "/v2/orgs", Handler: ok},
		{Method: http.MethodGet, Path: "/v2/orgs/{org}", Handler: echo("org")},
		{Method: http.MethodDelete, Path: "/v2/orgs/{org}", Handler: echo("org")},
		{Method: http.MethodGet, Path: "/v2/orgs/{org}/roles/{role}", Handler: echo("org", "role")},
		{Method: http.MethodPost, Path: "/v2/orgs/batch", Handler: ok},
	}}
	return NewRouter(oauth, dialect, native)
}

func TestRouter(t *testing.T) {
	router := testRouter()
	for _, tc := range []struct {
		name, method, target string
		status               int
		surface, allow, body string
	}{
		{"post", "POST", "/token", 200, "", "", `{"answer":"ok"}`},
		{"variable", "GET", "/v2/orgs/acme", 200, "", "", `{"org":"acme"}`},
		{"escaped colon", "GET", "/v2/orgs/acme/roles/org%3Ax", 200, "", "", `{"org":"acme","role":"org:x"}`},
		{"a later route of the same shape", "POST", "/v2/orgs/batch", 200, "", "", `{"answer":"ok"}`},
		{"wrong method", "GET", "/token", 405, "oauth", "POST", ""},
		{"GET implies HEAD", "DELETE", "/v2/orgs", 405, "native", "GET, HEAD, POST", ""},
		{"methods of all fitting routes", "PUT", "/v2/orgs/batch", 405, "native", "DELETE, GET, HEAD, POST", ""},
		{"method of another route only", "DELETE", "/v2/orgs/acme/roles/x", 405, "native", "GET, HEAD", ""},
		{"made-up method", "BREW", "/token", 405, "oauth", "POST", ""},
		{"OPTIONS is no exception", "OPTIONS", "/token", 405, "oauth", "POST", ""},
		{"under a prefix", "GET", "/.well-known/nothing", 404, "oauth", "", ""},
		{"the prefix itself", "GET", "/.well-known", 404, "oauth", "", ""},
		{"beside a prefix", "GET", "/.well-knownx", 404, "native", "", ""},
		{"under a dialect's prefix", "GET", "/api/v1/x", 404, "dialect", "", ""},
		{"beside a dialect's prefix", "GET", "/apix", 404, "native", "", ""},
		{"under a route's own segments", "GET", "/api/v1/organizations/a/b/c", 404, "dialect", "", ""},
		{"below an exact route", "POST", "/oauth2/v2/token/x", 404, "native", "", ""},
		{"nobody's path", "GET", "/favicon.ico", 404, "native", "", ""},
		{"trailing slash", "POST", "/token/", 404, "oauth", "", ""},
		{"root", "GET", "/", 404, "native", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			answer := call(t, router, tc.method, tc.target, "", nil)
			if answer.status != tc.status {
				t.Fatalf("status %d, want %d", answer.status, tc.status)
			}
			if got := answer.header.Get("X-Surface"); got != tc.surface {
				t.Errorf("rendered by %q, want %q", got, tc.surface)
			}
			if got := answer.header.Get("Allow"); got != tc.allow {
				t.Errorf("Allow %q, want %q", got, tc.allow)
			}
			if tc.body != "" && answer.body != tc.body {
				t.Errorf("body %s, want %s", answer.body, tc.body)
			}
		})
	}
}

// Over the wire, since clients and net/http both rewrite paths when given a chance.
func TestRouterUncleanPaths(t *testing.T) {
	server := httptest.NewServer(testRouter())
	t.Cleanup(server.Close)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, path := range []string{
		"//token", "/./token", "/x/../token", "/token/.", "/%2e%2e/token", "/%2ftoken", "/token%2f", "/token%2F",
		"/v2/orgs//roles/x", "/v2/orgs/../roles/x", "/v2/orgs/%2e%2e/roles/x",
		"/v2/orgs/acme%2froles%2fowner", "/v2/orgs/acme%2Froles/owner", "/v2/orgs/a%5cb", "/v2/orgs/a%00b",
		"/v2/orgs/a%0ab", "/v2/orgs/%ff", "/TOKEN",
	} {
		t.Run(path, func(t *testing.T) {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				answer, err := client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				_ = answer.Body.Close()
				if answer.StatusCode != http.StatusNotFound {
					t.Errorf("%s: status %d, want 404", method, answer.StatusCode)
				}
			}
		})
	}
}

func TestRouterHead(t *testing.T) {
	server := httptest.NewServer(testRouter())
	t.Cleanup(server.Close)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, server.URL+"/v2/orgs", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if err != nil || answer.StatusCode != http.StatusOK || len(body) != 0 || answer.ContentLength != int64(len(`{"answer":"ok"}`)) {
		t.Errorf("HEAD: status %d, body %q, length %d", answer.StatusCode, body, answer.ContentLength)
	}
}

func TestRouterRefusesProgramMistakes(t *testing.T) {
	for name, routes := range map[string][]Route{
		"declared twice":  {{Method: "GET", Path: "/a", Handler: ok}, {Method: "GET", Path: "/a", Handler: ok}},
		"no template":     {{Method: "GET", Path: "/a/{", Handler: ok}},
		"no slash":        {{Method: "GET", Path: "a", Handler: ok}},
		"exempt variable": {{Method: "GET", Path: "/a/{b}", Handler: ok, Exempt: true}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			NewRouter(Surface{Routes: routes})
		})
	}
}

func TestRouterExempt(t *testing.T) {
	router := NewRouter(Surface{Routes: []Route{
		{Method: "GET", Path: "/livez", Handler: ok, Exempt: true},
		{Method: "GET", Path: "/token", Handler: ok},
	}})
	for target, want := range map[string]bool{
		"/livez": true, "/livez?verbose": true, "/%6Civez": true,
		"/livez/": false, "//livez": false, "/livez/x": false, "/LIVEZ": false, "/x/../livez": false, "/token": false, "/readyz": false,
	} {
		if got := router.Exempt(httptest.NewRequestWithContext(t.Context(), "POST", target, nil)); got != want {
			t.Errorf("%s: %v", target, got)
		}
	}
}

func TestHandlerErrors(t *testing.T) {
	begun := func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusAccepted)
		return BadRequest("too late")
	}
	router := NewRouter(Surface{Name: "s", Fail: marked("s"), Routes: []Route{
		{Method: "GET", Path: "/refused", Handler: func(http.ResponseWriter, *http.Request) error { return TooManyRequests(5, 1) }},
		{Method: "GET", Path: "/unknown", Handler: func(http.ResponseWriter, *http.Request) error { return http.ErrBodyNotAllowed }},
		{Method: "GET", Path: "/begun", Handler: begun},
	}})
	for _, tc := range []struct {
		path   string
		status int
		kind   any
		cause  any
	}{
		{"/refused", 429, "too_many_requests", nil},
		{"/unknown", 500, nil, http.ErrBodyNotAllowed.Error()},
		{"/begun", 202, "malformed", nil},
	} {
		t.Run(tc.path, func(t *testing.T) {
			var lines logLines
			answer := call(t, Events(EventConfig{Log: lines.logger()})(router), "GET", tc.path, "", nil)
			line := lines.only(t)
			if answer.status != tc.status || line["error"] != tc.kind || line["cause"] != tc.cause {
				t.Errorf("status %d, logged %v", answer.status, line)
			}
			if line["route"] != tc.path {
				t.Errorf("route %v, want the template", line["route"])
			}
			if tc.status == 429 && answer.header.Get("Retry-After") != "1" {
				t.Error("no Retry-After")
			}
		})
	}
}
