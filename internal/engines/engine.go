package engines

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrMissing says that a program is not installed here.
var ErrMissing = errors.New("a server for the tests is missing")

var errPortTaken = errors.New("the port was taken meanwhile")

// Ports lie below those that the kernel gives to outgoing connections, so that a server finds
// its own free when it is started again, and leave room for the bus of a cluster, 10000 above.
const (
	firstPort = 10000
	lastPort  = 19999
	busOffset = 10000
	portTries = 100
)

const (
	readyLimit = 60 * time.Second // crash recovery included
	readyPoll  = 5 * time.Millisecond
	// answerLimit bounds one look whether a server is ready.
	answerLimit = 2 * time.Second
)

// engine is a server that keeps its port and its data from one start to the next.
type engine struct {
	name    string
	folder  string
	own     bool // the folder was made here and goes with the engine
	port    int
	finish  syscall.Signal                  // asks it to end in good order
	command func(port int) *exec.Cmd        // how it is started
	ready   func(context.Context) error     // nil once it is this very server that serves
	clear   func(ctx context.Context) error // takes away what a killed one has left; may be nil

	mu      sync.Mutex
	process *process
}

// Addr is the server's host and port, the same for its whole life.
func (e *engine) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(e.port)) }

// Kill ends all the server's processes at once, by SIGKILL.
func (e *engine) Kill() error { return e.current().kill() }

// Pause stops all the server's processes: it accepts connections and answers nothing.
func (e *engine) Pause() error { return e.current().pause() }

// Resume lets a paused server run on.
func (e *engine) Resume() error { return e.current().resume() }

// Restart starts the server again on its port and data, after an orderly end if it still
// runs. It returns when the server serves.
func (e *engine) Restart(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.process.stop(e.finish); err != nil {
		return err
	}
	for {
		err := e.start(ctx)
		if !errors.Is(err, errPortTaken) {
			return err
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// Close ends the server in good order, and removes its folder if none was given.
func (e *engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	err := e.process.stop(e.finish)
	if e.own {
		err = errors.Join(err, os.RemoveAll(e.folder))
	}
	return err
}

func (e *engine) current() *process {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.process
}

// startSomewhere starts the server for the first time, on a port that is free.
func (e *engine) startSomewhere(ctx context.Context) error {
	for range portTries {
		port, err := freePort(ctx)
		if err != nil {
			return err
		}
		e.port = port
		if err := e.start(ctx); !errors.Is(err, errPortTaken) {
			return err
		}
	}
	return errPortTaken
}

func (e *engine) start(ctx context.Context) error {
	if e.clear != nil {
		if err := e.clear(ctx); err != nil {
			return err
		}
	}
	started, err := launch(e.command(e.port))
	if err != nil {
		return fmt.Errorf("start %s: %w", e.name, err)
	}
	e.process = started
	if err := e.awaitReady(ctx); err != nil {
		return errors.Join(err, started.kill())
	}
	return nil
}

func (e *engine) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	for {
		one, cancel := context.WithTimeout(ctx, answerLimit)
		answer := e.ready(one)
		cancel()
		if answer == nil {
			return nil
		}
		if e.process.ended() {
			output := e.process.output.String()
			if strings.Contains(output, "Address already in use") {
				return fmt.Errorf("%s: %w", e.name, errPortTaken)
			}
			return fmt.Errorf("%s has ended:\n%s", e.name, output)
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("%s is not ready: %w: %w:\n%s", e.name, err, answer, e.process.output)
		}
	}
}

// pause waits a moment before the next look.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(readyPoll):
		return nil
	}
}

func freePort(ctx context.Context) (int, error) {
	for range portTries {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		if free(ctx, port) && free(ctx, port+busOffset) {
			return port, nil
		}
	}
	return 0, errors.New("no free port on loopback")
}

func free(ctx context.Context, port int) bool {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	return err == nil && listener.Close() == nil
}

// home makes the folder of an engine, a new one when none is given.
func home(folder string) (path string, own bool, err error) {
	if folder == "" {
		removeForgotten()
		path, err = os.MkdirTemp("", folderName)
		return path, true, err
	}
	if path, err = filepath.Abs(folder); err != nil {
		return "", false, err
	}
	return path, false, os.MkdirAll(path, 0o700)
}

const (
	folderName = "signet-engine-"
	// forgottenAfter is longer than any run of tests or rigs.
	forgottenAfter = 24 * time.Hour
)

// removeForgotten removes the folders of runs that were killed before they could.
func removeForgotten() {
	folders, err := filepath.Glob(filepath.Join(os.TempDir(), folderName+"*"))
	if err != nil {
		return // of a bad pattern: the temporary folder has a strange name
	}
	for _, folder := range folders {
		if info, err := os.Stat(folder); err == nil && time.Since(info.ModTime()) > forgottenAfter {
			_ = os.RemoveAll(folder) // another user's stays
		}
	}
}

// environment is all that a server is told by variables: nothing of the developer's own.
func environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
}
