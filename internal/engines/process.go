package engines

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	// stopGrace is how long a server may take to end in good order.
	stopGrace = 10 * time.Second
	// outputGrace is how long a child of a dead server may hold its output open.
	outputGrace = 2 * time.Second
)

// process is a running child with all the processes that it has made.
type process struct {
	child  *os.Process
	done   chan struct{} // closed when the child has been waited for
	output *tail

	mu      sync.Mutex
	release func() error // ends the guard of a pause; nil while it runs
}

// launch starts a child that is killed when this process ends.
func launch(command *exec.Cmd) (*process, error) {
	adoptOrphans()
	p := &process{done: make(chan struct{}), output: &tail{}}
	command.Stdout, command.Stderr = p.output, p.output
	command.WaitDelay = outputGrace
	started := make(chan error)
	go func() {
		// The kernel kills the child when the thread that started it ends, so the thread is kept.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := command.Start()
		p.child = command.Process
		started <- err
		if err == nil {
			_ = command.Wait() // how a server ended shows in its output
			close(p.done)
		}
	}()
	return p, <-started
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// pause stops the whole tree, so that connections stay open and nothing answers.
func (p *process) pause() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.release != nil {
		return nil
	}
	if p.ended() {
		return os.ErrProcessDone
	}
	pids, err := freeze(p.child.Pid)
	if err != nil {
		return err
	}
	p.release, err = guard(pids)
	return err
}

func (p *process) resume() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended() {
		return nil
	}
	err := thaw(p.child.Pid)
	return errors.Join(err, p.unguard())
}

func (p *process) unguard() error {
	if p.release == nil {
		return nil
	}
	release := p.release
	p.release = nil
	return release()
}

// kill ends the whole tree at one instant, as a loss of power does, and waits until it is gone.
func (p *process) kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended() {
		return nil
	}
	pids, err := freeze(p.child.Pid)
	if err != nil && !p.ended() {
		pids = append(pids, p.child.Pid) // what cannot be stopped can still be killed
	}
	killed := slay(pids)
	<-p.done
	reap(slices.DeleteFunc(pids, func(pid int) bool { return pid == p.child.Pid }))
	return errors.Join(killed, p.unguard())
}

// stop ends the child in good order, or kills it when it does not follow in time.
func (p *process) stop(ask syscall.Signal) error {
	if err := p.resume(); err != nil {
		return err
	}
	if err := p.child.Signal(ask); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(stopGrace):
		return p.kill()
	}
}

// tail keeps the end of what a server prints.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailBytes = 16 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if surplus := len(t.text) - tailBytes; surplus > 0 {
		t.text = t.text[surplus:]
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
