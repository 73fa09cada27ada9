package tokens

import (
	"runtime"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"
)

// ratePerProcessor is below what one processor can sign, so that the sum over
// processors leaves room for other orgs.
const ratePerProcessor = 4000

// defaultRate is how many tokens a second one org may have of this process.
func defaultRate() int { return ratePerProcessor * runtime.GOMAXPROCS(0) }

// ThrottledError refuses a token because the org has had its share of this second.
type ThrottledError struct {
	Limit      int // tokens a second
	RetryAfter time.Duration
}

func (e *ThrottledError) Error() string {
	return "too many tokens for this organization: try again later"
}

// refill is how long an empty bucket takes to be full: the burst is one second's rate.
const refill = time.Second

// throttle is a token bucket for each org. It remembers only orgs of the last two seconds:
// the bucket of any other is full again, and so is a new one.
type throttle struct {
	perSecond int

	mu       sync.Mutex
	since    time.Time // when recent was empty
	recent   map[uuid.UUID]*rate.Limiter
	previous map[uuid.UUID]*rate.Limiter
}

func newThrottle(perSecond int) *throttle {
	return &throttle{perSecond: perSecond, recent: map[uuid.UUID]*rate.Limiter{}}
}

// take returns a [*ThrottledError] when the org's bucket is empty.
func (t *throttle) take(org uuid.UUID, now time.Time) error {
	bucket := t.bucket(org, now)
	if bucket.AllowN(now, 1) {
		return nil
	}
	// Only a refusal pays for finding out how long to wait.
	reservation := bucket.ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait <= 0 {
		return nil
	}
	reservation.CancelAt(now)
	return &ThrottledError{Limit: t.perSecond, RetryAfter: wait}
}

func (t *throttle) bucket(org uuid.UUID, now time.Time) *rate.Limiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.turn(now)
	bucket := t.recent[org]
	if bucket == nil {
		bucket = t.previous[org]
		if bucket == nil {
			bucket = rate.NewLimiter(rate.Limit(t.perSecond), t.perSecond)
		}
		t.recent[org] = bucket
	}
	return bucket
}

// turn forgets the buckets that were not used for a whole refill. A clock that was set back starts a new one.
func (t *throttle) turn(now time.Time) {
	age := now.Sub(t.since)
	if age >= 0 && age < refill {
		return
	}
	t.previous = t.recent
	if age >= 2*refill {
		t.previous = nil
	}
	t.recent, t.since = map[uuid.UUID]*rate.Limiter{}, now
}
