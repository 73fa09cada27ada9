package redisstate_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/tokens/redisstate"
)

// fake answers every command as it is told.
func fake(t *testing.T, answer func(command []string) string) (addr string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		group.Wait()
	})
	group.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			group.Go(func() { serve(conn, answer) })
		}
	})
	return listener.Addr().String()
}

func serve(conn net.Conn, answer func([]string) string) {
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second)) // longer than any test
	in := bufio.NewReader(conn)
	for {
		command, err := readCommand(in)
		if err != nil {
			return
		}
		text := answer(command)
		if text == "" {
			return
		}
		if _, err := io.WriteString(conn, text); err != nil {
			return
		}
	}
}

func readCommand(in *bufio.Reader) ([]string, error) {
	count, err := readNumber(in, '*')
	if err != nil {
		return nil, err
	}
	command := make([]string, count)
	for i := range command {
		length, err := readNumber(in, '$')
		if err != nil {
			return nil, err
		}
		text := make([]byte, length+2)
		if _, err := io.ReadFull(in, text); err != nil {
			return nil, err
		}
		command[i] = string(text[:length])
	}
	return command, nil
}

func readNumber(in *bufio.Reader, kind byte) (int, error) {
	line, err := in.ReadString('\n')
	if err != nil || line[0] != kind {
		return 0, errors.Join(err, errors.New("not a command"))
	}
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}

func bulk(text string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text) }

// about answers INFO and HELLO as a server of the version does, and everything else by rest.
func about(version, rest string) func([]string) string {
	return func(command []string) string {
		switch strings.ToLower(command[0]) {
		case "hello":
			return "*0\r\n"
		case "info":
			return bulk("# Section\r\nredis_version:" + version + "\r\nmaxmemory_policy:noeviction\r\nrole:master\r\n")
		}
		return rest
	}
}

// F10: whatever Redis answers, nobody waits, nothing breaks, and the report says what it is
// without repeating a word of the answer.
func TestF10_HostileAnswers(t *testing.T) {
	const canary = "hunter2"
	tests := []struct{ name, answer, words string }{
		{"read-only", "-READONLY You can't write against a hunter2 replica.\r\n", "is a read-only replica"},
		{"loading", "-LOADING Redis is loading hunter2\r\n", "is loading its data"},
		{"full", "-OOM command not allowed hunter2\r\n", "is full"},
		{"no rights", "-NOPERM this user hunter2 has no permissions\r\n", "rights"},
		{"no password", "-NOAUTH Authentication required hunter2.\r\n", "demands a user"},
		{"moved", "-MOVED 3999 127.0.0.1:1\r\n", "cluster in motion"},
		{"ask", "-ASK 3999 127.0.0.1:1\r\n", "cluster in motion"},
		{"cluster down", "-CLUSTERDOWN hunter2\r\n", "cluster that is not complete"},
		{"master down", "-MASTERDOWN hunter2\r\n", "lost its master"},
		{"disk", "-MISCONF hunter2\r\n", "cannot save"},
		{"unknown code", "-hunter2 what?\r\n", "refuses what it is asked"},
		{"no code", "-\r\n", ""},
		{"number", ":7\r\n", ""},
		{"status", "+OK\r\n", ""},
		{"nothing", "$-1\r\n", ""},
		{"no array", "*-1\r\n", ""},
		{"nested", "*1\r\n*1\r\n*1\r\n$7\r\nhunter2\r\n", ""},
		{"huge length", "$9223372036854775807\r\nhunter2", ""},
		{"negative length", "$-7\r\nhunter2\r\n", ""},
		{"huge array", "*2147483647\r\nhunter2", ""},
		{"text", "HTTP/1.1 400 hunter2\r\n\r\n", ""},
		{"binary", "\x00\xff\x16\x03\x01hunter2\r\n", ""},
		{"end", "", "cannot be reached"},
	}
	for _, tt := range tests {
		for _, greeting := range []string{"knows us", "garbage at once"} {
			t.Run(tt.name+", "+greeting, func(t *testing.T) {
				answer := func([]string) string { return tt.answer }
				if greeting == "knows us" {
					answer = about("7.0.15", tt.answer)
				}
				for _, form := range []string{"redis://u:hunter2@%s", "redis+cluster://u:hunter2@%s"} {
					report, log := hostile(t, fmt.Sprintf(form, fake(t, answer)))
					if greeting == "knows us" && form[5] == ':' && !strings.Contains(report, tt.words) {
						t.Errorf("report %q does not say %q", report, tt.words)
					}
					if strings.Contains(report+log, canary) {
						t.Errorf("the answer or the password is repeated: %s, %s", report, log)
					}
				}
			})
		}
	}
}

// hostile uses a state in every way and returns what it then says.
func hostile(t *testing.T, url string) (report, log string) {
	t.Helper()
	s, lines := openAt(t, url, func(cfg *redisstate.Config) { cfg.AskTimeout = 40 * time.Millisecond })
	account := uuid.New()
	begin := time.Now()
	for n := range 10 {
		s.Add(token(account, n))
		s.Touch(use(account, account, begin))
		s.Allow(t.Context(), "key", 100, time.Minute)
	}
	if took := time.Since(begin); took > 500*time.Millisecond {
		t.Errorf("callers waited for %v", took)
	}
	_, listed := s.List(t.Context(), account)
	_, seen := s.Seen(t.Context(), []uuid.UUID{account})
	_, swept := s.Sweep(t.Context())
	for _, err := range []error{listed, seen, swept, s.Forget(t.Context(), account, "j"), s.Erase(t.Context(), []uuid.UUID{uuid.New()})} {
		if err != nil && !errors.Is(err, accounts.ErrUnavailable) {
			t.Error(err)
		}
		if err != nil {
			log += err.Error()
		}
	}
	time.Sleep(10 * time.Millisecond)
	report = s.Report()
	ended, end := context.WithCancel(t.Context())
	end()
	if err := s.Close(ended); err != nil {
		log += err.Error()
	}
	return report, log + lines.String()
}

func TestOldServerIsRefused(t *testing.T) {
	for _, version := range []string{"6.2.14", "5.0.3", "2.8.24"} {
		s, err := redisstate.Open(t.Context(), redisstate.Config{URL: secret.New("redis://" + fake(t, about(version, "+OK\r\n")))})
		if err == nil {
			_ = s.Close(t.Context())
			t.Errorf("%s is accepted", version)
			continue
		}
		if want := "the server is Redis " + version + ": 7.0 or newer, or Valkey, is needed"; !strings.Contains(err.Error(), want) {
			t.Errorf("%v", err)
		}
	}
	valkey := func(command []string) string {
		if command[0] == "info" {
			return bulk("redis_version:6.9\r\nvalkey_version:8.1.1\r\nmaxmemory_policy:noeviction\r\n")
		}
		return "*0\r\n"
	}
	for _, answer := range []func([]string) string{about("7.0.0", "+OK\r\n"), about("8.2", "+OK\r\n"), about("10.0.1", "+OK\r\n"), valkey} {
		if s, _ := openAt(t, "redis://"+fake(t, answer)); s.Report() != "ok" {
			t.Errorf("report: %s", s.Report())
		}
	}
}

// A server that turns out to be old is not used: the state stays in memory.
func TestOldServerLater(t *testing.T) {
	var mu sync.Mutex
	version := "7.0.15"
	set := func(to string) {
		mu.Lock()
		defer mu.Unlock()
		version = to
	}
	addr := fake(t, func(command []string) string {
		mu.Lock()
		defer mu.Unlock()
		return about(version, ":1\r\n")(command)
	})
	s, log := openAt(t, "redis://"+addr, checkEvery(20*time.Millisecond))
	set("6.0.1")
	eventually(t, "it is told", func() bool { return log.count("level=ERROR") >= 2 && strings.Contains(s.Report(), "Redis 6.0.1") })
	s.Add(token(uuid.New(), 1))
	if _, err := s.List(t.Context(), uuid.New()); !errors.Is(err, accounts.ErrUnavailable) {
		t.Errorf("List: %v", err)
	}
	time.Sleep(50 * time.Millisecond)
	if s.Waiting() != 1 {
		t.Error("a record was sent")
	}
	set("7.2.0")
	written(t, s)
	eventually(t, "the report is ok", func() bool { return s.Report() == "ok" })
}
