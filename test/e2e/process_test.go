package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/signet-issuer/signet/internal/engines"
)

// readyWithin is what a start may take on a busy machine, whatever Redis does (I20).
const readyWithin = 2 * time.Second

// stopWithin is the promise for SIGTERM.
const stopWithin = 5 * time.Second

// binaryVariable names a binary to test instead of one built from here, as a released one.
const binaryVariable = "SIGNET_E2E_BINARY"

// binary is the path of signet, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (int, error) {
	if binary = os.Getenv(binaryVariable); binary != "" {
		return engines.Main(m), nil
	}
	folder, err := os.MkdirTemp("", "signet-e2e-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	binary = filepath.Join(folder, "signet")
	// Reads of the sources by this process are what makes Go's test cache notice a change.
	if err := readSources("../.."); err != nil {
		return 0, err
	}
	build := exec.CommandContext(context.Background(), "go", "build", "-buildvcs=false", "-o", binary, "../../cmd/signet")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build signet: %w\n%s", err, output)
	}
	return engines.Main(m), nil
}

func readSources(root string) error {
	return filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "bin") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			_, err = os.ReadFile(path)
		}
		return err
	})
}

// output keeps what a process prints.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// place is where a server or command lives: its data directory and its environment.
type place struct {
	dir    string // the data directory is in it
	env    []string
	listen string // a port that the system chose the first time: it is part of the issuer
}

func newPlace(t testing.TB, env ...string) *place {
	t.Helper()
	return &place{dir: t.TempDir(), env: env, listen: "127.0.0.1:0"}
}

func (p *place) data(name ...string) string {
	return filepath.Join(append([]string{p.dir, "signet-data"}, name...)...)
}

// command prepares the binary with nothing in its environment but what the place says.
func (p *place) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = p.dir
	cmd.Env = append([]string{"SIGNET_LISTEN=" + p.listen, "PATH=" + os.Getenv("PATH")}, p.env...)
	return cmd
}

// result is what a command that has ended left.
type result struct {
	code           int
	stdout, stderr string
}

// run runs a command to its end.
func (p *place) run(t testing.TB, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := p.command(t.Context(), args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatalf("signet %s: %v", strings.Join(args, " "), err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// must runs a command that has to succeed and returns what it printed to stdout.
func (p *place) must(t testing.TB, args ...string) string {
	t.Helper()
	got := p.run(t, args...)
	if got.code != 0 {
		t.Fatalf("signet %s: exit code %d\n%s", strings.Join(args, " "), got.code, got.stderr)
	}
	return got.stdout
}

// login is a credential.
type login struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

// bootstrap makes an administrator.
func (p *place) bootstrap(t testing.TB, args ...string) login {
	t.Helper()
	var made login
	if err := json.Unmarshal([]byte(p.must(t, append([]string{"bootstrap"}, args...)...)), &made); err != nil {
		t.Fatal(err)
	}
	return made
}

// server is a running "signet serve".
type server struct {
	url            string
	issuer         string // the url, unless the place names another
	stdout, stderr *output
	readyAfter     time.Duration

	cmd    *exec.Cmd
	exited chan struct{} // closed when the process is gone
}

// serve starts a server and waits until it is ready. It is killed at the end of the test.
func (p *place) serve(t testing.TB, args ...string) *server {
	t.Helper()
	s, err := p.launch(context.WithoutCancel(t.Context()), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	return s
}

func (p *place) launch(ctx context.Context, args ...string) (*server, error) {
	s := &server{stdout: &output{}, stderr: &output{}, exited: make(chan struct{})}
	s.cmd = p.command(ctx, append([]string{"serve"}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = s.stdout, s.stderr
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = s.cmd.Wait() // how it ended is in ProcessState
		close(s.exited)
	}()
	for time.Since(began) < 20*time.Second {
		if s.ready(ctx, p) {
			s.readyAfter = time.Since(began)
			p.listen = strings.TrimPrefix(s.url, "http://")
			return s, nil
		}
		select {
		case <-s.exited:
			return nil, fmt.Errorf("signet serve ended: %s\n%s", s.cmd.ProcessState, s.stderr)
		case <-time.After(5 * time.Millisecond):
		}
	}
	s.kill()
	return nil, fmt.Errorf("signet serve is not ready\n%s", s.stderr)
}

// ready finds the issuer in the log, because the system may have chosen the port, and asks the server.
func (s *server) ready(ctx context.Context, p *place) bool {
	if s.url == "" {
		s.issuer = loggedIssuer(s.stderr.String())
		s.url = s.issuer
		if s.issuer != "" && !strings.HasSuffix(p.listen, ":0") {
			s.url = "http://" + p.listen
		}
	}
	if s.url == "" {
		return false
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/readyz", nil)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

func loggedIssuer(log string) string {
	for line := range strings.Lines(log) {
		var event struct{ Msg, Issuer string }
		if json.Unmarshal([]byte(line), &event) == nil && event.Msg == "serving" {
			return event.Issuer
		}
	}
	return ""
}

// signal sends a signal and waits for the end of the process.
func (s *server) signal(sig syscall.Signal, within time.Duration) bool {
	_ = s.cmd.Process.Signal(sig) // it may be gone already
	select {
	case <-s.exited:
		return true
	case <-time.After(within):
		return false
	}
}

func (s *server) kill() { s.signal(syscall.SIGKILL, time.Minute) }

// stop ends the server as an orchestrator does, and fails unless it leaves in time and in order.
func (s *server) stop(t testing.TB) {
	t.Helper()
	if !s.signal(syscall.SIGTERM, stopWithin) {
		t.Fatalf("the server still runs %v after SIGTERM", stopWithin)
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		t.Fatalf("the server ended with code %d\n%s", code, s.stderr)
	}
}
