package web

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func cancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// dialServer starts a [NewServer] and returns a raw connection to it.
func dialServer(t *testing.T, handler http.Handler) net.Conn {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := NewServer("", handler, slog.New(slog.DiscardHandler))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	var dialer net.Dialer
	connection, err := dialer.DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	if err := connection.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return connection
}

func exchange(t *testing.T, connection net.Conn, request string) (statusLine string, header string) {
	t.Helper()
	if _, err := fmt.Fprint(connection, request); err != nil {
		t.Fatal(err)
	}
	answer := bufio.NewReader(connection)
	statusLine, err := answer.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	for {
		line, err := answer.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "\r\n" {
			return strings.TrimSpace(statusLine), header
		}
		header += strings.ToLower(line)
	}
}

func TestServerLimits(t *testing.T) {
	server := NewServer("127.0.0.1:0", okHandler, slog.New(slog.DiscardHandler))
	for name, got := range map[string][2]time.Duration{
		"read header": {server.ReadHeaderTimeout, 5 * time.Second},
		"read":        {server.ReadTimeout, 10 * time.Second},
		"write":       {server.WriteTimeout, 15 * time.Second},
		"idle":        {server.IdleTimeout, time.Minute},
	} {
		if got[0] != got[1] {
			t.Errorf("%s time-out %v, want %v", name, got[0], got[1])
		}
	}
	if server.MaxHeaderBytes != 16<<10 || server.Protocols.UnencryptedHTTP2() {
		t.Errorf("header bytes %d, h2c %v", server.MaxHeaderBytes, server.Protocols.UnencryptedHTTP2())
	}
}

func TestServerOverTheWire(t *testing.T) {
	router := testRouter()
	handler := Events(EventConfig{Log: slog.New(slog.DiscardHandler), Fail: router.Fail})(router)
	for _, tc := range []struct {
		name, request, status string
		ours                  bool // reached our handlers, so it has our header
	}{
		{"served", "GET /v2/orgs HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK", true},
		{"no redirect", "POST //token HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 404 Not Found", true},
		{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 Not Found", true},
		{"absolute form", "GET http://evil/v2/orgs HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK", true},
		{"CONNECT", "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 Not Found", true},
		{
			"huge header", "GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 32<<10) + "\r\n\r\n",
			"HTTP/1.1 431 Request Header Fields Too Large", false,
		},
		{"two lengths", "POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 400 Bad Request", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, header := exchange(t, dialServer(t, handler), tc.request)
			if status != tc.status {
				t.Errorf("%q, want %q", status, tc.status)
			}
			if got := strings.Contains(header, "x-correlation-id: "); got != tc.ours {
				t.Errorf("x-correlation-id sent: %v", got)
			}
		})
	}
}

func TestHazard66_NoUnencryptedHTTP2(t *testing.T) {
	status, _ := exchange(t, dialServer(t, testRouter()), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	if status != "HTTP/1.1 404 Not Found" {
		t.Errorf("the HTTP/2 preface was answered with %q", status)
	}
}
