package verify_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/signet-issuer/signet/client/verify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// keyServer publishes keys; a test changes what it answers.
type keyServer struct {
	*httptest.Server
	reads atomic.Int64

	mu      sync.Mutex
	handler http.HandlerFunc
}

func newKeyServer(t *testing.T, signers ...signer) *keyServer {
	t.Helper()
	s := &keyServer{}
	s.publish("max-age=300", signers...)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.reads.Add(1)
		s.mu.Lock()
		handler := s.handler
		s.mu.Unlock()
		handler(w, r)
	}))
	t.Cleanup(func() {
		s.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return s
}

func (s *keyServer) answer(handler http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler = handler
}

func (s *keyServer) publish(cacheControl string, signers ...signer) {
	s.answer(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", cacheControl)
		_, _ = fmt.Fprint(w, jwks(signers...))
	})
}

func (s *keyServer) fail() {
	s.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
}

// testClock is moved by hand.
type testClock struct{ nanos atomic.Int64 }

func newTestClock() *testClock {
	c := &testClock{}
	c.nanos.Store(instant.UnixNano())
	return c
}

func (c *testClock) now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *testClock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

func remote(s *keyServer, c *testClock) *verify.RemoteKeySet {
	return &verify.RemoteKeySet{URL: s.URL, Now: c.now}
}

func wantKey(t *testing.T, set *verify.RemoteKeySet, kid string) {
	t.Helper()
	if key, err := set.Key(t.Context(), kid, "ES256"); err != nil || key == nil {
		t.Errorf("key %s: %v", kid, err)
	}
}

func wantNoKey(t *testing.T, set *verify.RemoteKeySet, kid string) {
	t.Helper()
	if key, err := set.Key(t.Context(), kid, "ES256"); !errors.Is(err, verify.ErrNoKey) || key != nil {
		t.Errorf("key %s: %v, %v; want ErrNoKey", kid, key, err)
	}
}

func wantUnavailable(t *testing.T, set *verify.RemoteKeySet, kid string) (retryAfter time.Duration) {
	t.Helper()
	key, err := set.Key(t.Context(), kid, "ES256")
	unavailable, ok := errors.AsType[*verify.UnavailableError](err)
	if !ok || key != nil {
		t.Fatalf("key %s: %v, %v; want an UnavailableError", kid, key, err)
	}
	return unavailable.RetryAfter
}

// eventually waits for what happens in the background.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if happened() {
			return
		}
	}
	t.Fatalf("it never happened: %s", what)
}

func TestHazard16_DroppedKeysAreDropped(t *testing.T) {
	a, b, c := newES256("a"), newES256("b"), newTestClock()
	server := newKeyServer(t, a, b)
	set := remote(server, c)
	wantKey(t, set, "a")
	wantKey(t, set, "b")
	if server.reads.Load() != 1 {
		t.Fatalf("%d reads", server.reads.Load())
	}
	server.publish("max-age=300", b)
	c.advance(301 * time.Second)
	wantNoKey(t, set, "a")
	wantKey(t, set, "b")

	v := newVerifier(t)
	v.Keys = set
	wantRefused(t, v, a.token(goodClaims()), verify.UnknownKey)
	server.publish("max-age=300")
	c.advance(301 * time.Second)
	wantNoKey(t, set, "b")
}

func TestRotationIsSeenAtOnce(t *testing.T) {
	a, b, c := newES256("a"), newES256("b"), newTestClock()
	server := newKeyServer(t, a)
	v := newVerifier(t)
	v.Keys = remote(server, c)
	if _, err := v.Verify(t.Context(), a.token(goodClaims())); err != nil {
		t.Fatal(err)
	}
	server.publish("max-age=300", a, b)
	c.advance(10 * time.Second)
	for _, s := range []signer{b, a} {
		if _, err := v.Verify(t.Context(), s.token(goodClaims())); err != nil {
			t.Errorf("%s: %v", s.kid, err)
		}
	}
	if server.reads.Load() != 2 {
		t.Errorf("%d reads", server.reads.Load())
	}
}

func TestHazard10_RandomKidsDoNotCauseReads(t *testing.T) {
	c := newTestClock()
	server := newKeyServer(t, newES256("a"))
	set := remote(server, c)
	for i := range 1000 {
		wantNoKey(t, set, fmt.Sprint("x", i))
	}
	if server.reads.Load() != 1 {
		t.Errorf("%d reads for 1000 unknown keys", server.reads.Load())
	}
	c.advance(10*time.Second - 1)
	wantNoKey(t, set, "y")
	c.advance(1)
	wantNoKey(t, set, "y")
	if server.reads.Load() != 2 {
		t.Errorf("%d reads after the least interval", server.reads.Load())
	}
}

func TestOneReadForAllWhoWait(t *testing.T) {
	a, c := newES256("a"), newTestClock()
	server := newKeyServer(t, a)
	release := make(chan struct{})
	server.answer(func(w http.ResponseWriter, _ *http.Request) {
		<-release
		_, _ = fmt.Fprint(w, jwks(a))
	})
	set := remote(server, c)

	impatient, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error, 1)
	go func() {
		_, err := set.Key(impatient, "a", "ES256")
		gaveUp <- err
	}()
	eventually(t, "the first read", func() bool { return server.reads.Load() == 1 })
	cancel()
	err := <-gaveUp
	if _, ok := errors.AsType[*verify.UnavailableError](err); !ok || !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up got %v", err)
	}
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() { wantKey(t, set, "a") })
	}
	time.Sleep(10 * time.Millisecond)
	close(release)
	group.Wait()
	if server.reads.Load() != 1 {
		t.Errorf("%d reads for 51 callers", server.reads.Load())
	}
}

func TestDyingServer(t *testing.T) {
	c := newTestClock()
	server := newKeyServer(t, newES256("a"))
	set := remote(server, c)
	wantKey(t, set, "a")
	server.fail()

	c.advance(301 * time.Second)
	wantKey(t, set, "a") // old, and the server has just been asked in vain
	if server.reads.Load() != 2 {
		t.Errorf("%d reads", server.reads.Load())
	}
	if got := wantUnavailable(t, set, "new"); got != 10*time.Second {
		t.Errorf("RetryAfter %v", got)
	}
	c.advance(59 * time.Minute)
	wantKey(t, set, "a")
	c.advance(time.Minute)
	wantUnavailable(t, set, "a")

	server.publish("max-age=300", newES256("b"))
	c.advance(10 * time.Second)
	wantKey(t, set, "b")
	wantNoKey(t, set, "a")
}

// While a server hangs, those who come with a known key do not wait for it again.
func TestHangingServerDelaysOnlyOnce(t *testing.T) {
	c := newTestClock()
	server := newKeyServer(t, newES256("a"))
	set := remote(server, c)
	set.Timeout = time.Second
	wantKey(t, set, "a")
	server.answer(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	c.advance(301 * time.Second)
	wantKey(t, set, "a")
	before := server.reads.Load()
	for range 20 {
		c.advance(10 * time.Second)
		start := time.Now()
		wantKey(t, set, "a")
		if waited := time.Since(start); waited > 500*time.Millisecond {
			t.Errorf("waited %v", waited)
		}
	}
	eventually(t, "a read in the background", func() bool { return server.reads.Load() > before })
}

func TestKeysAreRenewedBeforeTheyGrowOld(t *testing.T) {
	a, b, c := newES256("a"), newES256("b"), newTestClock()
	server := newKeyServer(t, a)
	set := remote(server, c)
	wantKey(t, set, "a")
	server.publish("max-age=300", a, b)
	c.advance(224 * time.Second)
	wantKey(t, set, "a")
	if server.reads.Load() != 1 {
		t.Errorf("read again while fresh")
	}
	c.advance(time.Second)
	wantKey(t, set, "a")
	eventually(t, "a read in the background", func() bool { return server.reads.Load() == 2 })
	eventually(t, "the new key", func() bool {
		_, err := set.Key(t.Context(), "b", "ES256")
		return err == nil
	})
	if server.reads.Load() != 2 {
		t.Errorf("%d reads", server.reads.Load())
	}
}

func TestClockThatGoesBack(t *testing.T) {
	c := newTestClock()
	server := newKeyServer(t, newES256("a"))
	set := remote(server, c)
	wantKey(t, set, "a")
	c.advance(-2 * time.Hour)
	wantKey(t, set, "a")
	wantNoKey(t, set, "b")
	if server.reads.Load() != 2 {
		t.Errorf("%d reads: an unknown key has to be read again", server.reads.Load())
	}
}

// Readers, rotation and failures at once, for the race detector.
func TestHazard44_ConcurrentUse(t *testing.T) {
	a, b, c := newES256("a"), newES256("b"), newTestClock()
	server := newKeyServer(t, a)
	set := remote(server, c)
	wantKey(t, set, "a")
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for range 100 {
				kid := []string{"a", "b", "x"}[worker%3]
				key, err := set.Key(t.Context(), kid, "ES256")
				if (err == nil) == (key == nil) || kid == "x" && err == nil {
					t.Errorf("key %s: %v, %v", kid, key, err)
				}
			}
		})
	}
	for i := range 50 {
		switch i % 3 {
		case 0:
			server.publish("max-age=20", a, b)
		case 1:
			server.publish("max-age=20", b)
		case 2:
			server.fail()
		}
		c.advance(15 * time.Second)
		time.Sleep(time.Millisecond)
	}
	group.Wait()
	server.publish("max-age=20", a)
	c.advance(time.Minute)
	eventually(t, "the last rotation", func() bool {
		c.advance(10 * time.Second)
		_, errA := set.Key(t.Context(), "a", "ES256")
		_, errB := set.Key(t.Context(), "b", "ES256")
		return errA == nil && errors.Is(errB, verify.ErrNoKey)
	})
}
