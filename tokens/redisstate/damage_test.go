package redisstate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// F10: what stands under our keys and is none of ours hides nothing else, is no error, and
// is replaced by the next write.
func TestF10_WrongTypeUnderOurKeys(t *testing.T) {
	spoil := map[string][]string{
		"string": {"SET", "", "x"}, "list": {"LPUSH", "", "x"}, "hash": {"HSET", "", "f", "x"}, "set": {"SADD", "", "x"}, "stream": {"XADD", "", "*", "f", "x"},
	}
	at, name := standalone(t), newPrefix()
	s, log := openAt(t, at.url, patient, prefix(name))
	for kind, command := range spoil {
		t.Run(kind, func(t *testing.T) {
			account, other, secretID := uuid.New(), uuid.New(), uuid.New()
			for _, key := range []string{name + ":{" + account.String() + "}:live", name + ":{" + account.String() + "}:uses"} {
				command[1] = key
				do(t, at.nodes[0], command...)
			}
			if len(jtis(t, s, account)) > 0 || !seenAt(t, s, account).At.IsZero() {
				t.Error("something is shown")
			}
			if err := s.Forget(t.Context(), account, "j"); err != nil {
				t.Error(err)
			}
			if _, err := s.Sweep(t.Context()); err != nil {
				t.Error(err)
			}
			now := time.Now()
			for _, id := range []uuid.UUID{account, other} {
				s.Add(token(id, 1))
				s.Touch(use(id, secretID, now.Add(time.Duration(id[0]))))
				secretID = uuid.New()
			}
			written(t, s)
			for _, id := range []uuid.UUID{account, other} {
				if len(jtis(t, s, id)) != 1 || seenAt(t, s, id).At.IsZero() {
					t.Error("the record or the use is not there")
				}
			}
		})
	}
	if log.count("level=WARN") > 0 {
		t.Errorf("log: %s", log)
	}
}

func TestF10_WrongTypeUnderTheLimit(t *testing.T) {
	at, name := standalone(t), newPrefix()
	a, _ := openAt(t, at.url, patient, prefix(name))
	b, _ := openAt(t, at.url, patient, prefix(name))
	count := func() {
		for range 2 {
			a.Allow(t.Context(), "key", 100, time.Minute)
			b.Allow(t.Context(), "key", 100, time.Minute)
		}
	}
	count()
	key := ""
	eventually(t, "the key is shared", func() bool {
		key = strings.TrimSpace(do(t, at.nodes[0], "KEYS", name+":limit:*"))
		return key != ""
	})
	do(t, at.nodes[0], "SET", key, "x")
	count()
	eventually(t, "the key is a hash again", func() bool { return do(t, at.nodes[0], "TYPE", key) == "hash" })
	do(t, at.nodes[0], "HSET", key, "garbage", "x", "other", "9 9 9", "huge", "1 99999999999999999 2147483647")
	eventually(t, "what others tell is believed, as much as can be read", func() bool {
		ok, after := a.Allow(t.Context(), "key", 100, time.Minute)
		if !ok && after > time.Minute {
			t.Fatalf("refused for %v", after)
		}
		return !ok
	})
}

// F10: members that are no records, or of another version, are passed over and in time removed.
func TestF10_GarbageAmongRecords(t *testing.T) {
	at, name := standalone(t), newPrefix()
	s, _ := openAt(t, at.url, patient, prefix(name))
	account := uuid.New()
	live, uses := name+":{"+account.String()+"}:live", name+":{"+account.String()+"}:uses"
	s.Add(token(account, 1))
	s.Touch(use(account, uuid.New(), time.Now()))
	written(t, s)
	later := "9999999999999999"
	for _, member := range []string{"", "x", "\x01", "\x02newer", strings.Repeat("\xff", 100_000)} {
		do(t, at.nodes[0], "ZADD", live, later, member)
		do(t, at.nodes[0], "ZADD", live, "inf", member+"y")
		do(t, at.nodes[0], "ZADD", uses, "0", member)
		do(t, at.nodes[0], "ZADD", uses, "7", member+"y")
	}
	if len(jtis(t, s, account)) != 1 || seenAt(t, s, account).At.IsZero() {
		t.Error("garbage hides a record")
	}
	if err := s.Forget(t.Context(), account, "j00001"); err != nil {
		t.Fatal(err)
	}
	if len(jtis(t, s, account)) != 0 {
		t.Error("the record is not forgotten")
	}
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	for n := range 2100 {
		s.Add(token(account, n))
	}
	written(t, s)
	if left := do(t, at.nodes[0], "ZCOUNT", live, later, "inf"); left != "0" {
		t.Errorf("%s members of garbage are left after a trim", left)
	}
}

// Sweep removes what has expired, of those accounts too that nobody writes to any more, and
// leaves alone what may still be needed.
func TestSweepReachesIdleAccounts(t *testing.T) {
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			h := opener(shape.servers)(t).(*harness)
			start := time.Unix(0, h.clock.Load())
			const idle = 700
			for n := range idle {
				record := token(uuid.New(), n)
				record.IssuedAt, record.ExpiresAt = start, start.Add(time.Minute)
				h.Add(record)
				if n%200 == 199 {
					written(t, h.State)
				}
			}
			stays := token(uuid.New(), 1)
			stays.IssuedAt, stays.ExpiresAt = start, start.Add(time.Hour)
			h.Add(stays)
			written(t, h.State)
			h.Advance(time.Minute)
			if n, err := h.Sweep(t.Context()); n != idle || err != nil {
				t.Errorf("%d of %d removed, %v", n, idle, err)
			}
			if len(jtis(t, h.State, stays.AccountID)) != 1 {
				t.Error("a record is gone before its time")
			}
			h.Advance(time.Minute)
			if n, err := h.Sweep(t.Context()); n != 0 || err != nil {
				t.Errorf("%d removed by the next sweep, %v", n, err)
			}
		})
	}
}
