package localstate

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/tokens"
)

func TestBatchIsBounded(t *testing.T) {
	b, failed := newBatch(10), newBatch(10)
	dropped := 0
	for n := range 25 {
		dropped += b.add(tokens.LiveToken{JTI: fmt.Sprint(n)})
		dropped += b.touch(accounts.Use{SecretID: uuid.New(), At: time.Unix(int64(n), 0)})
	}
	if len(b.live) != 10 || len(b.uses) != 10 || dropped != 30 || b.live[0].JTI != "15" {
		t.Errorf("%d records from %s on, %d uses, %d dropped", len(b.live), b.live[0].JTI, len(b.uses), dropped)
	}
	for n := range 10 {
		failed.add(tokens.LiveToken{JTI: fmt.Sprint("old", n)})
	}
	b.live = b.live[:4]
	if dropped := b.putBack(&failed); dropped != 4 || len(b.live) != 10 || b.live[0].JTI != "old4" || b.live[9].JTI != "18" {
		t.Errorf("put back: %d dropped, %d records from %s to %s", dropped, len(b.live), b.live[0].JTI, b.live[9].JTI)
	}
}

func TestBatchKeepsTheNewerUseWhenPutBack(t *testing.T) {
	b, failed := newBatch(10), newBatch(10)
	a, c := uuid.New(), uuid.New()
	b.touch(accounts.Use{SecretID: a, At: time.Unix(2, 0)})
	failed.touch(accounts.Use{SecretID: a, At: time.Unix(1, 0)})
	failed.touch(accounts.Use{SecretID: c, At: time.Unix(1, 0)})
	if dropped := b.putBack(&failed); dropped != 0 || b.uses[a].At.Unix() != 2 || b.uses[c].At.Unix() != 1 {
		t.Errorf("%d dropped, %v", dropped, b.uses)
	}
}

func TestBatchPutBackDropsTheOlderUses(t *testing.T) {
	b, failed := newBatch(10), newBatch(10)
	for n := range 10 {
		failed.touch(accounts.Use{SecretID: uuid.New(), At: time.Unix(int64(n), 0)})
		if n < 8 {
			b.touch(accounts.Use{SecretID: uuid.New(), At: time.Unix(int64(100+n), 0)})
		}
	}
	dropped, newer := b.putBack(&failed), 0
	for _, use := range b.uses {
		if use.At.Unix() >= 100 {
			newer++
		}
	}
	if dropped != 8 || len(b.uses) != 10 || newer != 8 {
		t.Errorf("%d dropped, %d uses, %d of them newer", dropped, len(b.uses), newer)
	}
}

// A full queue must not copy itself for each record that it takes.
func TestBatchAddIsCheapWhenFull(t *testing.T) {
	b := newBatch(1000)
	for range 1000 {
		b.add(tokens.LiveToken{})
	}
	if perAdd := testing.AllocsPerRun(5000, func() { b.add(tokens.LiveToken{}) }); perAdd > 0.1 {
		t.Errorf("%.2f allocations a record", perAdd)
	}
}

type manualClock struct{ at time.Time }

func (c *manualClock) now() time.Time { return c.at }

func TestLimiterIsBounded(t *testing.T) {
	clock := &manualClock{at: time.Unix(1_000_000, 0)}
	l := newLimiter(1000, clock.now)
	for n := range 20_000 {
		if ok, _ := l.allow(fmt.Sprint("random", n), 30, time.Minute); !ok {
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
	l := newLimiter(1000, clock.now)
	const hot = 50
	for n := range hot {
		for range 30 {
			l.allow(fmt.Sprint("hot", n), 30, time.Minute)
		}
	}
	for n := range 50_000 {
		l.allow(fmt.Sprint("random", n), 30, time.Minute)
		// Also keys that are full after one event, under a longer window.
		if n%100 == 0 {
			l.allow(fmt.Sprint("slow", n), 100, time.Hour)
		}
	}
	for n := range hot {
		if ok, _ := l.allow(fmt.Sprint("hot", n), 30, time.Minute); ok {
			t.Errorf("hot key %d is forgotten", n)
		}
	}
}

func TestLimiterGivesUpIdleKeysFirst(t *testing.T) {
	clock := &manualClock{at: time.Unix(1_000_000, 0)}
	l := newLimiter(10, clock.now)
	for n := range 9 {
		l.allow(fmt.Sprint("idle", n), 1, time.Second)
	}
	clock.at = clock.at.Add(time.Minute)
	l.allow("busy", 2, time.Hour)
	for n := range 9 {
		l.allow(fmt.Sprint("new", n), 1, time.Hour)
	}
	l.allow("busy", 2, time.Hour)
	if ok, _ := l.allow("busy", 2, time.Hour); ok {
		t.Error("a busy key went before the idle ones")
	}
}
