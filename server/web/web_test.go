package web

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// answer is what a handler answered.
type answer struct {
	status int
	header http.Header
	body   string
}

// call drives handler with a request made of method, target and body; change may be nil.
func call(t testing.TB, handler http.Handler, method, target, body string, change func(*http.Request)) answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if change != nil {
		change(r)
	}
	return serveOne(handler, r)
}

func serveOne(handler http.Handler, r *http.Request) answer {
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

// logLines collects what [Events] writes as one map a line.
type logLines struct{ bytes.Buffer }

func (l *logLines) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (l *logLines) only(t testing.TB) map[string]any {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(l.String()), "\n")
	if len(lines) != 1 {
		t.Fatalf("%d log lines, want 1:\n%s", len(lines), l.String())
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &line); err != nil {
		t.Fatal(err)
	}
	return line
}

func prefixes(t testing.TB, texts ...string) []netip.Prefix {
	t.Helper()
	var list []netip.Prefix
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, prefix)
	}
	return list
}

func ok(w http.ResponseWriter, _ *http.Request) error {
	return WriteJSON(w, http.StatusOK, map[string]string{"answer": "ok"})
}

var okHandler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })

// refusal fails the test unless err is an [*Error] of the kind.
func refusal(t testing.TB, err error, kind Kind) Error {
	t.Helper()
	refused, isOurs := err.(*Error) //nolint:errorlint // the contract is the exact type
	if !isOurs {
		t.Fatalf("error %v (%T), want *Error", err, err)
	}
	if refused.Kind != kind {
		t.Fatalf("kind %v (%v), want %v", refused.Kind, refused, kind)
	}
	return *refused
}
