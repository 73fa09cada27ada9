package limits

import (
	"fmt"
	"testing"
	"time"
)

type manualClock struct{ at time.Time }

func (c *manualClock) now() time.Time { return c.at }

func TestLimiterIsBounded(t *testing.T) {
	clock := &manualClock{at: time.Unix(1_000_000, 0)}
	l := New(Config{Keys: 1000, Now: clock.now})
	for n := range 20_000 {
		if ok, _ := l.Allow(fmt.Sprint("random", n), 30, time.Minute); !ok {
			t.Fatal("a new key is refused")
		}
		if len(l.counters) > 1000 {
			t.Fatalf("%d counters", len(l.counters))
		}
	}
	if len(l.counters) != 1000 {
		t.Errorf("%d counters", len(l.counters))
	}
}

// Whoever sends a flood of new keys must not get rid of a counter that holds somebody back.
func TestLimiterKeepsHotKeysInAFlood(t *testing.T) {
	clock := &manualClock{at: time.Unix(1_000_000, 0)}
	l := New(Config{Keys: 1000, Now: clock.now})
	const hot = 50
	for n := range hot {
		for range 30 {
			l.Allow(fmt.Sprint("hot", n), 30, time.Minute)
		}
	}
	for n := range 50_000 {
		l.Allow(fmt.Sprint("random", n), 30, time.Minute)
		// Also keys that are full after one event, under a longer window.
		if n%100 == 0 {
			l.Allow(fmt.Sprint("slow", n), 100, time.Hour)
		}
	}
	for n := range hot {
		if ok, _ := l.Allow(fmt.Sprint("hot", n), 30, time.Minute); ok {
			t.Errorf("hot key %d is forgotten", n)
		}
	}
}

func TestLimiterGivesUpIdleKeysFirst(t *testing.T) {
	clock := &manualClock{at: time.Unix(1_000_000, 0)}
	l := New(Config{Keys: 10, Now: clock.now})
	for n := range 9 {
		l.Allow(fmt.Sprint("idle", n), 1, time.Second)
	}
	clock.at = clock.at.Add(time.Minute)
	l.Allow("busy", 2, time.Hour)
	for n := range 9 {
		l.Allow(fmt.Sprint("new", n), 1, time.Hour)
	}
	l.Allow("busy", 2, time.Hour)
	if ok, _ := l.Allow("busy", 2, time.Hour); ok {
		t.Error("a busy key went before the idle ones")
	}
}
