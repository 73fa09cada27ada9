package redisstate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/internal/engines"
)

// F7: the master is killed; with the next one writing goes on.
func TestF7_SentinelFailover(t *testing.T) {
	servers, err := engines.StartSentinel(t.Context(), "")
	engines.Check(t, err)
	t.Cleanup(func() {
		if err := servers.Close(); err != nil {
			t.Error(err)
		}
	})
	s, log := openAt(t, "redis+sentinel://"+strings.Join(servers.Addrs(), ",")+"/signet")
	account := uuid.New()
	s.Add(token(account, 0))
	written(t, s)
	master, err := servers.Master(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := master.Kill(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for n := 1; n <= 50; n++ {
		s.Add(token(account, n))
		time.Sleep(2 * time.Millisecond)
	}
	written(t, s)
	took := time.Since(began)
	t.Logf("written again after %v", took)
	// A second until it is down, one to agree, one until the next try: the rest is this machine's load.
	if took > 10*time.Second {
		t.Errorf("written again after %v", took)
	}
	if got := len(jtis(t, s, account)); got < 50 || s.Dropped() != 0 {
		t.Errorf("%d records, %d dropped", got, s.Dropped())
	}
	if log.count("written again") != 1 {
		t.Errorf("log: %s", log)
	}
}

// F8: accounts on the other nodes go on; those of the dead one wait for it.
func TestF8_ClusterNodeKilled(t *testing.T) {
	servers, err := engines.StartCluster(t.Context(), "")
	engines.Check(t, err)
	t.Cleanup(func() {
		if err := servers.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, node := range servers.Nodes {
		do(t, node, "CONFIG", "SET", "cluster-require-full-coverage", "no")
	}
	s, _ := openAt(t, "redis+cluster://"+strings.Join(servers.Addrs(), ","))
	ids := make([]uuid.UUID, 30)
	for i := range ids {
		ids[i] = uuid.New()
	}
	addAll := func(n int) {
		for _, id := range ids {
			s.Add(token(id, n))
		}
	}
	addAll(0)
	written(t, s)
	if err := servers.Nodes[1].Kill(); err != nil {
		t.Fatal(err)
	}
	addAll(1)
	eventually(t, "the records of the living nodes are written", func() bool { return s.Waiting() > 0 && s.Waiting() < len(ids) })
	if report := s.Report(); !strings.Contains(report, "Redis ") {
		t.Errorf("report: %s", report)
	}
	listed := 0
	for _, id := range ids {
		if live, err := s.List(t.Context(), id); err == nil && len(live) == 2 {
			listed++
		}
	}
	if listed == 0 || listed == len(ids) {
		t.Errorf("%d of %d accounts can be listed", listed, len(ids))
	}
	if err := servers.Nodes[1].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	written(t, s)
	for _, id := range ids {
		eventually(t, "an account is listed again", func() bool {
			live, err := s.List(t.Context(), id)
			return err == nil && len(live) == 2
		})
	}
	if s.Dropped() != 0 {
		t.Errorf("%d dropped", s.Dropped())
	}
}
