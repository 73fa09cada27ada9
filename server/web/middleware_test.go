package web

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

func TestRecover(t *testing.T) {
	var lines logLines
	router := NewRouter(Surface{Name: "s", Fail: marked("s"), Routes: []Route{
		{"GET", "/panics", func(http.ResponseWriter, *http.Request) error { panic("CANARY in a string") }},
		{"GET", "/nil", func(http.ResponseWriter, *http.Request) error {
			var none *Error
			return BadRequest(none.Message)
		}},
	}})
	handler := Events(EventConfig{Log: lines.logger()})(Recover(router))
	for path, cause := range map[string]string{
		"/panics": "panic of type string at github.com/signet-issuer/signet/server/web.TestRecover.func1:",
		"/nil":    "panic of type runtime.errorString at github.com/signet-issuer/signet/server/web.TestRecover.func2:",
	} {
		lines.Reset()
		answer := call(t, handler, "GET", path, "", nil)
		if answer.status != 500 || answer.header.Get("X-Surface") != "s" || answer.header.Get("x-correlation-id") == "" {
			t.Errorf("%s: status %d, headers %v", path, answer.status, answer.header)
		}
		line := lines.only(t)
		if got, _ := line["cause"].(string); !strings.HasPrefix(got, cause) {
			t.Errorf("%s: cause %q, want %q…", path, got, cause)
		}
		if strings.Contains(answer.body+lines.String(), canary) {
			t.Errorf("%s: the panic's value leaks", path)
		}
	}
}

func TestRecoverCutsHalfAnswers(t *testing.T) {
	handler := Events(EventConfig{Log: slog.New(slog.DiscardHandler)})(Recover(http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("half"))
			panic("x")
		})))
	defer func() {
		if thrown := recover(); thrown != http.ErrAbortHandler { //nolint:errorlint // net/http compares so too
			t.Errorf("thrown %v, want ErrAbortHandler", thrown)
		}
	}()
	call(t, handler, "GET", "/", "", nil)
}

func TestRequireTLS(t *testing.T) {
	for _, tc := range []struct {
		name, remote, path string
		tls                bool
		status             int
	}{
		{"TLS", "192.0.2.1:1", "/token", true, 200},
		{"plain", "192.0.2.1:1", "/token", false, 403},
		{"plain, claims a proxy", "192.0.2.1:1", "/token", false, 403},
		{"plain, IPv6", "[2001:db8::1]:1", "/token", false, 403},
		{"loopback", "127.0.0.9:1", "/token", false, 200},
		{"loopback, IPv6", "[::1]:1", "/token", false, 200},
		{"trusted proxy", "10.1.2.3:1", "/token", false, 200},
		{"unknown peer", "@", "/token", false, 403},
		{"liveness", "192.0.2.1:1", "/livez", false, 200},
		{"readiness", "192.0.2.1:1", "/readyz", false, 200},
		{"metrics", "192.0.2.1:1", "/metrics", false, 403},
		{"looks like a probe", "192.0.2.1:1", "/livez/", false, 403},
	} {
		t.Run(tc.name, func(t *testing.T) {
			answer := call(t, RequireTLS(prefixes(t, "10.0.0.0/8"))(okHandler), "POST", tc.path, "", func(r *http.Request) {
				r.RemoteAddr = tc.remote
				r.Header.Set("X-Forwarded-Proto", "https")
				r.Header.Set("X-Forwarded-For", "127.0.0.1")
				if tc.tls {
					r.TLS = &tls.ConnectionState{}
				}
			})
			if answer.status != tc.status {
				t.Errorf("status %d, want %d", answer.status, tc.status)
			}
		})
	}
}

func TestSecurityHeaders(t *testing.T) {
	for _, tc := range []struct {
		name, remote, proto string
		tls, hsts           bool
	}{
		{"plain", "192.0.2.1:1", "", false, false},
		{"TLS", "192.0.2.1:1", "", true, true},
		{"proxy that ended TLS", "10.0.0.1:1", "https", false, true},
		{"proxy without TLS", "10.0.0.1:1", "http", false, false},
		{"proxy that says nothing", "10.0.0.1:1", "", false, false},
		{"claims TLS", "192.0.2.1:1", "https", false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			events := Events(EventConfig{Log: slog.New(slog.DiscardHandler), Trusted: prefixes(t, "10.0.0.0/8")})
			answer := call(t, events(SecurityHeaders(okHandler)), "GET", "/", "", func(r *http.Request) {
				r.RemoteAddr = tc.remote
				r.Header.Set("X-Forwarded-Proto", tc.proto)
				if tc.tls {
					r.TLS = &tls.ConnectionState{}
				}
			})
			if answer.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Error("no nosniff")
			}
			if got := answer.header.Get("Strict-Transport-Security") != ""; got != tc.hsts {
				t.Errorf("HSTS %v, want %v", got, tc.hsts)
			}
		})
	}
}
