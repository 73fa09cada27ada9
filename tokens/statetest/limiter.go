package statetest

import (
	"strings"
	"testing"
	"time"
)

const (
	limit  = 5
	window = time.Minute
)

// spend uses up the key's events and checks that the one after is refused.
func spend(t *testing.T, what string, s State, key string, events int) (retryAfter time.Duration) {
	t.Helper()
	for i := range events {
		if ok, after := s.Allow(t.Context(), key, limit, window); !ok || after != 0 {
			t.Fatalf("%s: event %d of %d: %t, %v", what, i+1, events, ok, after)
		}
	}
	ok, after := s.Allow(t.Context(), key, limit, window)
	if ok || after <= 0 || after > window {
		t.Fatalf("%s: event %d: %t, %v", what, events+1, ok, after)
	}
	return after
}

func testLimiter(t *testing.T, s State) {
	after := spend(t, "fresh", s, "key", limit)
	for range 100 {
		if ok, again := s.Allow(t.Context(), "key", limit, window); ok || again != after {
			t.Fatalf("refusals count: %t, %v instead of %v", ok, again, after)
		}
	}
	s.Advance(after - time.Millisecond)
	if ok, _ := s.Allow(t.Context(), "key", limit, window); ok {
		t.Error("allowed before its time")
	}
	s.Advance(time.Millisecond)
	if ok, _ := s.Allow(t.Context(), "key", limit, window); !ok {
		t.Error("refused although the time is over")
	}
	s.Advance(2 * window)
	spend(t, "after two quiet windows", s, "key", limit)
}

func testLimiterKeys(t *testing.T, s State) {
	keys := []string{"a", "A", "a ", "", "b", "a\x00", strings.Repeat("long", 10_000)}
	for _, key := range keys {
		spend(t, "key", s, key, limit)
	}
	for _, key := range keys {
		if ok, _ := s.Allow(t.Context(), key, limit, window); ok {
			t.Errorf("key %.10q is forgotten", key)
		}
	}
}

func testLimiterEdges(t *testing.T, s State) {
	ctx := t.Context()
	for _, refused := range []int{0, -1} {
		if ok, _ := s.Allow(ctx, "none", refused, window); ok {
			t.Errorf("limit %d allows", refused)
		}
	}
	if ok, _ := s.Allow(ctx, "one", 1, time.Hour); !ok {
		t.Error("the first of one is refused")
	}
	if ok, after := s.Allow(ctx, "one", 1, time.Hour); ok || after != time.Hour {
		t.Errorf("the second of one: %t, %v", ok, after)
	}
	// A clock that is set back must not lock anybody out for longer than a window.
	s.Advance(-24 * time.Hour)
	if ok, after := s.Allow(ctx, "one", 1, time.Hour); ok || after > time.Hour {
		t.Errorf("with the clock set back: %t, %v", ok, after)
	}
}
