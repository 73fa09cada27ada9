package engines

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Superuser owns every PostgreSQL of this package; it needs no password.
const Superuser = "signet"

// Postgres is a PostgreSQL server of its own.
type Postgres struct {
	engine
	postgres string // the program
	data     string
	owner    *owner
	settings []string
}

// StartPostgres starts a server in the folder, a new one removed by Close when it is empty.
// Data of an earlier server there is taken up again. Settings are as "max_connections=50";
// fsync and synchronous_commit are on unless told otherwise. It wraps [ErrMissing] when
// PostgreSQL is not installed.
func StartPostgres(ctx context.Context, folder string, settings ...string) (*Postgres, error) {
	bin, err := postgresPrograms()
	if err != nil {
		return nil, err
	}
	as, err := serverOwner()
	if err != nil {
		return nil, err
	}
	path, own, err := home(folder)
	if err != nil {
		return nil, err
	}
	p := &Postgres{
		engine:   engine{name: "PostgreSQL", folder: path, own: own, finish: syscall.SIGINT},
		postgres: filepath.Join(bin, "postgres"), data: filepath.Join(path, "postgres"), owner: as,
		settings: settings,
	}
	p.command, p.ready, p.clear = p.serverCommand, p.answers, p.clearLeftovers
	err = p.initialize(ctx, filepath.Join(bin, "initdb"))
	if err == nil {
		err = p.startSomewhere(ctx)
	}
	if err != nil && own {
		err = errors.Join(err, os.RemoveAll(path))
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// URL names a database for a client.
func (p *Postgres) URL(database string) string {
	return "postgres://" + Superuser + "@" + p.Addr() + "/" + database + "?sslmode=disable"
}

// CreateDatabase makes an empty database.
func (p *Postgres) CreateDatabase(ctx context.Context, name string) error {
	return p.Exec(ctx, "postgres", "CREATE DATABASE "+quoted(name)+" TEMPLATE template0")
}

// DropDatabase removes a database, with the connections that are open to it.
func (p *Postgres) DropDatabase(ctx context.Context, name string) error {
	return p.Exec(ctx, "postgres", "DROP DATABASE "+quoted(name)+" WITH (FORCE)")
}

// Exec runs statements in a database, as one transaction.
func (p *Postgres) Exec(ctx context.Context, database, sql string) error {
	_, err := p.Query(ctx, database, sql)
	return err
}

// Query runs a statement and returns its first row as text, nil when there is none.
func (p *Postgres) Query(ctx context.Context, database, sql string) ([]string, error) {
	return query(ctx, p.Addr(), database, sql)
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// postgresPrograms finds the folder with postgres and initdb, which distributions keep out of
// the PATH, one for each version.
func postgresPrograms() (string, error) {
	if err := supported(); err != nil {
		return "", err
	}
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if found, err := filepath.EvalSymlinks(initdb); err == nil && isFile(filepath.Join(filepath.Dir(found), "postgres")) {
			return filepath.Dir(found), nil
		}
	}
	var newest string
	version := -1
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	for _, initdb := range found {
		bin := filepath.Dir(initdb)
		number, err := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
		if err == nil && number > version && isFile(filepath.Join(bin, "postgres")) {
			newest, version = bin, number
		}
	}
	if newest == "" {
		return "", missing("PostgreSQL", "postgresql")
	}
	return newest, nil
}

func missing(program, debian string) error {
	return fmt.Errorf("%w: install %s (build/engines.sh does, or the Debian package %s)", ErrMissing, program, debian)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// initialize makes the data folder, unless an earlier server has.
func (p *Postgres) initialize(ctx context.Context, initdb string) error {
	if err := openWay(p.folder, p.owner); err != nil {
		return err
	}
	if err := os.Mkdir(p.data, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if p.owner != nil {
		if err := os.Chown(p.data, p.owner.uid, p.owner.gid); err != nil {
			return err
		}
	}
	if isFile(filepath.Join(p.data, "PG_VERSION")) {
		return nil
	}
	command := exec.CommandContext(ctx, initdb, "--pgdata", p.data, "--username", Superuser,
		"--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	command.SysProcAttr, command.Env, command.Dir = attributes(p.owner), environment(), p.data
	runtime.LockOSThread() // as in launch
	defer runtime.UnlockOSThread()
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w:\n%s", err, output)
	}
	return nil
}

func (p *Postgres) serverCommand(port int) *exec.Cmd {
	settings := slices.Concat([]string{
		"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(port), "unix_socket_directories=",
		"fsync=on", "synchronous_commit=on", "shared_buffers=16MB",
		"dynamic_shared_memory_type=mmap", // in the data folder, where a killed server leaves nothing elsewhere
	}, p.settings)
	arguments := []string{"-D", p.data}
	for _, setting := range settings {
		arguments = append(arguments, "-c", setting)
	}
	command := exec.Command(p.postgres, arguments...) //nolint:noctx // it lives until it is told to end
	command.SysProcAttr, command.Env, command.Dir = attributes(p.owner), environment(), p.data
	return command
}

// answers makes sure that it is this server that answers, not a stranger on its port.
func (p *Postgres) answers(ctx context.Context) error {
	row, err := p.Query(ctx, "postgres", "SHOW data_directory")
	if err != nil {
		return err
	}
	if len(row) != 1 || row[0] != p.data {
		return errors.New("another server answers on the port")
	}
	return nil
}

// clearLeftovers waits for the backends of a killed server, and removes its lock file when
// another process has got its number: PostgreSQL would take that one for the server.
func (p *Postgres) clearLeftovers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopGrace)
	defer cancel()
	for {
		left, err := workingIn(p.data)
		if err != nil {
			return err
		}
		if len(left) == 0 {
			break
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("processes %v still work in the data folder: %w", left, err)
		}
	}
	lock, err := p.readLock()
	if err != nil || len(lock) == 0 {
		return err
	}
	if pid, err := strconv.Atoi(lock[0]); err == nil && runs(pid) {
		return os.Remove(p.lockFile())
	}
	return nil
}

func (p *Postgres) lockFile() string { return filepath.Join(p.data, "postmaster.pid") }

// readLock returns the lines of the lock file, none when the server has ended in good order.
func (p *Postgres) readLock() ([]string, error) {
	text, err := os.ReadFile(p.lockFile())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return strings.Split(string(text), "\n"), err
}

// segmentLine is the line of the lock file with the key and the id of a shared memory
// segment, which the kernel keeps for a killed server until it is removed.
const segmentLine = 6

// Close ends the server in good order, and removes its folder if none was given.
func (p *Postgres) Close() error {
	if !p.current().ended() {
		return p.engine.Close()
	}
	lock, err := p.readLock()
	if err == nil && len(lock) > segmentLine {
		if fields := strings.Fields(lock[segmentLine]); len(fields) == 2 {
			err = removeSegment(fields[1])
		}
	}
	return errors.Join(err, p.engine.Close())
}

// openWay makes a folder reachable for the server's user. Folders of tests are closed to
// others, so those beneath the temporary one are opened for passing through.
func openWay(folder string, as *owner) error {
	if as == nil {
		return nil
	}
	temporary, err := filepath.Abs(os.TempDir())
	if err != nil {
		return err
	}
	for at := folder; at != filepath.Dir(at); at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o001 != 0 {
			continue
		}
		if !strings.HasPrefix(at, temporary+string(filepath.Separator)) {
			return fmt.Errorf("the user postgres cannot pass %s", at)
		}
		if err := os.Chmod(at, info.Mode().Perm()|0o011); err != nil {
			return err
		}
	}
	return nil
}
