package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

const (
	startWithin = 20 * time.Second // on a machine that is busy with everything else
	stopWithin  = 5 * time.Second  // the promise for SIGTERM
)

// replica is one server process and what it is started with.
type replica struct {
	index  int
	url    string
	log    string // file that gets the output of every start
	binary string
	env    []string

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{} // closed when the process is gone
}

// command prepares the binary with nothing in its environment but what the replica has.
func (r *replica) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, r.binary, args...)
	cmd.Env = r.env
	cmd.Dir = filepath.Dir(r.log)
	cmd.SysProcAttr = childAttributes()
	return cmd
}

// start runs the server and returns how long it took to be ready.
func (r *replica) start(ctx context.Context) (time.Duration, error) {
	log, err := os.OpenFile(r.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { _ = log.Close() }() // the child has its own
	cmd := r.command(context.WithoutCancel(ctx), "serve")
	cmd.Stdout, cmd.Stderr = log, log
	began := time.Now()
	exited, err := startChild(cmd)
	if err != nil {
		return 0, err
	}
	r.mu.Lock()
	r.cmd, r.exited = cmd, exited
	r.mu.Unlock()
	return r.waitReady(ctx, began)
}

// startChild starts a process and returns what is closed when it is gone.
func startChild(cmd *exec.Cmd) (exited chan struct{}, err error) {
	exited, started := make(chan struct{}), make(chan error)
	go func() {
		// The kernel ends the child when the thread that started it ends, so the thread is kept.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in ProcessState
			close(exited)
		}
	}()
	return exited, <-started
}

func (r *replica) waitReady(ctx context.Context, began time.Time) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for {
		if r.ready(ctx) {
			return time.Since(began), nil
		}
		select {
		case <-r.exited:
			return 0, fmt.Errorf("replica %d ended: %s: %s", r.index, r.cmd.ProcessState, tail(r.log))
		case <-ctx.Done():
			return 0, fmt.Errorf("replica %d is not ready: %w: %s", r.index, ctx.Err(), tail(r.log))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

var probe = &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// ready asks once whether the replica says that it can serve.
func (r *replica) ready(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/readyz", nil)
	if err != nil {
		return false
	}
	answer, err := probe.Do(request)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// kill ends the process as a crash does, and waits until it is gone.
func (r *replica) kill() error {
	if err := r.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-r.exited
	return nil
}

func (r *replica) pause() error  { return r.signal(syscall.SIGSTOP) }
func (r *replica) resume() error { return r.signal(syscall.SIGCONT) }

// stop ends the process in order and returns how long that took.
func (r *replica) stop(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	if err := r.signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	select {
	case <-r.exited:
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(2 * stopWithin):
		return 0, errors.Join(fmt.Errorf("replica %d still runs %v after SIGTERM", r.index, 2*stopWithin), r.kill())
	}
	if code := r.cmd.ProcessState.ExitCode(); code != 0 {
		return 0, fmt.Errorf("replica %d ended with code %d: %s", r.index, code, tail(r.log))
	}
	return time.Since(began), nil
}

func (r *replica) signal(sig syscall.Signal) error {
	r.mu.Lock()
	cmd := r.cmd
	r.mu.Unlock()
	if cmd == nil {
		return fmt.Errorf("replica %d was never started", r.index)
	}
	if err := cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// running reports whether there is a process.
func (r *replica) running() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cmd == nil {
		return false
	}
	select {
	case <-r.exited:
		return false
	default:
		return true
	}
}

// close ends the process in any state; after that it can be started again.
func (r *replica) close() error {
	if !r.running() {
		return nil
	}
	return r.kill()
}

const tailBytes = 2000

// tail is the end of a log, for an error message.
func tail(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = file.Close() }()
	if size, err := file.Seek(0, io.SeekEnd); err == nil {
		_, _ = file.Seek(max(0, size-tailBytes), io.SeekStart)
	}
	text, err := io.ReadAll(io.LimitReader(file, tailBytes))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// freePort finds a port below those that the system gives to outgoing connections, so that
// it stays free while its server is down.
func freePort(ctx context.Context, pick func(int) int) (string, error) {
	const low, high = 30000, 32700
	for range 200 {
		addr := fmt.Sprintf("127.0.0.1:%d", low+pick(high-low))
		socket, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
		if err != nil {
			continue
		}
		return addr, socket.Close()
	}
	return "", errors.New("no free port is found")
}
