package engines

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Redis is a Redis server of its own, or one Sentinel.
type Redis struct {
	engine
	program string
	conf    string // the file that CONFIG REWRITE writes to, so that a new role outlives a restart
	mode    []string
	args    []string
}

// StartRedis starts a server in the folder, a new one removed by Close when it is empty. It
// evicts nothing and appends every write to a file, synced each second, unless the arguments,
// as "--maxmemory", "8mb", say otherwise. It wraps [ErrMissing] when Redis is not installed.
func StartRedis(ctx context.Context, folder string, args ...string) (*Redis, error) {
	return startRedis(ctx, folder, nil, args...)
}

// startRedis begins with the lines of conf, which the server may rewrite.
func startRedis(ctx context.Context, folder string, conf []string, args ...string) (*Redis, error) {
	r, err := newRedis(folder, "Redis", conf)
	if err != nil {
		return nil, err
	}
	r.args = append([]string{
		"--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
		"--maxmemory-policy", "noeviction", "--shutdown-timeout", "0",
	}, args...)
	return r.begin(ctx)
}

// startSentinel starts a watcher of the masters that conf names.
func startSentinel(ctx context.Context, folder string, conf []string) (*Redis, error) {
	r, err := newRedis(folder, "Sentinel", conf)
	if err != nil {
		return nil, err
	}
	r.mode = []string{"--sentinel"}
	return r.begin(ctx)
}

func newRedis(folder, name string, conf []string) (*Redis, error) {
	if err := supported(); err != nil {
		return nil, err
	}
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, missing("Redis", "redis-server")
	}
	path, own, err := home(folder)
	if err != nil {
		return nil, err
	}
	r := &Redis{
		engine:  engine{name: name, folder: path, own: own, finish: syscall.SIGTERM},
		program: program, conf: filepath.Join(path, "redis.conf"),
	}
	r.engine.command, r.ready = r.serverCommand, r.answers
	if isFile(r.conf) {
		return r, nil
	}
	return r, os.WriteFile(r.conf, []byte(strings.Join(conf, "\n")+"\n"), 0o600)
}

func (r *Redis) begin(ctx context.Context) (*Redis, error) {
	err := r.startSomewhere(ctx)
	if err != nil && r.own {
		err = errors.Join(err, os.RemoveAll(r.folder))
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Redis) serverCommand(port int) *exec.Cmd {
	arguments := slices.Concat([]string{r.conf}, r.mode, []string{
		"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--protected-mode", "yes",
		"--daemonize", "no", "--dir", r.folder,
	}, r.args)
	command := exec.Command(r.program, arguments...) //nolint:noctx // it lives until it is told to end
	command.SysProcAttr, command.Env, command.Dir = attributes(nil), environment(), r.folder
	return command
}

// Do sends one command. An array comes back one element a line, a null as nothing.
func (r *Redis) Do(ctx context.Context, args ...string) (string, error) {
	return command(ctx, r.Addr(), args)
}

// answers makes sure that it is this server that answers, and that it has read its data.
func (r *Redis) answers(ctx context.Context) error {
	about, err := r.Do(ctx, "INFO", "server")
	if refused, ok := errors.AsType[redisError](err); ok && strings.HasPrefix(string(refused), "NOAUTH") {
		return nil // it was given a password, so it is not a stranger
	}
	if err != nil {
		return err
	}
	if !strings.Contains(about, fmt.Sprintf("\nprocess_id:%d\r", r.process.child.Pid)) {
		return errors.New("another server answers on the port")
	}
	_, err = r.Do(ctx, "PING")
	return err
}
