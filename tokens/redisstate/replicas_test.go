package redisstate_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/redisstate"
)

func TestReplicasSeeEachOther(t *testing.T) {
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			url, name := shape.servers(t).url, newPrefix()
			a, _ := openAt(t, url, patient, prefix(name))
			b, _ := openAt(t, url, patient, prefix(name))
			account, secretID, now := uuid.New(), uuid.New(), time.Now()
			a.Add(token(account, 1))
			b.Add(token(account, 2))
			a.Touch(use(account, secretID, now))
			for _, s := range []*redisstate.State{a, b} {
				eventually(t, "both records and the use are seen", func() bool {
					return len(jtis(t, s, account)) == 2 && seenAt(t, s, account).At.Equal(now.Truncate(time.Microsecond))
				})
			}
			if err := b.Forget(t.Context(), account, "j00001"); err != nil {
				t.Fatal(err)
			}
			if got := jtis(t, a, account); !slices.Equal(got, []string{"j00002"}) {
				t.Errorf("a token that the other forgot is shown: %v", got)
			}
			if err := b.Erase(t.Context(), []uuid.UUID{account}); err != nil {
				t.Fatal(err)
			}
			if got := jtis(t, a, account); len(got) > 0 || !seenAt(t, a, account).At.IsZero() {
				t.Errorf("an account that the other erased is shown: %v", got)
			}
		})
	}
}

// Replicas write in any order, and write again what they do not know to be written.
func TestI46_NewestUseWinsAmongReplicas(t *testing.T) {
	url, name := standalone(t).url, newPrefix()
	replicas := make([]*redisstate.State, 3)
	for i := range replicas {
		replicas[i], _ = openAt(t, url, patient, prefix(name))
	}
	account, secretID, start := uuid.New(), uuid.New(), time.Now()
	var group sync.WaitGroup
	for i, s := range replicas {
		group.Go(func() {
			for range 30 {
				for _, n := range rand.Perm(20) {
					s.Touch(use(account, secretID, start.Add(time.Duration(3*n+i)*time.Millisecond)))
				}
				time.Sleep(rand.N(10 * time.Millisecond))
			}
		})
	}
	group.Wait()
	newest := use(account, secretID, start.Add(59*time.Millisecond))
	for _, s := range replicas {
		written(t, s)
		if got := seenAt(t, s, account); got != newest {
			t.Errorf("last use %+v, want %+v", got, newest)
		}
	}
	// What came late is removed by the next use.
	replicas[0].Touch(use(account, secretID, start.Add(time.Second)))
	written(t, replicas[0])
	if kept := do(t, standalone(t).nodes[0], "ZCARD", name+":{"+account.String()+"}:uses"); kept != "1" {
		t.Errorf("%s uses of one secret are kept", kept)
	}
}

// Two installations on one Redis, of which one is named like the beginning of the other,
// and a stranger's keys.
func TestPrefixesAreApart(t *testing.T) {
	at := standalone(t)
	name := newPrefix()
	a, _ := openAt(t, at.url, patient, prefix(name))
	b, _ := openAt(t, at.url, patient, prefix(name+"x"))
	account, secretID := uuid.New(), uuid.New()
	strangers := []string{name, name + ":{" + account.String() + "}:other", name + "y:{" + account.String() + "}:live", name + ":{x}:live"}
	for _, key := range strangers {
		do(t, at.nodes[0], "ZADD", key, "1", "stranger's")
	}
	a.Add(token(account, 1))
	a.Touch(use(account, secretID, time.Now()))
	for range 3 {
		a.Allow(t.Context(), "key", 2, time.Minute)
	}
	written(t, a)
	if len(jtis(t, b, account)) > 0 || !seenAt(t, b, account).At.IsZero() {
		t.Error("another installation is seen")
	}
	if ok, _ := b.Allow(t.Context(), "key", 2, time.Minute); !ok {
		t.Error("another installation's events are counted")
	}
	if err := b.Erase(t.Context(), []uuid.UUID{account}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(jtis(t, a, account)) != 1 || seenAt(t, a, account).At.IsZero() {
		t.Error("another installation erased ours")
	}
	if err := a.Erase(t.Context(), []uuid.UUID{account}); err != nil {
		t.Fatal(err)
	}
	for _, key := range strangers {
		if do(t, at.nodes[0], "ZCARD", key) != "1" {
			t.Errorf("the stranger's key %s was touched", key)
		}
	}
}

// I36: nothing of an erased account is left.
func TestI36_EraseLeavesNoKey(t *testing.T) {
	at := standalone(t)
	s, _ := openAt(t, at.url, patient)
	account := uuid.New()
	s.Add(token(account, 1))
	s.Touch(use(account, uuid.New(), time.Now()))
	written(t, s)
	if !strings.Contains(do(t, at.nodes[0], "KEYS", "*"), account.String()) {
		t.Fatal("nothing was written")
	}
	s.Add(token(account, 2))
	if err := s.Erase(t.Context(), []uuid.UUID{account}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(do(t, at.nodes[0], "KEYS", "*"), account.String()) {
		t.Error("a key is left")
	}
}

// Who fails at one replica after the other is refused by all of them soon after the limit.
func TestLimitIsShared(t *testing.T) {
	const limit = 60
	url, name := standalone(t).url, newPrefix()
	a, _ := openAt(t, url, patient, prefix(name))
	b, _ := openAt(t, url, patient, prefix(name))
	both := []*redisstate.State{a, b}
	allowed := 0
	for n := range 160 {
		if ok, _ := both[n%2].Allow(t.Context(), "attacker", limit, time.Hour); ok {
			allowed++
		}
		time.Sleep(5 * time.Millisecond)
	}
	// Each replica may go on for as long as news takes: a pause and two batches.
	if allowed < limit || allowed >= 2*limit {
		t.Errorf("%d events are allowed, the limit is %d", allowed, limit)
	}
	for i, s := range both {
		ok, after := s.Allow(t.Context(), "attacker", limit, time.Hour)
		if ok || after <= 0 || after > time.Hour {
			t.Errorf("replica %d: %t, %v", i, ok, after)
		}
		if ok, _ := s.Allow(t.Context(), "somebody else", limit, time.Hour); !ok {
			t.Errorf("replica %d refuses somebody else", i)
		}
	}
}

// A third replica, or one that was started again, learns at its second event.
func TestLimitIsLearnt(t *testing.T) {
	const limit = 10
	url, name := standalone(t).url, newPrefix()
	a, _ := openAt(t, url, patient, prefix(name))
	for range limit {
		a.Allow(t.Context(), "attacker", limit, time.Hour)
	}
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	b, _ := openAt(t, url, patient, prefix(name))
	allowed := 0
	eventually(t, "the new replica refuses", func() bool {
		ok, _ := b.Allow(t.Context(), "attacker", limit, time.Hour)
		if ok {
			allowed++
			time.Sleep(100 * time.Millisecond)
		}
		return !ok
	})
	if allowed >= limit {
		t.Errorf("%d events are allowed after %d at another replica", allowed, limit)
	}
}

// Without Redis each replica is exactly on its own.
func TestLimitWithoutRedis(t *testing.T) {
	const limit = 20
	for n := range 2 {
		s, _ := openAt(t, "redis://127.0.0.1:1")
		allowed := 0
		for range 5 * limit {
			if ok, _ := s.Allow(t.Context(), "attacker", limit, time.Hour); ok {
				allowed++
			}
		}
		if allowed != limit {
			t.Errorf("replica %d allows %d, the limit is %d", n, allowed, limit)
		}
	}
}

// A flood of new keys is not passed on, and no key of Redis shows whom it is about.
func TestLimitKeysInRedis(t *testing.T) {
	at, name := standalone(t), newPrefix()
	s, _ := openAt(t, at.url, patient, prefix(name))
	for n := range 2000 {
		s.Allow(t.Context(), fmt.Sprint("flood", n), 30, time.Minute)
	}
	for range 2 {
		s.Allow(t.Context(), "192.0.2.1 canary", 30, time.Minute)
	}
	var keys string
	eventually(t, "the hot key is shared", func() bool {
		keys = do(t, at.nodes[0], "KEYS", name+"*")
		return keys != ""
	})
	if n := len(strings.Fields(keys)); n != 1 || strings.Contains(keys, "canary") || !strings.HasPrefix(keys, name+":limit:") {
		t.Errorf("%d keys: %.100s", n, keys)
	}
	ttl := do(t, at.nodes[0], "PTTL", strings.TrimSpace(keys))
	if len(ttl) != len("110000") {
		t.Errorf("the key lives for %s ms", ttl)
	}
}

// The newest records stay, not those that expire last.
func TestStandard99_TrimKeepsTheNewest(t *testing.T) {
	at, name := standalone(t), newPrefix()
	s, _ := openAt(t, at.url, patient, prefix(name))
	account, key := uuid.New(), ""
	key = name + ":{" + account.String() + "}:live"
	const old, young = 2500, 600
	for n := range old + young {
		record := token(account, n)
		if n >= old {
			record.ExpiresAt = record.IssuedAt.Add(5 * time.Minute)
		}
		s.Add(record)
		if n%500 == 499 {
			written(t, s)
		}
	}
	written(t, s)
	got := jtis(t, s, account)
	if len(got) != tokens.MaxLive {
		t.Fatalf("%d records", len(got))
	}
	for i, jti := range got {
		if want := fmt.Sprintf("j%05d", old+young-1-i); jti != want {
			t.Fatalf("record %d is %s, want %s", i, jti, want)
		}
	}
	kept := do(t, at.nodes[0], "ZCARD", key)
	if len(kept) != len("1000") || kept > "2300" {
		t.Errorf("%s records are kept", kept)
	}
}
