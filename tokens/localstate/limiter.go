package localstate

import (
	"hash/maphash"
	"sync"
	"time"
)

const (
	defaultLimiterKeys = 1 << 16
	// evictionSample is how many counters are compared to find one to give up.
	evictionSample = 16
)

// limiter counts in memory by the generic cell rate algorithm. Keys are kept as hashes
// under a random seed, so that their length costs nothing.
type limiter struct {
	now  func() time.Time
	keys int
	seed maphash.Seed

	mu       sync.Mutex
	counters map[uint64]counter
}

// counter says when a key would have nothing left of its events, at their steady rate.
type counter struct {
	empty  time.Time
	window time.Duration
}

func newLimiter(keys int, now func() time.Time) *limiter {
	if keys <= 0 {
		keys = defaultLimiterKeys
	}
	return &limiter{now: now, keys: keys, seed: maphash.MakeSeed(), counters: map[uint64]counter{}}
}

func (l *limiter) allow(key string, limit int, window time.Duration) (allowed bool, retryAfter time.Duration) {
	if limit < 1 || window <= 0 {
		return false, max(window, 0)
	}
	hash, now := maphash.String(l.seed, key), l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	current, known := l.counters[hash]
	// After a step of the clock back, nobody waits for longer than a window.
	left := min(max(current.empty.Sub(now), 0), window)
	if !known {
		left = 0
	}
	next := left + max(window/time.Duration(limit), 1)
	if next > window {
		return false, next - window
	}
	if !known && len(l.counters) >= l.keys {
		l.evict(now)
	}
	l.counters[hash] = counter{empty: now.Add(next), window: window}
	return true, 0
}

// evict gives up the emptiest of some counters. A key that is used much is fuller than
// those that a flood of other keys brings, and stays.
func (l *limiter) evict(now time.Time) {
	var emptiest uint64
	least, seen := 2.0, 0
	for hash, c := range l.counters {
		if fullness := float64(c.empty.Sub(now)) / float64(c.window); fullness < least {
			emptiest, least = hash, fullness
		}
		if seen++; seen == evictionSample || least <= 0 {
			break
		}
	}
	delete(l.counters, emptiest)
}
