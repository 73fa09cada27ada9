package localstate

import (
	"hash/maphash"
	"math"
	"sync"
	"time"
)

const (
	defaultLimiterKeys = 1 << 16
	// evictionSample is how many counters are compared to find one to give up.
	evictionSample = 16
)

// limiter counts in memory, in a window of each key that begins with the key's first event.
// Keys are kept as hashes under a random seed, so that their length costs nothing.
type limiter struct {
	now  func() time.Time
	keys int
	seed maphash.Seed

	mu       sync.Mutex
	counters map[uint64]counter
}

// counter is the running window of a key.
type counter struct {
	ends        time.Time
	used, limit int32
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
	c, known := l.counters[hash]
	if !known && len(l.counters) >= l.keys {
		l.evict(now)
	}
	if !known || !now.Before(c.ends) {
		c = counter{ends: now.Add(window)}
	}
	// After a step of the clock back, nobody waits for longer than a window.
	if latest := now.Add(window); latest.Before(c.ends) {
		c.ends = latest
	}
	c.limit = int32(min(limit, math.MaxInt32))
	allowed = c.used < c.limit
	if allowed {
		c.used++
	} else {
		retryAfter = c.ends.Sub(now)
	}
	l.counters[hash] = c
	return allowed, retryAfter
}

// evict gives up the counter, of some, that has used the least of its limit. A key that is
// used much has used more than those that a flood of other keys brings, and stays.
func (l *limiter) evict(now time.Time) {
	var emptiest uint64
	least, seen := 2.0, 0
	for hash, c := range l.counters {
		if used := c.usedPart(now); used < least {
			emptiest, least = hash, used
		}
		if seen++; seen == evictionSample || least <= 0 {
			break
		}
	}
	delete(l.counters, emptiest)
}

// usedPart is 0 once the window is over.
func (c counter) usedPart(now time.Time) float64 {
	if !now.Before(c.ends) {
		return 0
	}
	return float64(c.used) / float64(c.limit)
}
