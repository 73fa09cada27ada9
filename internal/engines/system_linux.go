package engines

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// settleLimit bounds how long stopped or killed processes may take to be so.
	settleLimit = 2 * time.Second
	settlePoll  = time.Millisecond
)

// supported reports whether servers can be run on this system.
func supported() error { return nil }

// owner is who a server runs as; nil is whoever runs this process.
type owner struct{ uid, gid int }

// serverOwner names the user for PostgreSQL, which refuses to run as root.
func serverOwner() (*owner, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	found, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("%w: root needs the user postgres to run it: %w", ErrMissing, err)
	}
	uid, err := strconv.Atoi(found.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(found.Gid)
	if err != nil {
		return nil, err
	}
	return &owner{uid: uid, gid: gid}, nil
}

// attributes keep a terminal's interrupt from the child and kill it when its starter ends.
func attributes(as *owner) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if as != nil {
		attr.Credential = &syscall.Credential{Uid: uint32(as.uid), Gid: uint32(as.gid)}
	}
	return attr
}

// adoptOrphans makes the children of a killed server ours, so that they can be waited for
// even where process 1 waits for nobody.
var adoptOrphans = sync.OnceFunc(func() {
	const setChildSubreaper = 36
	// Where the kernel refuses, process 1 gets them as always.
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0)
})

// entry is a line of the process table.
type entry struct {
	pid, parent int
	state       byte
}

func (e entry) stopped() bool { return e.state == 'T' || e.state == 't' }
func (e entry) dead() bool    { return e.state == 'Z' || e.state == 'X' }

// tree lists a process and its descendants, parents first. PostgreSQL's backends are found by
// their parents alone, as each leads a process group of its own.
func tree(root int) ([]entry, error) {
	names, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	children := make(map[int][]entry)
	var found []entry
	for _, name := range names {
		e, ok := readEntry(name.Name())
		switch {
		case !ok:
		case e.pid == root:
			found = append(found, e)
		default:
			children[e.parent] = append(children[e.parent], e)
		}
	}
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i].pid]...)
	}
	return found, nil
}

func readEntry(name string) (entry, bool) {
	pid, err := strconv.Atoi(name)
	if err != nil {
		return entry{}, false
	}
	text, err := os.ReadFile("/proc/" + name + "/stat")
	if err != nil {
		return entry{}, false // it has ended meanwhile
	}
	// The name of the program stands in parentheses and may hold anything.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 2 {
		return entry{}, false
	}
	parent, err := strconv.Atoi(fields[1])
	return entry{pid: pid, parent: parent, state: fields[0][0]}, err == nil
}

// freeze stops a tree and returns its processes, the dead that nobody has waited for
// included, once none of them runs.
func freeze(root int) ([]int, error) {
	deadline := time.Now().Add(settleLimit)
	for {
		entries, err := tree(root)
		if err != nil {
			return nil, err
		}
		var pids []int
		running := false
		for _, e := range entries {
			pids = append(pids, e.pid)
			if !e.stopped() && !e.dead() {
				running = true
				if err := send(e.pid, syscall.SIGSTOP); err != nil {
					return pids, err
				}
			}
		}
		if !running {
			return pids, nil
		}
		if time.Now().After(deadline) {
			return pids, fmt.Errorf("process %d does not stop", root)
		}
		time.Sleep(settlePoll)
	}
}

// thaw lets a tree run on, children first.
func thaw(root int) error {
	entries, err := tree(root)
	if err != nil {
		return err
	}
	for _, e := range slices.Backward(entries) {
		if err := send(e.pid, syscall.SIGCONT); err != nil {
			return err
		}
	}
	return nil
}

func slay(pids []int) error {
	var failed []error
	for _, pid := range pids {
		failed = append(failed, send(pid, syscall.SIGKILL))
	}
	return errors.Join(failed...)
}

// reap waits for killed processes that have become our children.
func reap(pids []int) {
	deadline := time.Now().Add(settleLimit)
	for _, pid := range pids {
		for time.Now().Before(deadline) {
			got, err := syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
			if got == pid || err != nil && !errors.Is(err, syscall.EINTR) {
				break // it is gone, or somebody else's
			}
			time.Sleep(settlePoll)
		}
	}
}

func send(pid int, signal syscall.Signal) error {
	if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal %v to process %d: %w", signal, pid, err)
	}
	return nil
}

// guard starts a watcher that kills the stopped processes should this process end without
// resuming them: a stopped backend does not notice that its server is gone.
func guard(pids []int) (release func() error, err error) {
	arguments := []string{"-c", `read -r _; kill -9 "$@"`, "sh"}
	for _, pid := range pids {
		arguments = append(arguments, strconv.Itoa(pid))
	}
	watcher := exec.Command("sh", arguments...) //nolint:noctx // it must outlive whatever the pause belongs to
	watcher.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if _, err := watcher.StdinPipe(); err != nil { // it closes when this process ends
		return nil, err
	}
	if err := watcher.Start(); err != nil {
		return nil, err
	}
	return func() error {
		err := watcher.Process.Kill()
		_ = watcher.Wait() // it was killed
		return err
	}, nil
}

// workingIn lists the processes whose working folder is the given one, as a server's is its data.
func workingIn(folder string) ([]int, error) {
	names, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var found []int
	for _, name := range names {
		e, ok := readEntry(name.Name())
		if !ok || e.dead() {
			continue
		}
		if at, err := os.Readlink("/proc/" + name.Name() + "/cwd"); err == nil && at == folder {
			found = append(found, e.pid)
		}
	}
	return found, nil
}

// removeSegment removes a shared memory segment by its id.
func removeSegment(id string) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	if output, err := exec.CommandContext(ctx, "ipcrm", "-m", id).CombinedOutput(); err != nil {
		return fmt.Errorf("remove shared memory segment %s: %w: %s", id, err, output)
	}
	return nil
}

// runs tells whether there is a process of this number.
func runs(pid int) bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
