package web

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"time"
)

// EventConfig configures [Events]. Log is required; now and randomness default to the real ones.
type EventConfig struct {
	Log     *slog.Logger
	Trusted []netip.Prefix // proxies whose forwarding headers are believed
	Now     func() time.Time
	Random  io.Reader
	Fail    FailFunc      // renders refusals outside of any route, as [Router.Fail] does; nil means [DefaultFail]
	Observe func(Summary) // called once a request, for metrics; may be nil
}

// Events gives every request its [Event] and its correlation id, and writes one log
// line when it ends. It stands outside of all other middleware.
func Events(config EventConfig) func(http.Handler) http.Handler {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Random == nil {
		config.Random = rand.Reader
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			began := config.Now()
			answer := &recorder{ResponseWriter: w}
			event := newEvent(config, r, answer)
			w.Header().Set(correlationHeader, event.correlationID)

			completed := false
			// Deferred, because a handler that panics has its line too.
			defer func() {
				status := answer.status
				if status == 0 && completed {
					status = http.StatusOK // what net/http sends for a handler that wrote nothing
				}
				config.finish(r, event, event.summary(r.Method, status, config.Now().Sub(began)))
			}()
			next.ServeHTTP(answer, r.WithContext(context.WithValue(r.Context(), eventKey{}, event)))
			completed = true
		})
	}
}

func newEvent(config EventConfig, r *http.Request, answer *recorder) *Event {
	peer := peerAddr(r)
	event := &Event{
		answer: answer, fail: config.Fail, correlationID: correlationID(r, config.Random),
		client: peer, transport: direct(r, peer),
	}
	if trusted(config.Trusted, peer) {
		event.client = forwardedFor(r.Header.Values("X-Forwarded-For"), peer, config.Trusted)
		event.transport = forwardedProto(r.Header.Values("X-Forwarded-Proto"), r.TLS != nil)
	}
	return event
}

func (c EventConfig) finish(r *http.Request, event *Event, s Summary) {
	if c.Observe != nil {
		c.Observe(s)
	}
	level := slog.LevelInfo
	if s.Status >= http.StatusInternalServerError || s.Status == 0 {
		level = slog.LevelWarn
	}
	c.Log.LogAttrs(context.WithoutCancel(r.Context()), level, "request", event.attributes(s)...)
}

const (
	correlationHeader   = "X-Correlation-Id"
	maxCorrelationBytes = 64
)

// correlationID takes over the id that the caller sent, or makes one.
func correlationID(r *http.Request, random io.Reader) string {
	for _, name := range []string{correlationHeader, "X-Client-Request-Id"} {
		if sent := r.Header.Values(name); len(sent) == 1 && validCorrelationID(sent[0]) {
			return sent[0]
		}
	}
	var raw [16]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return rand.Text() // cannot fail, and an answer without an id helps nobody
	}
	return hex.EncodeToString(raw[:])
}

func validCorrelationID(id string) bool {
	if id == "" || len(id) > maxCorrelationBytes {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}
