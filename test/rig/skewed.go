package main

import (
	"context"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

//go:embed testdata/clock.c
var clockSource []byte

// skewedRedis is a Redis whose wall clock can be moved. libfaketime breaks Debian's Redis, so
// a preload of the rig's own stands between it and the clock; it needs a C compiler.
type skewedRedis struct {
	addr string
	file string // has the seconds that the clock is ahead
	cmd  *exec.Cmd
	done chan struct{}
}

func startSkewedRedis(ctx context.Context, folder string) (*skewedRedis, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	library, err := buildClock(ctx, folder)
	if err != nil {
		return nil, err
	}
	r := &skewedRedis{file: filepath.Join(folder, "ahead")}
	if err := os.WriteFile(r.file, make([]byte, 8), 0o600); err != nil {
		return nil, err
	}
	if r.addr, err = freePort(ctx, mathrand.IntN); err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(r.addr)
	if err != nil {
		return nil, err
	}
	r.cmd = exec.CommandContext(context.WithoutCancel(ctx), "redis-server", "--port", port, "--bind", "127.0.0.1",
		"--dir", folder, "--save", "", "--maxmemory-policy", "noeviction")
	r.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LD_PRELOAD=" + library, "RIG_CLOCK_FILE=" + r.file}
	r.cmd.SysProcAttr = childAttributes()
	if r.done, err = startChild(r.cmd); err != nil {
		return nil, err
	}
	if _, err := r.now(ctx); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func buildClock(ctx context.Context, folder string) (string, error) {
	source, library := filepath.Join(folder, "clock.c"), filepath.Join(folder, "clock.so")
	if err := os.WriteFile(source, clockSource, 0o600); err != nil {
		return "", err
	}
	output, err := exec.CommandContext(ctx, "cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the clock: %w: %s", err, output)
	}
	return library, nil
}

// jump moves the clock of Redis, and makes sure that Redis has noticed.
func (r *skewedRedis) jump(ctx context.Context, by time.Duration) error {
	file, err := os.OpenFile(r.file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	err = binary.Write(file, binary.NativeEndian, int64(by/time.Second))
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	now, err := r.now(ctx)
	if err != nil {
		return err
	}
	if ahead := time.Until(now); ahead < by-time.Minute {
		return fmt.Errorf("the clock of Redis is %v ahead, want %v", ahead, by)
	}
	return nil
}

// now asks Redis for its time, as soon as it answers.
func (r *skewedRedis) now(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for {
		at, err := askTime(ctx, r.addr)
		if err == nil {
			return at, nil
		}
		if sleep(ctx, 10*time.Millisecond); ctx.Err() != nil {
			return time.Time{}, err
		}
	}
}

func askTime(ctx context.Context, addr string) (time.Time, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return time.Time{}, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return time.Time{}, err
	}
	if _, err := conn.Write([]byte("TIME\r\n")); err != nil {
		return time.Time{}, err
	}
	buffer := make([]byte, 128)
	n, err := conn.Read(buffer)
	if err != nil {
		return time.Time{}, err
	}
	lines := strings.Split(string(buffer[:n]), "\r\n") // *2, $10, seconds, …
	if len(lines) < 3 {
		return time.Time{}, fmt.Errorf("TIME answered %q", buffer[:n])
	}
	seconds, err := strconv.ParseInt(lines[2], 10, 64)
	return time.Unix(seconds, 0), err
}

func (r *skewedRedis) close() error {
	err := r.cmd.Process.Kill()
	<-r.done
	if errors.Is(err, os.ErrProcessDone) {
		return errors.New("the Redis with the moved clock ended by itself")
	}
	return err
}
