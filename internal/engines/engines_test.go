package engines

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

type runner func() int

func (r runner) Run() int { return r() }

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(runner(func() int { return Main(m) }))
}

// patience is how long a test waits for what should take moments.
const patience = 20 * time.Second

// hungCall is the deadline of calls that must not be answered.
const hungCall = 100 * time.Millisecond

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestPostgresKeepsWhatItAcknowledged(t *testing.T) {
	t.Parallel()
	ctx := limited(t)
	p, err := StartPostgres(ctx, "", "max_connections=17")
	Check(t, err)
	row := func(sql string) string {
		t.Helper()
		got, err := p.Query(ctx, "kept", sql)
		must(t, err)
		return strings.Join(got, ",")
	}
	must(t, p.CreateDatabase(ctx, "kept"))
	must(t, p.Exec(ctx, "kept", "CREATE TABLE t (n int, s text); INSERT INTO t VALUES (7, NULL), (8, 'x')"))
	if got := row("SELECT count(*), max(s), min(CASE WHEN n = 7 THEN s END) FROM t"); got != "2,x," {
		t.Errorf("read %q", got)
	}
	for setting, want := range map[string]string{"fsync": "on", "synchronous_commit": "on", "max_connections": "17"} {
		if got := row("SHOW " + setting); got != want {
			t.Errorf("%s is %s", setting, got)
		}
	}
	if err := p.Exec(ctx, "kept", "SELECT nonsense"); err == nil || !strings.Contains(err.Error(), "42703") {
		t.Errorf("a wrong statement gives %v", err)
	}

	addr := p.Addr()
	must(t, p.Kill())
	if err := p.Exec(ctx, "kept", "SELECT 1"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a killed server gives %v", err)
	}
	must(t, p.Kill()) // the dead stay dead
	must(t, p.Restart(ctx))
	if got := row("SELECT count(*) FROM t"); got != "2" || p.Addr() != addr {
		t.Errorf("after the restart: %q rows at %s, before at %s", got, p.Addr(), addr)
	}
	nothingRemains(t, p.data, p.folder, p.Close)
}

// nothingRemains ends a server and looks for its processes and folder.
func nothingRemains(t *testing.T, working, folder string, end func() error) {
	t.Helper()
	before, err := workingIn(working)
	must(t, err)
	if len(before) == 0 {
		t.Errorf("no process works in %s before the end", working)
	}
	must(t, end())
	after, err := workingIn(working)
	must(t, err)
	if len(after) > 0 {
		t.Errorf("processes %v are left", after)
	}
	for _, pid := range before {
		if runs(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
}

func TestPostgresPausedAnswersNothing(t *testing.T) {
	t.Parallel()
	ctx := limited(t)
	p, err := StartPostgres(ctx, t.TempDir())
	Check(t, err)
	hung := func() {
		t.Helper()
		short, cancel := context.WithTimeout(ctx, hungCall)
		defer cancel()
		if err := p.Exec(short, "postgres", "SELECT 1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a paused server gives %v", err)
		}
	}
	must(t, p.Pause())
	must(t, p.Pause())
	hung()
	must(t, p.Resume())
	must(t, p.Exec(ctx, "postgres", "CREATE TABLE kept ()"))
	must(t, p.Pause())
	hung()
	must(t, p.Kill())
	must(t, p.Restart(ctx))
	must(t, p.Pause())
	must(t, p.Close())

	again, err := StartPostgres(ctx, p.folder)
	must(t, err)
	must(t, again.Exec(ctx, "postgres", "SELECT FROM kept"))
	must(t, again.Close())
}

// Idle backends are processes of their own groups.
func TestPostgresIsKilledWithItsBackends(t *testing.T) {
	t.Parallel()
	ctx := limited(t)
	p, err := StartPostgres(ctx, "")
	Check(t, err)
	ended := make(chan error, 1)
	go func() { ended <- p.Exec(ctx, "postgres", "SELECT pg_sleep(60)") }()
	must(t, until(ctx, func(ctx context.Context) (bool, error) {
		got, err := p.Query(ctx, "postgres", "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND pid <> pg_backend_pid()")
		return len(got) == 1 && got[0] == "1", err
	}))
	nothingRemains(t, p.data, p.folder, func() error { return errors.Join(p.Kill(), p.Close()) })
	if err := <-ended; err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the query ended with %v", err)
	}
}

// PostgreSQL takes any live process of the number in its lock file for a server.
func TestPostgresStartsThoughItsNumberIsTaken(t *testing.T) {
	t.Parallel()
	ctx := limited(t)
	p, err := StartPostgres(ctx, "")
	Check(t, err)
	defer func() { must(t, p.Close()) }()
	must(t, p.Kill())
	stranger := exec.CommandContext(ctx, "sleep", "60")
	stranger.SysProcAttr = attributes(p.owner)
	must(t, stranger.Start())
	defer func() { _ = stranger.Wait() }()
	defer func() { must(t, stranger.Process.Kill()) }()
	lock := filepath.Join(p.data, "postmaster.pid")
	text, err := os.ReadFile(lock)
	must(t, err)
	_, rest, _ := strings.Cut(string(text), "\n")
	must(t, os.WriteFile(lock, []byte(strconv.Itoa(stranger.Process.Pid)+"\n"+rest), 0o600))
	must(t, p.Restart(ctx))
}

func TestForgottenFoldersAreRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var made []string
	for _, age := range []time.Duration{time.Minute, forgottenAfter + time.Minute} {
		folder, own, err := home("")
		must(t, err)
		if !own {
			t.Error("a new folder is not the engine's own")
		}
		must(t, os.WriteFile(filepath.Join(folder, "data"), nil, 0o600))
		then := time.Now().Add(-age)
		must(t, os.Chtimes(folder, then, then))
		made = append(made, folder)
	}
	removeForgotten()
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "*"))
	must(t, err)
	if !slices.Equal(left, made[:1]) {
		t.Errorf("left %v of %v", left, made)
	}
}

func TestRedisKeepsItsFile(t *testing.T) {
	t.Parallel()
	ctx := limited(t)
	r, err := StartRedis(ctx, "", "--maxmemory", "8mb")
	Check(t, err)
	do := func(want string, args ...string) {
		t.Helper()
		if got, err := r.Do(ctx, args...); err != nil || got != want {
			t.Errorf("%v: %q %v, want %q", args, got, err, want)
		}
	}
	do("OK", "SET", "k", "v\r\nw")
	do("maxmemory-policy\nnoeviction", "CONFIG", "GET", "maxmemory-policy")
	do("maxmemory\n8388608", "CONFIG", "GET", "maxmemory")
	do("", "GET", "absent")
	if _, err := r.Do(ctx, "NONSENSE"); err == nil || !strings.Contains(err.Error(), "unknown command") {
		t.Errorf("a wrong command gives %v", err)
	}
	must(t, r.Kill())
	if _, err := r.Do(ctx, "PING"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a killed server gives %v", err)
	}
	must(t, r.Restart(ctx))
	do("v\r\nw", "GET", "k")
	must(t, r.Pause())
	short, cancel := context.WithTimeout(ctx, hungCall)
	defer cancel()
	if _, err := r.Do(short, "PING"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a paused server gives %v", err)
	}
	must(t, r.Resume())
	do("1", "DEL", "k")
	nothingRemains(t, r.folder, r.folder, r.Close)
}

func TestRestartWaitsForItsPort(t *testing.T) {
	t.Parallel()
	ctx := limited(t)
	r, err := StartRedis(ctx, "")
	Check(t, err)
	defer func() { must(t, r.Close()) }()
	must(t, r.Kill())
	var config net.ListenConfig
	taken, err := config.Listen(ctx, "tcp", r.Addr())
	must(t, err)
	freed := time.AfterFunc(10*hungCall, func() { _ = taken.Close() })
	defer freed.Stop()
	must(t, r.Restart(ctx))
	if _, err := r.Do(ctx, "PING"); err != nil {
		t.Error(err)
	}
}

func TestSentinelPromotesTheReplica(t *testing.T) {
	t.Parallel()
	ctx := limited(t)
	s, err := StartSentinel(ctx, "")
	Check(t, err)
	first, err := s.Master(ctx)
	must(t, err)
	if first != s.Nodes[0] || len(s.Addrs()) != 3 {
		t.Fatalf("the master is %s, the Sentinels %v", first.Addr(), s.Addrs())
	}
	_, err = first.Do(ctx, "SET", "k", "v")
	must(t, err)
	_, err = first.Do(ctx, "WAIT", "1", "1000")
	must(t, err)
	must(t, first.Kill())
	must(t, until(ctx, func(ctx context.Context) (bool, error) {
		master, err := s.Master(ctx)
		return master == s.Nodes[1], err
	}))
	if got, err := s.Nodes[1].Do(ctx, "GET", "k"); err != nil || got != "v" {
		t.Errorf("the new master has %q %v", got, err)
	}
	must(t, first.Restart(ctx))
	must(t, until(ctx, func(ctx context.Context) (bool, error) {
		role, err := first.Do(ctx, "ROLE")
		return strings.HasPrefix(role, "slave"), err
	}))
	must(t, s.Close())
	if _, err := os.Stat(s.folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
}

func TestClusterAnswersOnEveryNode(t *testing.T) {
	t.Parallel()
	ctx := limited(t)
	c, err := StartCluster(ctx, "")
	Check(t, err)
	keys := map[string]int{"b": 0, "c": 1, "a": 2} // slots 3300, 7365 and 15495
	for key, number := range keys {
		for i, node := range c.Nodes {
			got, err := node.Do(ctx, "SET", key, "v")
			if i == number && (err != nil || got != "OK") {
				t.Errorf("node %d keeps %s: %q %v", i, key, got, err)
			}
			if want := "MOVED"; i != number && (err == nil || !strings.Contains(err.Error(), want+" ") ||
				!strings.HasSuffix(err.Error(), c.Addrs()[number])) {
				t.Errorf("node %d on %s: %v", i, key, err)
			}
		}
	}
	must(t, c.Nodes[1].Kill())
	must(t, until(ctx, func(ctx context.Context) (bool, error) {
		_, err := c.Nodes[0].Do(ctx, "GET", "b")
		return err != nil && strings.Contains(err.Error(), "CLUSTERDOWN"), nil
	}))
	must(t, c.Nodes[1].Restart(ctx))
	for i, node := range c.Nodes {
		must(t, until(ctx, node.inCluster))
		key := []string{"b", "c", "a"}[i]
		must(t, until(ctx, func(ctx context.Context) (bool, error) {
			got, err := node.Do(ctx, "GET", key)
			return got == "v", err
		}))
	}
	must(t, c.Close())
	if _, err := os.Stat(c.folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
}

func TestDatabasesAreApartAndDropped(t *testing.T) {
	t.Parallel()
	var names []string
	t.Run("used", func(t *testing.T) {
		for range 2 {
			_, name, _ := strings.Cut(strings.TrimPrefix(Database(t), "postgres://"), "/")
			name, _, _ = strings.Cut(name, "?")
			must(t, shared.postgres.Exec(t.Context(), name, "CREATE TABLE t ()"))
			names = append(names, name)
		}
	})
	if len(names) != 2 {
		t.SkipNow() // as the test within was
	}
	row, err := shared.postgres.Query(t.Context(), "postgres",
		"SELECT count(*) FROM pg_database WHERE datname IN ('"+strings.Join(names, "','")+"')")
	if err != nil || !slices.Equal(row, []string{"0"}) {
		t.Errorf("%v: %v %v", names, row, err)
	}
}

func TestRedisIsShared(t *testing.T) {
	t.Parallel()
	if first, second := RedisURL(t), RedisURL(t); first != second || !strings.HasSuffix(first, shared.redis.Addr()+"/0") {
		t.Errorf("%s and %s", first, second)
	}
}

// verdict records how a test would have ended.
type verdict struct {
	testing.TB
	skipped, failed bool
}

func (v *verdict) Helper()     {}
func (v *verdict) Skip(...any) { v.skipped = true }
func (v *verdict) Fatal(...any) {
	v.failed = true
}

func TestMissingProgramSkipsUnlessRequired(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, missing := StartRedis(t.Context(), "")
	if !errors.Is(missing, ErrMissing) || !strings.Contains(missing.Error(), "redis-server") {
		t.Fatalf("without a program: %v", missing)
	}
	cases := []struct {
		name         string
		ci, required string
		err          error
		want         verdict
	}{
		{name: "started", want: verdict{}},
		{name: "missing", err: missing, want: verdict{skipped: true}},
		{name: "missing in CI", ci: "true", err: missing, want: verdict{failed: true}},
		{name: "missing but required", required: "required", err: missing, want: verdict{failed: true}},
		{name: "broken", err: errors.New("broken"), want: verdict{failed: true}},
	}
	for _, c := range cases {
		t.Setenv("CI", c.ci)
		t.Setenv("SIGNET_TEST_ENGINES", c.required)
		var got verdict
		Check(&got, c.err)
		if got != c.want {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

const victim = "SIGNET_ENGINES_VICTIM"

// TestNothingSurvivesItsTest kills a test binary whose servers run, one of them paused.
func TestNothingSurvivesItsTest(t *testing.T) {
	if os.Getenv(victim) != "" {
		beVictim(t)
	}
	t.Parallel()
	ctx := limited(t)
	folder := t.TempDir()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run", "^TestNothingSurvivesItsTest$", "-test.v")
	child.Env = append(os.Environ(), victim+"="+folder)
	printed, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	in := bufio.NewScanner(printed)
	for in.Scan() && !strings.HasPrefix(in.Text(), "running") {
		if strings.Contains(in.Text(), "SKIP") {
			t.Skip("the servers are missing")
		}
	}
	must(t, in.Err())
	folders := []string{folder + "/paused/postgres", folder + "/postgres/postgres", folder + "/redis"}
	for _, working := range folders {
		if pids, err := workingIn(working); err != nil || len(pids) == 0 {
			t.Errorf("nothing runs in %s: %v", working, err)
		}
	}
	must(t, child.Process.Kill())
	_ = child.Wait() // it was killed
	for _, working := range folders {
		must(t, until(ctx, func(context.Context) (bool, error) {
			pids, err := workingIn(working)
			return len(pids) == 0, err
		}))
	}
}

func beVictim(t *testing.T) {
	folder, ctx := os.Getenv(victim), t.Context()
	paused, err := StartPostgres(ctx, folder+"/paused")
	Check(t, err)
	_, err = StartPostgres(ctx, folder+"/postgres")
	Check(t, err)
	_, err = StartRedis(ctx, folder+"/redis")
	Check(t, err)
	must(t, paused.Pause())
	_, err = os.Stdout.WriteString("running\n")
	must(t, err)
	<-ctx.Done() // it is killed before
}
