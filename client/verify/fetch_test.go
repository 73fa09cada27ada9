package verify_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-issuer/signet/client/verify"
)

func TestCacheControl(t *testing.T) {
	tests := []struct {
		name    string
		headers http.Header
		fresh   time.Duration
	}{
		{"max-age", http.Header{"Cache-Control": {"public, max-age=60"}}, time.Minute},
		{"capitals and quotes", http.Header{"Cache-Control": {`MAX-AGE="60"`}}, time.Minute},
		{"two headers", http.Header{"Cache-Control": {"public", "max-age=60"}}, time.Minute},
		{"age", http.Header{"Cache-Control": {"max-age=60"}, "Age": {"20"}}, 40 * time.Second},
		{"none", http.Header{}, 5 * time.Minute},
		{"unreadable", http.Header{"Cache-Control": {"max-age=soon"}}, 5 * time.Minute},
		{"negative", http.Header{"Cache-Control": {"max-age=-1"}}, 5 * time.Minute},
		{"overflow", http.Header{"Cache-Control": {"max-age=99999999999999999999"}}, 5 * time.Minute},
		{"a year", http.Header{"Cache-Control": {"max-age=31536000"}}, time.Hour},
		{"zero", http.Header{"Cache-Control": {"max-age=0"}}, 10 * time.Second},
		{"no-store", http.Header{"Cache-Control": {"no-store, max-age=60"}}, 10 * time.Second},
		{"older than max-age", http.Header{"Cache-Control": {"max-age=60"}, "Age": {"90"}}, 10 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, c := newES256("a"), newTestClock()
			server := newKeyServer(t)
			server.answer(func(w http.ResponseWriter, _ *http.Request) {
				for name, values := range tt.headers {
					w.Header()[name] = values
				}
				_, _ = fmt.Fprint(w, jwks(a))
			})
			set := remote(server, c)
			wantKey(t, set, "a")
			server.publish("max-age=300")
			c.advance(tt.fresh/4*3 - 1) // from here on it may be read again in the background
			wantKey(t, set, "a")
			if server.reads.Load() != 1 {
				t.Fatal("read again while fresh")
			}
			c.advance(tt.fresh/4 + 2)
			wantNoKey(t, set, "a")
		})
	}
}

func TestStandard43_BadAnswersAreFailures(t *testing.T) {
	a := newES256("a")
	elsewhere := newKeyServer(t, a)
	answers := map[string]http.HandlerFunc{
		"error":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"not found":  http.NotFound,
		"no content": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"page":       func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "<html>log in</html>") },
		"no keys":    func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "{}") },
		"nothing":    func(http.ResponseWriter, *http.Request) {},
		"half of it": func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, jwks(a)[:100]) },
		"cut off":    func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) },
		"redirect":   func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
		"too large": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, jwks(a)+strings.Repeat(" ", 512<<10))
		},
		"never ending": endless,
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			c := newTestClock()
			server := newKeyServer(t, a)
			set := remote(server, c)
			wantKey(t, set, "a")
			server.answer(answer)
			c.advance(10 * time.Second)
			wantUnavailable(t, set, "b")
			wantKey(t, set, "a") // what was good stays good
		})
	}
	if elsewhere.reads.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

func endless(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		if _, err := w.Write([]byte(strings.Repeat(" ", 1<<16))); err != nil {
			return
		}
	}
}

func TestUnreachableServer(t *testing.T) {
	server := newKeyServer(t, newES256("a"))
	set := remote(server, newTestClock())
	server.Close()
	wantUnavailable(t, set, "a")
	if server.reads.Load() != 0 {
		t.Error("the closed server was read")
	}
}

func TestRemoteKeySetNeedsHTTPS(t *testing.T) {
	refused := []string{"", "/jwks.json", "http://signet.example/jwks.json", "ftp://localhost/x", "file:///etc/passwd", "http://127.0.0.1.example/", "://", "http://"}
	for _, address := range refused {
		set := &verify.RemoteKeySet{URL: address, Client: &http.Client{Transport: unreachable{t}}}
		wantUnavailable(t, set, "a")
	}
	var asked atomic.Int64
	transport := countingTransport{&asked}
	allowed := []*verify.RemoteKeySet{
		{URL: "https://signet.example/x"},
		{URL: "http://localhost:1/x"},
		{URL: "http://127.0.0.1:1/x"},
		{URL: "http://[::1]:1/x"},
		{URL: "http://signet.example/x", InsecureAllowHTTP: true},
	}
	for i, set := range allowed {
		set.Client = &http.Client{Transport: transport}
		wantUnavailable(t, set, "a")
		if asked.Load() != int64(i+1) {
			t.Errorf("%s was not asked", set.URL)
		}
	}
}

type unreachable struct{ t *testing.T }

func (u unreachable) RoundTrip(r *http.Request) (*http.Response, error) {
	u.t.Errorf("a request went to %s", r.URL)
	return nil, errors.New("unreachable")
}

type countingTransport struct{ asked *atomic.Int64 }

func (c countingTransport) RoundTrip(*http.Request) (*http.Response, error) {
	c.asked.Add(1)
	return nil, errors.New("unreachable")
}
