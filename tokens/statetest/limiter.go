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

// The definition: a window begins with an event of a key that has none running. Within it
// the first events, as many as the limit, are allowed; each further one is refused with the
// time that is left. Refused events neither count nor lengthen it.
func testLimiter(t *testing.T, s State) {
	if after := spend(t, "all at once", s, "key", limit); after != window {
		t.Errorf("refused for %v at the begin of the window", after)
	}
	s.Advance(window / 4)
	for range 100 {
		if ok, after := s.Allow(t.Context(), "key", limit, window); ok || after != window-window/4 {
			t.Fatalf("in the window: %t, %v", ok, after)
		}
	}
	s.Advance(window - window/4 - time.Millisecond)
	if ok, after := s.Allow(t.Context(), "key", limit, window); ok || after != time.Millisecond {
		t.Errorf("before the end of the window: %t, %v", ok, after)
	}
	s.Advance(time.Millisecond)
	if after := spend(t, "the next window", s, "key", limit); after != window {
		t.Errorf("the next window does not begin with its first event: %v", after)
	}
	s.Advance(2 * window)
	spend(t, "after two quiet windows", s, "key", limit)
}

// However the events lie, a window never lets more through than the limit.
func testLimiterSpread(t *testing.T, s State) {
	if ok, _ := s.Allow(t.Context(), "key", limit, window); !ok {
		t.Fatal("the first event is refused")
	}
	s.Advance(window - time.Millisecond)
	if after := spend(t, "late in the window", s, "key", limit-1); after != time.Millisecond {
		t.Errorf("refused for %v, want the rest of the window", after)
	}
	s.Advance(time.Millisecond)
	for range limit {
		if ok, after := s.Allow(t.Context(), "key", limit, window); !ok {
			t.Fatalf("refused for %v in a new window", after)
		}
		s.Advance(window / (2 * limit))
	}
	if ok, after := s.Allow(t.Context(), "key", limit, window); ok || after != window/2 {
		t.Errorf("half-way: %t, %v", ok, after)
	}
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
