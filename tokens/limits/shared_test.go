package limits

import (
	"fmt"
	"testing"
	"time"
)

func sharedLimiter(clock *manualClock) *Limiter {
	return New(Config{Keys: 1000, Now: clock.now, Shared: true})
}

func count(l *Limiter, key string, events, limit int) (allowed int) {
	for range events {
		if ok, _ := l.Allow(key, limit, time.Minute); ok {
			allowed++
		}
	}
	return allowed
}

func TestOthersCount(t *testing.T) {
	clock := &manualClock{at: time.Unix(1_000_000, 0)}
	l := sharedLimiter(clock)
	if got := count(l, "key", 3, 10); got != 3 {
		t.Fatalf("%d allowed", got)
	}
	l.Learn(KeyOf("key"), []Window{{Ends: clock.at.Add(20 * time.Second), Used: 3}, {Ends: clock.at.Add(40 * time.Second), Used: 2}})
	if got := count(l, "key", 10, 10); got != 2 {
		t.Errorf("%d more allowed, with 8 of 10 used", got)
	}
	if _, after := l.Allow("key", 10, time.Minute); after != 20*time.Second {
		t.Errorf("to wait %v, want until the first of the others ends", after)
	}
	clock.at = clock.at.Add(20 * time.Second)
	if got := count(l, "key", 10, 10); got != 3 {
		t.Errorf("%d allowed once another's window is over", got)
	}
	clock.at = clock.at.Add(40 * time.Second)
	if got := count(l, "key", 20, 10); got != 10 {
		t.Errorf("%d allowed once all windows are over", got)
	}
}

// Others may have a wrong clock, or lie: nobody waits longer than a window.
func TestOthersCannotLockOutForLonger(t *testing.T) {
	clock := &manualClock{at: time.Unix(1_000_000, 0)}
	l := sharedLimiter(clock)
	count(l, "key", 1, 10)
	l.Learn(KeyOf("key"), []Window{{Ends: clock.at.Add(1000 * time.Hour), Used: 1 << 30}, {Ends: clock.at.Add(-time.Hour), Used: 1 << 30}, {Ends: clock.at.Add(time.Second), Used: -5}})
	if ok, after := l.Allow("key", 10, time.Minute); ok || after != time.Minute {
		t.Errorf("%t, %v", ok, after)
	}
	clock.at = clock.at.Add(time.Minute)
	if got := count(l, "key", 20, 10); got != 10 {
		t.Errorf("%d allowed after a window", got)
	}
	l.Learn(KeyOf("unknown"), []Window{{Ends: clock.at.Add(time.Second), Used: 100}})
	if got := count(l, "unknown", 20, 10); got != 10 {
		t.Errorf("%d allowed of a key that was not counted here", got)
	}
}

func TestChangedWindows(t *testing.T) {
	clock := &manualClock{at: time.Unix(1_000_000, 0)}
	l := sharedLimiter(clock)
	for n := range 500 {
		count(l, fmt.Sprint("flood", n), 1, 10)
	}
	if got := l.Changed(1000); len(got) != 0 {
		t.Errorf("%d keys of one event are told", len(got))
	}
	count(l, "hot", 7, 10)
	count(l, "one", 1, 1)
	got := l.Changed(1)
	got = append(got, l.Changed(1000)...)
	if len(got) != 2 || len(l.Changed(1000)) != 0 {
		t.Fatalf("%d windows are told", len(got))
	}
	for _, w := range got {
		want := map[Key]int{KeyOf("hot"): 7, KeyOf("one"): 1}[w.Key]
		if w.Used != want || !w.Ends.Equal(clock.at.Add(time.Minute)) || w.Length != time.Minute {
			t.Errorf("%+v, want %d used", w, want)
		}
	}
	count(l, "hot", 1, 10)
	l.Untold(got)
	if again := l.Changed(1000); len(again) != 2 || again[0].Used+again[1].Used != 9 {
		t.Errorf("told again: %+v", again)
	}
	count(l, "hot", 1, 10)
	clock.at = clock.at.Add(time.Minute)
	if late := l.Changed(1000); len(late) != 0 {
		t.Errorf("a window that is over is told: %+v", late)
	}
	alone := New(Config{Now: clock.now})
	count(alone, "hot", 7, 10)
	if len(alone.changed) != 0 {
		t.Error("changes are kept though nobody asks")
	}
}
