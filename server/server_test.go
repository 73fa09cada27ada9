package server_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/internal/testenv"
	"github.com/signet-issuer/signet/server"
	"github.com/signet-issuer/signet/server/admin"
	"github.com/signet-issuer/signet/test/referee"
)

func TestI41_ReadinessFollowsTheDatabaseAndLivenessNothing(t *testing.T) {
	env := testenv.Start(t)
	expect(t, env.Do(t, http.MethodGet, "/readyz", ""), http.StatusOK, "ok\n")
	expect(t, env.Do(t, http.MethodGet, "/readyz?verbose", ""), http.StatusOK, "serving: ok\ndatabase: ok\nok\n")
	if err := env.DB.Close(); err != nil {
		t.Fatal(err)
	}
	answer := env.Do(t, http.MethodGet, "/readyz?verbose", "")
	expect(t, answer, http.StatusServiceUnavailable, "serving: ok\ndatabase: does not answer\nnot ready\n")
	if answer.Header.Get("Retry-After") == "" {
		t.Error("not ready without Retry-After")
	}
	expect(t, env.Do(t, http.MethodGet, "/livez", ""), http.StatusOK, "ok\n")
}

func expect(t *testing.T, answer testenv.Answer, status int, body string) {
	t.Helper()
	if answer.Status != status || answer.Body != body {
		t.Errorf("%d %q, want %d %q", answer.Status, answer.Body, status, body)
	}
}

func TestOperationsAreAsDocumented(t *testing.T) {
	env := testenv.Start(t)
	document, err := admin.Document()
	if err != nil {
		t.Fatal(err)
	}
	watched := referee.New(t, document).Client()
	visit := func() {
		for _, path := range []string{"/livez", "/readyz", "/readyz?verbose", "/metrics", "/openapi.json", "/nowhere"} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, env.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := watched.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			if err := response.Body.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	visit()
	if err := env.DB.Close(); err != nil {
		t.Fatal(err)
	}
	visit()
}

func TestDrainMakesUnready(t *testing.T) {
	health := &server.Health{Check: func(context.Context) error { return nil }}
	handler := newHandler(t, health)
	if got := get(handler, "/readyz", "127.0.0.1:1"); got.Code != http.StatusOK {
		t.Fatalf("before: %d", got.Code)
	}
	health.Drain()
	if got := get(handler, "/readyz", "127.0.0.1:1"); got.Code != http.StatusServiceUnavailable {
		t.Fatalf("draining: %d", got.Code)
	}
	if got := get(handler, "/livez", "127.0.0.1:1"); got.Code != http.StatusOK {
		t.Fatalf("alive: %d", got.Code)
	}
}

func TestReadinessDoesNotSayWhatIsWrong(t *testing.T) {
	health := &server.Health{Check: func(context.Context) error { return errors.New("dial CANARY refused") }}
	got := get(newHandler(t, health), "/readyz?verbose", "127.0.0.1:1")
	if got.Code != http.StatusServiceUnavailable || strings.Contains(got.Body.String(), "CANARY") {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
}

func TestMetricsAreForThisMachineOnly(t *testing.T) {
	handler := newHandler(t, &server.Health{Check: func(context.Context) error { return nil }})
	get(handler, "/livez", "127.0.0.1:1")
	local := get(handler, "/metrics", "127.0.0.1:1")
	want := `signet_requests_total{error="",method="GET",route="/livez",status="200",surface="operations"} 1`
	if local.Code != http.StatusOK || !strings.Contains(local.Body.String(), want) {
		t.Errorf("local: %d, lacks %s", local.Code, want)
	}
	// The last peer is a proxy that is trusted: what counts is who is behind it.
	for _, peer := range []string{"192.0.2.7:1", "10.0.0.1:1"} {
		if got := get(handler, "/metrics", peer); got.Code == http.StatusOK || strings.Contains(got.Body.String(), "signet_") {
			t.Errorf("%s gets the metrics: %d", peer, got.Code)
		}
	}
}

func TestStandard12_PlainHTTPIsForLoopbackAndTrustedProxies(t *testing.T) {
	handler := newHandler(t, &server.Health{Check: func(context.Context) error { return nil }})
	for peer, want := range map[string]int{
		"127.0.0.1:1": http.StatusOK, "[::1]:1": http.StatusOK, "10.0.0.1:1": http.StatusOK, "192.0.2.7:1": http.StatusForbidden,
	} {
		if got := get(handler, "/.well-known/jwks.json", peer); got.Code != want {
			t.Errorf("%s: %d, want %d", peer, got.Code, want)
		}
	}
}

func newHandler(t *testing.T, health *server.Health) http.Handler {
	t.Helper()
	env := testenv.Start(t)
	deps := env.Deps()
	deps.Health = health
	deps.Metrics = server.NewMetrics(func() uint64 { return 0 })
	deps.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	handler, err := server.New(deps)
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

func get(handler http.Handler, path, peer string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, path, nil)
	r.RemoteAddr = peer
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, r)
	return recorder
}
