package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/config"
)

// The server's certificate is for another name than this machine's.
func TestD11_HealthcheckOverTLS(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			t.Errorf("asked %s", r.URL.Path)
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	cfg := config.Config{Listen: server.Listener.Addr().String(), TLSCertFile: "cert.pem"}
	if err := askHealth(t.Context(), cfg, "/readyz"); err != nil {
		t.Errorf("a ready server: %v", err)
	}
	status = http.StatusServiceUnavailable
	if err := askHealth(t.Context(), cfg, "/readyz"); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("a server that is not ready: %v", err)
	}
}

// A server on all addresses of the machine is asked through loopback.
func TestHealthcheckOfAllAddresses(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"0.0.0.0", ""} {
		cfg := config.Config{Listen: net.JoinHostPort(host, port)}
		if err := askHealth(t.Context(), cfg, "/livez"); err != nil {
			t.Errorf("listening on %q: %v", cfg.Listen, err)
		}
	}
}
