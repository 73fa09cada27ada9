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
		{Method: "GET", Path: "/panics", Handler: func(http.ResponseWriter, *http.Request) error { panic("CANARY in a string") }},
		{Method: "GET", Path: "/nil", Handler: func(http.ResponseWriter, *http.Request) error {
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

func TestStandard12_RequireTLS(t *testing.T) {
	const stranger, proxy, local = "192.0.2.1:1", "10.1.2.3:1", "127.0.0.9:1"
	for _, tc := range []struct {
		name, remote string
		tls          bool
		proto        []string // X-Forwarded-Proto, one a header
		path         string
		status       int
	}{
		{"TLS", stranger, true, nil, "/token", 200},
		{"plain", stranger, false, nil, "/token", 403},
		{"plain, claims TLS", stranger, false, []string{"https"}, "/token", 403},
		{"plain, IPv6", "[2001:db8::1]:1", false, nil, "/token", 403},
		{"TLS, whatever a stranger says", stranger, true, []string{"http"}, "/token", 200},
		{"loopback", local, false, nil, "/token", 200},
		{"loopback, IPv6", "[::1]:1", false, nil, "/token", 200},
		{"loopback that is no proxy", local, false, []string{"http"}, "/token", 200},
		{"proxy that says nothing", proxy, false, nil, "/token", 200},
		{"proxy that says it with nothing in it", proxy, false, []string{""}, "/token", 200},
		{"proxy, client came over TLS", proxy, false, []string{"https"}, "/token", 200},
		{"proxy, in upper case", proxy, false, []string{"HTTPS"}, "/token", 200},
		{"proxy, client came in plain", proxy, false, []string{"http"}, "/token", 403},
		{"proxy over TLS, client came in plain", proxy, true, []string{"http"}, "/token", 403},
		{"proxies in a row", proxy, false, []string{"https, https"}, "/token", 200},
		{"proxies in a row, the first plain", proxy, false, []string{"http, https"}, "/token", 403},
		{"client that says https before its proxy says http", proxy, false, []string{"https", "http"}, "/token", 403},
		{"proxy of another mind", proxy, false, []string{"CANARY"}, "/token", 403},
		{"unknown peer", "@", false, nil, "/token", 403},
		{"exempt", stranger, false, nil, "/livez", 200},
		{"exempt, through a proxy in plain", proxy, false, []string{"http"}, "/readyz", 200},
		{"looks exempt", stranger, false, nil, "/livez/", 403},
	} {
		t.Run(tc.name, func(t *testing.T) {
			events := Events(EventConfig{Log: slog.New(slog.DiscardHandler), Trusted: prefixes(t, "10.0.0.0/8")})
			answer := call(t, events(RequireTLS(probes)(okHandler)), "POST", tc.path, "", func(r *http.Request) {
				r.RemoteAddr = tc.remote
				r.Header["X-Forwarded-Proto"] = tc.proto
				r.Header.Set("X-Forwarded-For", "127.0.0.1")
				if tc.tls {
					r.TLS = &tls.ConnectionState{}
				}
			})
			if answer.status != tc.status || strings.Contains(answer.body, canary) {
				t.Errorf("status %d, want %d: %s", answer.status, tc.status, answer.body)
			}
		})
	}
	// Put together wrongly, it refuses.
	if answer := call(t, RequireTLS(probes)(okHandler), "POST", "/token", "", nil); answer.status != 403 {
		t.Errorf("outside of Events: status %d", answer.status)
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
		{"proxy over TLS, client without", "10.0.0.1:1", "http", true, false},
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
