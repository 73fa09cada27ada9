package web

import (
	"errors"
	"net/http"
	"sync/atomic"
	"time"
)

var errOverloaded = errors.New("too many requests in flight")

// Shed lets limit requests run at once and as many more wait, each no longer than wait.
// All others get 503 with Retry-After. What exempt holds for, as [Router.Exempt], is never
// held up and not counted.
func Shed(limit int, wait time.Duration, exempt func(*http.Request) bool) func(http.Handler) http.Handler {
	running := make(chan struct{}, limit)
	var waiting atomic.Int64
	enter := func(done <-chan struct{}) bool {
		select {
		case running <- struct{}{}:
			return true
		default:
		}
		defer waiting.Add(-1)
		if waiting.Add(1) > int64(limit) {
			return false
		}
		patience := time.NewTimer(wait)
		defer patience.Stop()
		select {
		case running <- struct{}{}:
			return true
		case <-patience.C:
			return false
		case <-done:
			return false
		}
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if exempt(r) {
				next.ServeHTTP(w, r)
				return
			}
			if !enter(r.Context().Done()) {
				Fail(w, r, Unavailable(time.Second, errOverloaded))
				return
			}
			defer func() { <-running }()
			next.ServeHTTP(w, r)
		})
	}
}
