package deploy_test

import (
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/signet-issuer/signet/internal/engines"
)

// All that compose.yaml joins, of its own files: roles.sql, redis.conf with its users,
// haproxy.cfg, and what setup.sh makes.
func TestComposeWorks(t *testing.T) {
	w := newWorld(t)
	t.Run("doors", w.testDoors)
	t.Run("redis", w.testRedis)
	t.Run("alerts", w.testAlerts)
	t.Run("I38_rolling", w.testRolling)
	t.Run("F11_postgres", w.testPostgresGone)
}

func (w *world) testDoors(t *testing.T) {
	if status, _ := w.token(); status != http.StatusOK {
		t.Fatalf("/token answers %d", status)
	}
	// A client cannot say where it comes from, nor that it came in plain.
	if status, _ := w.token("X-Forwarded-For", "203.0.113.9", "X-Forwarded-Proto", "http", "Forwarded", "for=203.0.113.9"); status != http.StatusOK {
		t.Errorf("/token answers %d to a client with forwarding headers", status)
	}
	for _, r := range w.replicas {
		if strings.Contains(r.out.String(), "203.0.113.9") {
			t.Error("a client chose its own address")
		}
	}
	for _, path := range []string{"/metrics", "/livez", "/readyz", "/readyz?verbose"} {
		if status := w.get(path); status != http.StatusNotFound {
			t.Errorf("%s is open to the public: %d", path, status)
		}
	}
}

// The rights in users.acl are enough, and nothing else is open.
func (w *world) testRedis(t *testing.T) {
	eventually(t, func() bool {
		return strings.Contains(body(t, "http://"+w.replicas[0].address+"/readyz?verbose"), "redis: ok")
	})
	_, port, _ := strings.Cut(w.redis, ":")
	_, password, _ := strings.Cut(strings.TrimSuffix(read(t, w.path("secrets/redis_url")), "@"+w.redis+"\n"), "redis://signet:")
	cli := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), installed(t, "redis-cli"), append([]string{"-p", port}, args...)...)
		cmd.Env = append(cmd.Environ(), "REDISCLI_AUTH="+password)
		text, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("redis-cli: %v\n%s", err, text)
		}
		return string(text)
	}
	for _, command := range []string{"FLUSHALL", "CONFIG GET *", "EVAL return(1) 0", "KEYS *", "SHUTDOWN", "ACL LIST", "GET other:key"} {
		if got := cli(append([]string{"--user", "signet"}, strings.Fields(command)...)...); !strings.Contains(got, "NOPERM") {
			t.Errorf("the user signet may %s: %s", command, got)
		}
	}
	unnamed := exec.CommandContext(t.Context(), installed(t, "redis-cli"), "-p", port, "PING")
	// What compose.yaml's health check looks for.
	if got, err := unnamed.CombinedOutput(); err != nil || !strings.Contains(string(got), "NOAUTH") {
		t.Errorf("without a password: %v %s", err, got)
	}
}

// The rights are those that the package says suffice.
func TestRedisRightsAreTheDocumentedOnes(t *testing.T) {
	rights := func(text string) []string {
		list := regexp.MustCompile(`\+[a-z|]+`).FindAllString(text, -1)
		slices.Sort(list)
		return list
	}
	_, text, _ := strings.Cut(read(t, "../tokens/redisstate/doc.go"), "ACL SETUSER signet on")
	text, _, found := strings.Cut(text, "A database other than 0")
	if got, want := rights(read(t, "redis/users.acl")), rights(text); !found || !slices.Equal(got, want) {
		t.Errorf("users.acl gives %v, tokens/redisstate needs %v", got, want)
	}
}

// Replicas are killed and rolled while tokens are asked for, and no request fails.
func (w *world) testRolling(t *testing.T) {
	stop := make(chan struct{})
	var asked, failed atomic.Int64
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if status, _ := w.token(); status != http.StatusOK {
					failed.Add(1)
				}
				asked.Add(1)
			}
		})
	}
	pause := func() { time.Sleep(300 * time.Millisecond) }
	pause()
	for i := range w.replicas {
		if err := w.replicas[i].cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		<-w.replicas[i].exited
		pause()
		w.start(i)
		time.Sleep(1500 * time.Millisecond) // the balancer takes it in again
	}
	for i := range w.replicas {
		w.replicas[i].stop(t)
		w.start(i)
		time.Sleep(1500 * time.Millisecond)
	}
	close(stop)
	load.Wait()
	if failed.Load() > 0 || asked.Load() < 100 {
		t.Errorf("%d of %d requests failed", failed.Load(), asked.Load())
	}
	t.Logf("%d requests, none failed", asked.Load())
}

// Without PostgreSQL clients are told to come back, by Signet and later by the balancer, and
// verifiers have their keys all the time.
func (w *world) testPostgresGone(t *testing.T) {
	// The test's own look at the server, as the user signet, asks for more than Signet does.
	output(t, exec.CommandContext(t.Context(), installed(t, "psql"), "-X", "-c", "GRANT pg_read_all_settings TO signet",
		strings.Replace(w.postgres.URL("postgres"), engines.Superuser+"@", "postgres@", 1)))
	if err := w.postgres.Kill(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		began := time.Now()
		status, header := w.token()
		if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
			t.Fatalf("/token answers %d with Retry-After %q", status, header.Get("Retry-After"))
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("/token took %v", took)
		}
		if status := w.get("/.well-known/jwks.json"); status != http.StatusOK {
			t.Fatalf("the key set answers %d", status)
		}
	}
	if err := w.postgres.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		status, _ := w.token()
		return status == http.StatusOK
	})
}
