package limits

import (
	"crypto/sha256"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

const (
	defaultKeys = 1 << 16
	// evictionSample is how many counters are compared to find one to give up.
	evictionSample = 16
	// sharedFrom: a key with fewer events is not told to others, so that a flood of ever new
	// keys costs them nothing.
	sharedFrom = 2
)

// Key stands for the text of a key: a hash, so that its length costs nothing and whoever
// keeps it learns nothing.
type Key [16]byte

// KeyOf returns the same Key in every process.
func KeyOf(text string) Key {
	sum := sha256.Sum256([]byte(text))
	return Key(sum[:len(Key{})])
}

// Window is what one process has counted of a key.
type Window struct {
	Key    Key
	Length time.Duration
	Ends   time.Time
	Used   int
}

// Config says how a [Limiter] counts.
type Config struct {
	Keys   int              // counted at once. 0: 65,536
	Now    func() time.Time // nil: time.Now
	Shared bool             // changes are kept for [Limiter.Changed]
}

// Limiter counts in windows of each key that begin with the key's first event. It is safe
// for concurrent use.
type Limiter struct {
	now    func() time.Time
	keys   int
	shared bool

	mu       sync.Mutex
	counters map[Key]counter
	order    []Key            // of counters: a map alone gives no fair sample
	changed  map[Key]struct{} // whose own window is not told yet
}

// counter is the running window of a key, and those of other processes.
type counter struct {
	ends        time.Time
	length      time.Duration
	used, limit int32
	others      []Window
}

// New returns a Limiter.
func New(cfg Config) *Limiter {
	if cfg.Keys <= 0 {
		cfg.Keys = defaultKeys
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Limiter{now: cfg.Now, keys: cfg.Keys, shared: cfg.Shared, counters: map[Key]counter{}, changed: map[Key]struct{}{}}
}

// Allow counts one event of key in a window that begins with the key's first event, and
// reports whether there are at most limit of them, with what others have counted, else how
// long to wait. Refused events do not count, and a limit below 1 allows nothing.
func (l *Limiter) Allow(text string, limit int, window time.Duration) (allowed bool, retryAfter time.Duration) {
	if limit < 1 || window <= 0 {
		return false, max(window, 0)
	}
	key, now := KeyOf(text), l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	c, known := l.counters[key]
	if !known {
		l.makeRoom(key, now)
	}
	if !known || !now.Before(c.ends) {
		c = counter{ends: now.Add(window), others: c.others}
	}
	c.length, c.limit = window, int32(min(limit, math.MaxInt32))
	c.settle(now)
	if retryAfter = c.wait(now); retryAfter == 0 {
		allowed = true
		c.used++
		if l.shared && c.used >= min(sharedFrom, c.limit) {
			l.changed[key] = struct{}{}
		}
	}
	l.counters[key] = c
	return allowed, retryAfter
}

// settle drops the windows of others that are over. After a step of a clock, nobody waits
// for longer than a window.
func (c *counter) settle(now time.Time) {
	latest := now.Add(c.length)
	if latest.Before(c.ends) {
		c.ends = latest
	}
	if len(c.others) == 0 {
		return
	}
	c.others = slices.DeleteFunc(c.others, func(w Window) bool { return !now.Before(w.Ends) })
	for i := range c.others {
		if latest.Before(c.others[i].Ends) {
			c.others[i].Ends = latest
		}
	}
}

// wait is how long until there is room for one more event: 0 when there is.
func (c *counter) wait(now time.Time) time.Duration {
	total := int64(c.used)
	for _, w := range c.others {
		total += int64(w.Used)
	}
	if total < int64(c.limit) {
		return 0
	}
	if len(c.others) == 0 {
		return c.ends.Sub(now)
	}
	running := append([]Window{{Ends: c.ends, Used: int(c.used)}}, c.others...)
	slices.SortFunc(running, func(a, b Window) int { return a.Ends.Compare(b.Ends) })
	for _, w := range running {
		if total -= int64(w.Used); total < int64(c.limit) {
			return w.Ends.Sub(now)
		}
	}
	return c.length
}

// Changed takes at most n windows whose count others have not been told.
func (l *Limiter) Changed(n int) []Window {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	var windows []Window
	for key := range l.changed {
		if len(windows) == n {
			break
		}
		delete(l.changed, key)
		if c, known := l.counters[key]; known && now.Before(c.ends) {
			windows = append(windows, Window{Key: key, Length: c.length, Ends: c.ends, Used: int(c.used)})
		}
	}
	return windows
}

// Untold has the windows returned by Changed again, as they then are.
func (l *Limiter) Untold(windows []Window) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range windows {
		if _, known := l.counters[w.Key]; known {
			l.changed[w.Key] = struct{}{}
		}
	}
}

// Learn replaces what others have counted of a key. A key that is not counted here stays unknown.
func (l *Limiter) Learn(key Key, others []Window) {
	now := l.now()
	others = slices.DeleteFunc(others, func(w Window) bool { return !now.Before(w.Ends) || w.Used <= 0 })
	l.mu.Lock()
	defer l.mu.Unlock()
	if c, known := l.counters[key]; known {
		c.others = others
		l.counters[key] = c
	}
}

// makeRoom gives the key a place, when all are taken that of the counter, of some, that has
// used the least of its limit. A key that is used much has used more than those that a flood
// of other keys brings, and stays.
func (l *Limiter) makeRoom(key Key, now time.Time) {
	if len(l.order) < l.keys {
		l.order = append(l.order, key)
		return
	}
	place, least := 0, 2.0
	for at := range min(evictionSample, len(l.order)) {
		if len(l.order) > evictionSample {
			at = rand.IntN(len(l.order))
		}
		if used := l.counters[l.order[at]].usedPart(now); used < least {
			place, least = at, used
		}
		if least <= 0 {
			break
		}
	}
	delete(l.counters, l.order[place])
	delete(l.changed, l.order[place])
	l.order[place] = key
}

// usedPart is 0 once all windows are over.
func (c counter) usedPart(now time.Time) float64 {
	used := 0.0
	if now.Before(c.ends) {
		used = float64(c.used)
	}
	for _, w := range c.others {
		if now.Before(w.Ends) {
			used += float64(w.Used)
		}
	}
	// What is beyond the limit, as others may tell, counts no more than the limit.
	return min(used/float64(c.limit), 1)
}
