package redisstate_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/signet-issuer/signet/internal/engines"
)

func TestMain(m *testing.M) {
	code := engines.Main(m)
	if err := closeServers(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	if err := leaks(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// leaks waits for the library, which once more a second looks for a server that is gone.
func leaks() (err error) {
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
		if err = goleak.Find(); err == nil {
			return nil
		}
	}
	return err
}

// servers are what tests share of one shape.
type servers struct {
	url   string
	nodes []*engines.Redis // that hold data
	close func() error
}

var shared struct {
	mu    sync.Mutex
	known map[string]*servers
}

// standalone, sentinels and nodes return the servers that all tests share; they are to be
// left as they were found.
func standalone(t testing.TB) *servers {
	return start(t, "standalone", func(ctx context.Context) (*servers, error) {
		r, err := engines.StartRedis(ctx, "", "--databases", "4")
		if err != nil {
			return nil, err
		}
		return &servers{url: "redis://" + r.Addr(), nodes: []*engines.Redis{r}, close: r.Close}, nil
	})
}

func sentinels(t testing.TB) *servers {
	return start(t, "sentinel", newSentinels)
}

func newSentinels(ctx context.Context) (*servers, error) {
	s, err := engines.StartSentinel(ctx, "")
	if err != nil {
		return nil, err
	}
	return &servers{url: "redis+sentinel://" + strings.Join(s.Addrs(), ",") + "/signet", nodes: s.Nodes, close: s.Close}, nil
}

func clusterNodes(t testing.TB) *servers {
	return start(t, "cluster", newCluster)
}

func newCluster(ctx context.Context) (*servers, error) {
	c, err := engines.StartCluster(ctx, "")
	if err != nil {
		return nil, err
	}
	return &servers{url: "redis+cluster://" + strings.Join(c.Addrs(), ","), nodes: c.Nodes, close: c.Close}, nil
}

func start(t testing.TB, shape string, begin func(context.Context) (*servers, error)) *servers {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if found := shared.known[shape]; found != nil {
		return found
	}
	begun, err := begin(context.WithoutCancel(t.Context()))
	engines.Check(t, err)
	if shared.known == nil {
		shared.known = map[string]*servers{}
	}
	shared.known[shape] = begun
	return begun
}

func closeServers() error {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	var failed []error
	for _, s := range shared.known {
		failed = append(failed, s.close())
	}
	return errors.Join(failed...)
}

// ownRedis starts a server for one test.
func ownRedis(t testing.TB, args ...string) *engines.Redis {
	t.Helper()
	r, err := engines.StartRedis(t.Context(), "", args...)
	engines.Check(t, err)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// do sends one command to the server.
func do(t testing.TB, r *engines.Redis, args ...string) string {
	t.Helper()
	answer, err := r.Do(t.Context(), args...)
	if err != nil {
		t.Fatalf("%s: %v", args[0], err)
	}
	return answer
}
