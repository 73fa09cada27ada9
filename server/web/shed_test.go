package web

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// send runs a request on its own goroutine, so that it may wait.
func send(t *testing.T, handler http.Handler, path string) (result func() answer) {
	answered := make(chan answer, 1)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, nil)
	go func() { answered <- serveOne(handler, r) }()
	return func() answer { return <-answered }
}

// probes stands for [Router.Exempt].
func probes(r *http.Request) bool { return r.URL.Path == "/livez" || r.URL.Path == "/readyz" }

func TestI43_Shed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, wait = 2, 100 * time.Millisecond
		release := make(chan struct{})
		var inside atomic.Int64
		handler := Shed(limit, wait, probes)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if inside.Add(1) > limit {
				t.Error("more than the limit run at once")
			}
			<-release
			inside.Add(-1)
			w.WriteHeader(http.StatusOK)
		}))
		first, second := send(t, handler, "/token"), send(t, handler, "/token")
		synctest.Wait()
		queued, expiring := send(t, handler, "/token"), send(t, handler, "/token")
		synctest.Wait()

		began := time.Now()
		refused := send(t, handler, "/token")()
		if refused.status != http.StatusServiceUnavailable || refused.header.Get("Retry-After") == "" || time.Since(began) != 0 {
			t.Errorf("full queue: status %d after %v", refused.status, time.Since(began))
		}
		probe := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusOK) })
		for _, path := range []string{"/livez", "/readyz"} {
			if answer := send(t, Shed(0, wait, probes)(probe), path)(); answer.status != http.StatusOK {
				t.Errorf("%s: status %d", path, answer.status)
			}
		}
		release <- struct{}{}
		synctest.Wait()
		time.Sleep(wait)
		synctest.Wait()
		release <- struct{}{}
		release <- struct{}{}
		statuses := map[int]int{}
		for _, result := range []func() answer{first, second, queued, expiring} {
			statuses[result().status]++
		}
		if statuses[200] != 3 || statuses[503] != 1 {
			t.Errorf("statuses %v, want three served and one out of patience", statuses)
		}
	})
}

func TestShedGivesUpWithTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := httptest.NewRequestWithContext(cancelled(t), http.MethodPost, "/token", nil)
		w := httptest.NewRecorder()
		began := time.Now()
		Shed(0, time.Hour, probes)(okHandler).ServeHTTP(w, r)
		if w.Code != http.StatusServiceUnavailable || time.Since(began) != 0 {
			t.Errorf("status %d after %v", w.Code, time.Since(began))
		}
	})
}
