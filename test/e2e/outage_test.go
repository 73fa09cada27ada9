package e2e_test

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signet-issuer/signet/internal/engines"
)

// ownEngines starts a PostgreSQL and a Redis that the test may disturb.
func ownEngines(t *testing.T) (*engines.Postgres, *engines.Redis) {
	t.Helper()
	postgres, err := engines.StartPostgres(t.Context(), "")
	engines.Check(t, err)
	t.Cleanup(func() { closeEngine(t, postgres.Close) })
	redis, err := engines.StartRedis(t.Context(), "")
	engines.Check(t, err)
	t.Cleanup(func() { closeEngine(t, redis.Close) })
	engines.Check(t, postgres.CreateDatabase(t.Context(), "signet"))
	return postgres, redis
}

func closeEngine(t *testing.T, end func() error) {
	if err := end(); err != nil {
		t.Error(err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestStopAndStartWhileOthersHang stops and starts a server while Redis or PostgreSQL does not
// answer.
func TestStopAndStartWhileOthersHang(t *testing.T) {
	t.Parallel()
	postgres, redis := ownEngines(t)
	p := newReplicas(t, 1, "SIGNET_DATABASE_URL="+postgres.URL("signet"), "SIGNET_REDIS_URL=redis://"+redis.Addr(),
		"SIGNET_MASTER_KEY="+newMasterKey())[0]
	root := p.bootstrap(t)
	s := p.serve(t)
	admin := s.api(t).as(root)
	admin.makeAcme()
	m := admin.machine("billing")

	// A use that Redis never saw is in the database after the stop.
	must(t, redis.Pause())
	admin.token(m.login)
	s.stop(t)
	if uses := savedUses(t, p); uses < 2 {
		t.Errorf("%d uses are saved, want the machine's and the administrator's", uses)
	}

	// A Redis that hangs, and then one that is not there, keeps nobody from starting.
	s = p.serve(t)
	startedWithout(t, s, "hangs")
	s.plain(t).token(m.login)
	s.stop(t)
	must(t, redis.Kill())
	s = p.serve(t)
	startedWithout(t, s, "is gone")
	admin = s.api(t).as(root)
	if account, _, _ := usedAt(t, admin, m); account == "" {
		t.Error("the last use is not known without Redis")
	}
	must(t, redis.Restart(t.Context()))
	eventually(t, 10*time.Second, "Redis is well again", func() bool {
		return strings.Contains(string(admin.get("/readyz?verbose").body), "redis: ok\n")
	})

	// Everything hangs: what is in flight ends, and so does the process.
	must(t, redis.Pause())
	must(t, postgres.Pause())
	s.stop(t)
	must(t, redis.Resume())
	must(t, postgres.Resume())
}

// startedWithout wants a server that started at once and says that Redis is not well.
func startedWithout(t *testing.T, s *server, how string) {
	t.Helper()
	if s.readyAfter > readyWithin {
		t.Errorf("a Redis that %s held up the start for %v", how, s.readyAfter)
	}
	eventually(t, 5*time.Second, "/readyz?verbose tells of Redis", func() bool {
		verbose := string(s.plain(t).get("/readyz?verbose").body)
		return strings.Contains(verbose, "\nredis: ") && !strings.Contains(verbose, "redis: ok")
	})
}

// TestServeWaitsForItsDatabase: who starts both at once need not put them in order.
func TestServeWaitsForItsDatabase(t *testing.T) {
	t.Parallel()
	postgres, err := engines.StartPostgres(t.Context(), "")
	engines.Check(t, err)
	t.Cleanup(func() { closeEngine(t, postgres.Close) })
	engines.Check(t, postgres.CreateDatabase(t.Context(), "signet"))
	const password = "CANARY-of-the-database"
	database := strings.Replace(postgres.URL("signet"), engines.Superuser+"@", engines.Superuser+":"+password+"@", 1)
	p := newReplicas(t, 1, "SIGNET_DATABASE_URL="+database, "SIGNET_REDIS_URL=redis://127.0.0.1:1", "SIGNET_MASTER_KEY="+newMasterKey())[0]
	root := p.bootstrap(t)
	must(t, postgres.Kill())

	said := p.run(t, "keys", "list")
	if said.code != 1 || !strings.Contains(said.stderr, "\nhint: is PostgreSQL running") || strings.Contains(said.stderr, password) {
		t.Errorf("a command: code %d, %s", said.code, said.stderr)
	}
	restarted := make(chan error, 1)
	go func() {
		time.Sleep(time.Second)
		restarted <- postgres.Restart(context.WithoutCancel(t.Context()))
	}()
	s := p.serve(t)
	must(t, <-restarted)
	s.plain(t).token(root)
	if strings.Contains(s.stderr.String(), password) {
		t.Error("the log holds the password")
	}
	s.stop(t)

	must(t, postgres.Kill())
	stopEarly(t, p)
}

// stopEarly stops a server that still waits.
func stopEarly(t *testing.T, p *place) {
	t.Helper()
	cmd := p.command(t.Context(), "serve")
	var log output
	cmd.Stderr = &log
	must(t, cmd.Start())
	eventually(t, 10*time.Second, "the server says that it waits", func() bool {
		return strings.Contains(log.String(), "waiting for the database")
	})
	began := time.Now()
	must(t, cmd.Process.Signal(syscall.SIGTERM))
	must(t, cmd.Wait())
	if took := time.Since(began); took > stopWithin {
		t.Errorf("it stopped after %v", took)
	}
}
