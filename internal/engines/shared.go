package engines

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// shared are the servers of this test binary; the first test that needs one starts it.
var shared struct {
	mu        sync.Mutex
	open      bool
	databases int
	postgres  *Postgres
	redis     *Redis
	failed    map[string]error // what did not start is not tried again
}

const (
	sharedLimit = 60 * time.Second
	// sharedConnections suffices for the pools of many tests at once.
	sharedConnections = "max_connections=300"
)

// Main runs the tests and ends the servers that they shared. It is the whole of a TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }
func Main(m *testing.M) int {
	shared.mu.Lock()
	shared.open = true
	shared.mu.Unlock()
	code := m.Run()
	if err := closeShared(); err != nil {
		fmt.Fprintln(os.Stderr, "engines:", err)
		return max(code, 1)
	}
	return code
}

func closeShared() error {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	shared.open = false
	var failed []error
	if shared.postgres != nil {
		failed = append(failed, shared.postgres.Close())
	}
	if shared.redis != nil {
		failed = append(failed, shared.redis.Close())
	}
	return errors.Join(failed...)
}

// Database makes an empty database on the PostgreSQL that all tests of the binary share, and
// drops it at the end of t.
func Database(t testing.TB) (url string) {
	t.Helper()
	server, name := sharedPostgres(t)
	Check(t, server.CreateDatabase(t.Context(), name))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), sharedLimit)
		defer cancel()
		if err := server.DropDatabase(ctx, name); err != nil {
			t.Error(err)
		}
	})
	return server.URL(name)
}

func sharedPostgres(t testing.TB) (server *Postgres, name string) {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.postgres == nil {
		shared.postgres = startShared(t, "PostgreSQL", func(ctx context.Context) (*Postgres, error) {
			return StartPostgres(ctx, "", sharedConnections)
		})
	}
	shared.databases++
	return shared.postgres, fmt.Sprintf("test%d", shared.databases)
}

// RedisURL names the Redis that all tests of the binary share. Keep apart by key prefixes.
func RedisURL(t testing.TB) (url string) {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.redis == nil {
		shared.redis = startShared(t, "Redis", func(ctx context.Context) (*Redis, error) {
			return StartRedis(ctx, "")
		})
	}
	return "redis://" + shared.redis.Addr() + "/0"
}

// startShared runs with the lock held, which t's end releases too.
func startShared[S any](t testing.TB, name string, start func(context.Context) (S, error)) S {
	t.Helper()
	if !shared.open {
		t.Fatal("a server is shared only where TestMain calls engines.Main, which ends it")
	}
	Check(t, shared.failed[name])
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), sharedLimit)
	defer cancel()
	server, err := start(ctx)
	if err != nil {
		if shared.failed == nil {
			shared.failed = make(map[string]error)
		}
		shared.failed[name] = err
	}
	Check(t, err)
	return server
}

// Check ends t if a server did not start: as skipped when its program is missing, unless CI
// is set or SIGNET_TEST_ENGINES is "required".
func Check(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, ErrMissing) && !required():
		t.Skip(err)
	default:
		t.Fatal(err)
	}
}

func required() bool {
	return os.Getenv("CI") != "" || os.Getenv("SIGNET_TEST_ENGINES") == "required"
}
