package web

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ticking returns a clock that moves on by step at each reading.
func ticking(step time.Duration) func() time.Time {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return func() time.Time {
		now = now.Add(step)
		return now
	}
}

func TestEventLine(t *testing.T) {
	var lines logLines
	var seen Summary
	router := NewRouter(Surface{Name: "native", Routes: []Route{{Method: "GET", Path: "/v2/orgs/{org}", Handler: func(w http.ResponseWriter, r *http.Request) error {
		event := EventFrom(r.Context())
		event.SetOrg("acme")
		event.SetAccount("sa:acme:bot")
		event.SetClientID("abc")
		event.SetCredential("cred")
		return ok(w, r)
	}}}})
	handler := Events(EventConfig{
		Log: lines.logger(), Now: ticking(time.Second), Random: strings.NewReader(strings.Repeat("\xab", 16)),
		Observe: func(s Summary) { seen = s },
	})(router)
	answer := call(t, handler, "GET", "/v2/orgs/acme?secret=CANARY", "", func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer CANARY")
		r.RemoteAddr = "192.0.2.7:1234"
	})
	id := strings.Repeat("ab", 16)
	line := lines.only(t)
	delete(line, "time")
	want := map[string]any{
		"level": "INFO", "msg": "request", "method": "GET", "route": "/v2/orgs/{org}", "status": 200.0,
		"duration": float64(time.Second), "bytes": 15.0, "remote": "192.0.2.7", "correlation_id": id,
		"outcome": "success", "org": "acme", "account": "sa:acme:bot", "client_id": "abc", "credential": "cred",
	}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Error(diff)
	}
	if got := answer.header.Get("X-Correlation-Id"); got != id {
		t.Errorf("x-correlation-id %q, want %q", got, id)
	}
	wantSummary := Summary{Surface: "native", Route: "/v2/orgs/{org}", Method: "GET", Status: 200, Outcome: "success", Duration: time.Second, Bytes: 15}
	if diff := cmp.Diff(wantSummary, seen); diff != "" {
		t.Error(diff)
	}
}

// A 5xx says why to the operator; the cause of a 4xx may quote the client and stays out.
func TestHazard73_CauseOfARefusalIsNotLogged(t *testing.T) {
	for _, tc := range []struct {
		name         string
		err          error
		level, cause any
		kind         any
		outcome      string
	}{
		{"refusal", &Error{Status: 400, Kind: KindMalformed, Message: "no", Cause: errors.New("CANARY")}, "INFO", nil, "malformed", "refused"},
		{"failure", Unavailable(time.Second, errors.New("no route to host")), "WARN", "no route to host", "unavailable", "failed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var lines logLines
			router := NewRouter(Surface{Routes: []Route{{Method: "GET", Path: "/", Handler: func(http.ResponseWriter, *http.Request) error { return tc.err }}}})
			answer := call(t, Events(EventConfig{Log: lines.logger()})(router), "GET", "/", "", nil)
			line := lines.only(t)
			if line["level"] != tc.level || line["cause"] != tc.cause || line["error"] != tc.kind || line["outcome"] != tc.outcome {
				t.Errorf("logged %v", line)
			}
			if strings.Contains(answer.body+lines.String(), canary) {
				t.Error("the cause leaks")
			}
		})
	}
}

func TestHazard73_NothingOfTheRequestIsLogged(t *testing.T) {
	var lines logLines
	router := testRouter()
	handler := Events(EventConfig{Log: lines.logger(), Fail: router.Fail})(router)
	for _, method := range []string{"GET", "CANARY"} {
		for _, target := range []string{"/v2/orgs/CANARY", "/CANARY", "/v2/orgs?q=CANARY", "/token/%00CANARY", "//CANARY"} {
			call(t, handler, method, target, `{"CANARY":1}`, func(r *http.Request) {
				for _, name := range []string{"Authorization", "User-Agent", "X-Correlation-ID", "X-Forwarded-For", "Cookie", "CANARY"} {
					r.Header.Set(name, "CANARY !")
				}
			})
		}
	}
	if logged := lines.String(); strings.Contains(logged, canary) || !strings.Contains(logged, `"method":"other"`) {
		t.Errorf("logged\n%s", logged)
	}
}

func TestCorrelationID(t *testing.T) {
	const made = "made"
	for _, tc := range []struct {
		name          string
		correlation   []string
		clientRequest []string
		want          string
	}{
		{"taken over", []string{"Az09_-"}, nil, "Az09_-"},
		{"longest", []string{strings.Repeat("x", 64)}, nil, strings.Repeat("x", 64)},
		{"client request id", nil, []string{"abc"}, "abc"},
		{"first name wins", []string{"a"}, []string{"b"}, "a"},
		{"bad one, good other", []string{"a b"}, []string{"b"}, "b"},
		{"absent", nil, nil, made},
		{"empty", []string{""}, nil, made},
		{"too long", []string{strings.Repeat("x", 65)}, nil, made},
		{"bad characters", []string{"a;b"}, nil, made},
		{"not ASCII", []string{"é"}, nil, made},
		{"repeated", []string{"a", "b"}, nil, made},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var inside string
			handler := Events(EventConfig{Log: slog.New(slog.DiscardHandler)})(http.HandlerFunc(
				func(_ http.ResponseWriter, r *http.Request) { inside = CorrelationID(r.Context()) }))
			answer := call(t, handler, "GET", "/", "", func(r *http.Request) {
				r.Header["X-Correlation-Id"] = tc.correlation
				r.Header["X-Client-Request-Id"] = tc.clientRequest
			})
			got := answer.header.Get("x-correlation-id")
			if got != inside {
				t.Errorf("the handler saw %q, the client %q", inside, got)
			}
			if tc.want == made {
				if len(got) != 32 || !validCorrelationID(got) {
					t.Errorf("made %q", got)
				}
			} else if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestCorrelationIDWithoutRandomness(t *testing.T) {
	handler := Events(EventConfig{Log: slog.New(slog.DiscardHandler), Random: strings.NewReader("")})(okHandler)
	if id := call(t, handler, "GET", "/", "", nil).header.Get("x-correlation-id"); !validCorrelationID(id) {
		t.Errorf("id %q", id)
	}
}

func TestEventsOfAbortedRequest(t *testing.T) {
	var lines logLines
	handler := Events(EventConfig{Log: lines.logger()})(http.HandlerFunc(
		func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic did not pass")
			}
		}()
		call(t, handler, "GET", "/", "", nil)
	}()
	if line := lines.only(t); line["outcome"] != "aborted" || line["level"] != "WARN" {
		t.Errorf("logged %v", line)
	}
}

func TestEventsOfSilentHandler(t *testing.T) {
	var lines logLines
	handler := Events(EventConfig{Log: lines.logger()})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	call(t, handler, "GET", "/", "", nil)
	if line := lines.only(t); line["status"] != 200.0 || line["route"] != "none" {
		t.Errorf("logged %v", line)
	}
}
