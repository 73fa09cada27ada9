package server_test

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

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

// What is said of the shared state is for people: it decides nothing.
func TestD11_ReadinessTellsOfTheStateAndDoesNotDependOnIt(t *testing.T) {
	health := &server.Health{
		Check: func(context.Context) error { return nil },
		State: func() string { return "does not answer" },
	}
	handler := newHandler(t, health)
	plain, verbose := get(handler, "/readyz", "127.0.0.1:1"), get(handler, "/readyz?verbose", "127.0.0.1:1")
	if plain.Code != http.StatusOK || plain.Body.String() != "ok\n" {
		t.Errorf("%d %q", plain.Code, plain.Body)
	}
	if want := "serving: ok\ndatabase: ok\nredis: does not answer\nok\n"; verbose.Code != http.StatusOK || verbose.Body.String() != want {
		t.Errorf("%d %q, want %q", verbose.Code, verbose.Body, want)
	}
}

func TestMetricsOfPoolsAndState(t *testing.T) {
	metrics := server.NewMetrics(func() uint64 { return 7 })
	report := "ok"
	metrics.WatchState(func() string { return report })
	metrics.WatchClock(func() time.Time { return time.UnixMilli(1_500) })
	metrics.WatchPool("read", func() sql.DBStats {
		return sql.DBStats{MaxOpenConnections: 12, InUse: 5, WaitCount: 3, WaitDuration: 1500 * time.Millisecond}
	})
	metrics.WatchPool("write", func() sql.DBStats { return sql.DBStats{MaxOpenConnections: 4} })
	for _, want := range []string{
		"signet_state_dropped_total 7", "signet_redis_ok 1", "signet_time_seconds 1.5",
		`signet_sql_connections_max{pool="read"} 12`, `signet_sql_connections_max{pool="write"} 4`,
		`signet_sql_connections_in_use{pool="read"} 5`, `signet_sql_waits_total{pool="read"} 3`,
		`signet_sql_wait_seconds_total{pool="read"} 1.5`,
	} {
		if got := get(metrics.Handler(), "/metrics", "127.0.0.1:1").Body.String(); !strings.Contains(got, "\n"+want+"\n") {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	report = "does not answer"
	if got := get(metrics.Handler(), "/metrics", "127.0.0.1:1").Body.String(); !strings.Contains(got, "\nsignet_redis_ok 0\n") {
		t.Error("a Redis that does not answer is well")
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

func TestMetricsAreNotForwarded(t *testing.T) {
	env := testenv.Start(t)
	for _, header := range []string{"X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Forwarded-Proto", "Via"} {
		if got := env.Do(t, http.MethodGet, "/metrics", "", testenv.Header(header, "127.0.0.1")); got.Status != http.StatusNotFound {
			t.Errorf("%s: %d", header, got.Status)
		}
	}
}

// The chain of middleware is the product's: each link shows here or is missing.
func TestChain(t *testing.T) {
	env := testenv.Start(t)
	answer := env.Do(t, http.MethodGet, "/.well-known/jwks.json", "")
	if answer.Header.Get("X-Content-Type-Options") != "nosniff" || answer.Header.Get("X-Correlation-Id") == "" {
		t.Errorf("headers %v", answer.Header)
	}
	deps := env.Deps()
	deps.Health = &server.Health{Check: func(context.Context) error { panic("CANARY") }}
	got := get(server.New(deps), "/readyz", "127.0.0.1:1")
	if got.Code != http.StatusInternalServerError || strings.Contains(got.Body.String(), "CANARY") || got.Header().Get("X-Correlation-Id") == "" {
		t.Errorf("a panic answers %d %s", got.Code, got.Body)
	}
	if logged := env.Logged(); strings.Contains(logged, "CANARY") || !strings.Contains(logged, "panic of type string") {
		t.Error("the panic is not logged as it should")
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
	return server.New(deps)
}

func get(handler http.Handler, path, peer string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, path, nil)
	r.RemoteAddr = peer
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, r)
	return recorder
}

// stuck is a limiter that holds every failed authentication until it is let go.
type stuck struct {
	entered chan struct{}
	release chan struct{}
}

func (s stuck) Allow(context.Context, string, int, time.Duration) (bool, time.Duration) {
	s.entered <- struct{}{}
	<-s.release
	return true, 0
}

func TestI43_OverloadIsShed(t *testing.T) {
	limit := 256 * runtime.GOMAXPROCS(0)
	deps := testenv.Start(t).Deps()
	hold := stuck{entered: make(chan struct{}, 2*limit+2), release: make(chan struct{})}
	deps.Limiter = hold
	handler := server.New(deps)

	var inFlight sync.WaitGroup
	for range limit {
		inFlight.Go(func() { badBearer(handler) })
	}
	for range limit {
		select {
		case <-hold.entered:
		case <-time.After(time.Minute):
			t.Fatal("requests do not reach the limiter")
		}
	}
	shed := badBearer(handler)
	if shed.Code != http.StatusServiceUnavailable || shed.Header().Get("Retry-After") == "" {
		t.Errorf("one too many gets %d", shed.Code)
	}
	if alive := get(handler, "/livez", "127.0.0.1:1"); alive.Code != http.StatusOK {
		t.Errorf("liveness under overload: %d", alive.Code)
	}
	close(hold.release)
	inFlight.Wait()
	if after := badBearer(handler); after.Code != http.StatusUnauthorized {
		t.Errorf("after the overload: %d", after.Code)
	}
}

// badBearer asks for what only a token opens, with a text that costs no look-up to refuse.
func badBearer(handler http.Handler) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/v2/orgs", nil)
	r.Header.Set("Authorization", "Bearer none")
	r.RemoteAddr = "127.0.0.1:1"
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, r)
	return recorder
}
