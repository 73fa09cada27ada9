package redisstate_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// F6, D2: whatever may evict is told at the start, again and again while it lasts, and in the report.
func TestF6_EvictionIsReported(t *testing.T) {
	r := ownRedis(t)
	for _, policy := range []string{"allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"} {
		do(t, r, "CONFIG", "SET", "maxmemory-policy", policy)
		s, log := openAt(t, "redis://"+r.Addr(), checkEvery(20*time.Millisecond))
		for what, text := range map[string]string{"log": log.String(), "report": s.Report()} {
			if !strings.Contains(text, "maxmemory-policy is "+policy+": set it to noeviction") {
				t.Errorf("%s: %s", what, text)
			}
		}
		eventually(t, "it is told again", func() bool { return log.count("level=WARN") >= 3 })
		do(t, r, "CONFIG", "SET", "maxmemory-policy", "noeviction")
		eventually(t, "the report is ok", func() bool { return s.Report() == "ok" })
		before := log.count("level=WARN")
		time.Sleep(60 * time.Millisecond)
		if log.count("level=WARN") != before {
			t.Error("it is told though it is over")
		}
	}
}

func TestF6_EvictionIsReportedInACluster(t *testing.T) {
	at := clusterNodes(t)
	do(t, at.nodes[2], "CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
	defer do(t, at.nodes[2], "CONFIG", "SET", "maxmemory-policy", "noeviction")
	s, _ := openAt(t, at.url, patient, checkEvery(20*time.Millisecond))
	eventually(t, "one node's setting is reported", func() bool { return strings.HasPrefix(s.Report(), "maxmemory-policy is volatile-ttl") })
}

// F6: a full server refuses; everything goes on, and what waits is written when there is room.
func TestF6_FullServer(t *testing.T) {
	r := ownRedis(t)
	s, _ := openAt(t, "redis://"+r.Addr(), patient)
	account := uuid.New()
	s.Add(token(account, 0))
	written(t, s)
	do(t, r, "CONFIG", "SET", "maxmemory", "1")
	s.Add(token(account, 1))
	eventually(t, "it is reported", func() bool { return strings.Contains(s.Report(), "Redis is full") })
	if got := jtis(t, s, account); len(got) != 2 {
		t.Errorf("%v", got)
	}
	do(t, r, "CONFIG", "SET", "maxmemory", "0")
	written(t, s)
	eventually(t, "the report is ok", func() bool { return s.Report() == "ok" })
}

// With an evicting server records go, and nothing else happens.
func TestF6_Evicting(t *testing.T) {
	r := ownRedis(t, "--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru")
	s, _ := openAt(t, "redis://"+r.Addr(), patient)
	ids := make([]uuid.UUID, 200)
	for i := range ids {
		ids[i] = uuid.New()
		s.Add(token(ids[i], i))
	}
	written(t, s)
	for n := range 20 {
		do(t, r, "SET", fmt.Sprint("filler", n), strings.Repeat("x", 100_000))
	}
	for i, id := range ids {
		if live, err := s.List(t.Context(), id); err != nil || len(live) > 1 {
			t.Fatalf("%d records, %v", len(live), err)
		}
		s.Add(token(id, len(ids)+i))
	}
	written(t, s)
}

func TestReplicaIsReported(t *testing.T) {
	r := ownRedis(t)
	do(t, r, "REPLICAOF", "127.0.0.1", "1")
	s, _ := openAt(t, "redis://"+r.Addr(), patient, checkEvery(20*time.Millisecond))
	eventually(t, "it is reported", func() bool { return strings.Contains(s.Report(), "it is a read-only replica") })
}
