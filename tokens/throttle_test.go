package tokens

import (
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestThrottleForgetsIdleOrgs(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	throttle := newThrottle(2)
	busy := uuid.New()
	for range 50 {
		for range 100 {
			if err := throttle.take(uuid.New(), now); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := throttle.take(busy, now); err != nil {
				t.Fatal("a bucket that had a second to refill is not full:", err)
			}
		}
		if throttle.take(busy, now) == nil {
			t.Fatal("an org that is always busy gets more than its rate")
		}
		now = now.Add(refill)
	}
	if n := len(throttle.recent) + len(throttle.previous); n > 202 {
		t.Errorf("%d buckets are remembered", n)
	}
}
