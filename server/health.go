package server

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/signet-issuer/signet/server/web"
)

// readyTimeout bounds the check of what this process cannot serve without.
const readyTimeout = time.Second

// Health tells an orchestrator whether the process lives and whether it can serve. It is
// safe for concurrent use.
type Health struct {
	// Check answers an error while nothing can be served, as when the database does not answer.
	Check func(context.Context) error
	// State says in a few words how the shared state is. It must not wait, and changes nothing
	// about readiness: without that state everything is served. Nil: there is none to speak of.
	State    func() string
	draining atomic.Bool
}

// Drain makes the process unready, so that balancers send nothing new, and asks clients
// that keep their connections to leave. It still answers everything.
func (h *Health) Drain() { h.draining.Store(true) }

// leaving ends each connection with an answer while the process drains. A connection that
// is closed between two requests can cost its client the second.
func (h *Health) leaving(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

func (h *Health) routes() []web.Route {
	return []web.Route{
		{Method: http.MethodGet, Path: "/livez", Handler: h.live, Exempt: true},
		{Method: http.MethodGet, Path: "/readyz", Handler: h.ready, Exempt: true},
	}
}

func (h *Health) live(w http.ResponseWriter, _ *http.Request) error {
	return writeText(w, http.StatusOK, "ok\n")
}

func (h *Health) ready(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	serving, database := "ok", "ok"
	status := http.StatusOK
	if h.draining.Load() {
		serving, status = "shutting down", http.StatusServiceUnavailable
		w.Header().Set("Connection", "close") // the drain may have begun after leaving looked
	}
	if err := h.Check(ctx); err != nil {
		web.EventFrom(r.Context()).SetCause(err)
		database, status = "does not answer", http.StatusServiceUnavailable
	}
	summary := "ok\n"
	if status != http.StatusOK {
		w.Header().Set("Retry-After", "1")
		summary = "not ready\n"
	}
	if r.URL.Query().Has("verbose") {
		summary = fmt.Sprintf("serving: %s\ndatabase: %s\n%s%s", serving, database, h.state(), summary)
	}
	return writeText(w, status, summary)
}

func (h *Health) state() string {
	if h.State == nil {
		return ""
	}
	return "redis: " + h.State() + "\n"
}

func writeText(w http.ResponseWriter, status int, text string) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	web.NoStore(w)
	w.WriteHeader(status)
	// A client that went away is the only error left here, and nobody hears of it.
	_, _ = io.WriteString(w, text)
	return nil
}
