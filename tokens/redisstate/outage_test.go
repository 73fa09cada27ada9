package redisstate_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/engines"
	"github.com/signet-issuer/signet/tokens/redisstate"
)

// I37: while Redis is gone no caller waits, and what it has missed is there soon after.
func TestI37_Outages(t *testing.T) {
	faults := []struct {
		name        string
		begin, end  func(context.Context, *engines.Redis) error
		words       string
		keepsBefore bool
	}{
		{
			"killed", func(_ context.Context, r *engines.Redis) error { return r.Kill() },
			func(ctx context.Context, r *engines.Redis) error { return r.Restart(ctx) }, "cannot be reached", true,
		},
		{
			"restarted empty", func(_ context.Context, r *engines.Redis) error { return r.Kill() },
			func(ctx context.Context, r *engines.Redis) error { return r.Restart(ctx) }, "cannot be reached", false,
		},
		{
			"hung", func(_ context.Context, r *engines.Redis) error { return r.Pause() },
			func(_ context.Context, r *engines.Redis) error { return r.Resume() }, "does not answer in time", true,
		},
		{
			"flushed", func(ctx context.Context, r *engines.Redis) error { return ask(ctx, r, "FLUSHALL") },
			func(context.Context, *engines.Redis) error { return nil }, "", false,
		},
		{
			"read-only", func(ctx context.Context, r *engines.Redis) error { return ask(ctx, r, "REPLICAOF", "127.0.0.1", "1") },
			func(ctx context.Context, r *engines.Redis) error { return ask(ctx, r, "REPLICAOF", "NO", "ONE") }, "is a read-only replica", true,
		},
	}
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			args := []string{"--appendfsync", "always"}
			if !fault.keepsBefore {
				args = []string{"--appendonly", "no"}
			}
			r := ownRedis(t, args...)
			s, log := openAt(t, "redis://"+r.Addr())
			account, secretID := uuid.New(), uuid.New()
			s.Add(token(account, 0))
			written(t, s)
			if err := fault.begin(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			last := time.Time{}
			slow := 0
			for n := 1; n <= 300; n++ {
				begin := time.Now()
				last = begin
				s.Add(token(account, n))
				s.Touch(use(account, secretID, last))
				s.Allow(t.Context(), "key", 10, time.Minute)
				if time.Since(begin) > 20*time.Millisecond {
					slow++
				}
				time.Sleep(time.Millisecond)
			}
			// On a busy machine some wait for a processor.
			if slow > 10 {
				t.Errorf("%d of 300 callers waited", slow)
			}
			if report := s.Report(); fault.words != "" && !strings.Contains(report, "Redis "+fault.words) {
				t.Errorf("report: %s", report)
			}
			if err := fault.end(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			written(t, s)
			eventually(t, "the report is ok", func() bool { return s.Report() == "ok" })
			want := 300
			if fault.keepsBefore {
				want++
			}
			if got := len(jtis(t, s, account)); got != want || !seenAt(t, s, account).At.Equal(last.Truncate(time.Microsecond)) || s.Dropped() != 0 {
				t.Errorf("%d of %d records, last use %v of %v, %d dropped", got, want, seenAt(t, s, account).At, last, s.Dropped())
			}
			turns := 1
			if fault.words == "" {
				turns = 0
			}
			if log.count("level=WARN") != turns || log.count("written again") != turns {
				t.Errorf("the log tells more or less than the turns: %s", log)
			}
		})
	}
}

func ask(ctx context.Context, r *engines.Redis, args ...string) error {
	_, err := r.Do(ctx, args...)
	return err
}

// Redis that is not there when the server starts is no error, and is used once it is.
func TestI41_StartsWithoutRedis(t *testing.T) {
	for name, gone := range map[string]func(*engines.Redis) error{"absent": (*engines.Redis).Kill, "hung": (*engines.Redis).Pause} {
		t.Run(name, func(t *testing.T) {
			r := ownRedis(t)
			if err := gone(r); err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			s, _ := openAt(t, "redis://"+r.Addr(), checkEvery(50*time.Millisecond))
			if took := time.Since(begin); took > time.Second {
				t.Errorf("the start took %v", took)
			}
			if report := s.Report(); !strings.Contains(report, "Redis ") {
				t.Errorf("report: %s", report)
			}
			account := uuid.New()
			s.Add(token(account, 1))
			if _, err := s.List(t.Context(), account); !errors.Is(err, accounts.ErrUnavailable) {
				t.Errorf("List: %v", err)
			}
			if err := r.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			written(t, s)
			eventually(t, "the report is ok", func() bool { return s.Report() == "ok" })
		})
	}
}

// Readers are bounded however Redis hangs, also many of them at once.
func TestReadersAreBounded(t *testing.T) {
	r := ownRedis(t)
	s, _ := openAt(t, "redis://"+r.Addr())
	account := uuid.New()
	s.Add(token(account, 1))
	written(t, s)
	if err := r.Pause(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Resume(); err != nil {
			t.Error(err)
		}
	}()
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			begin := time.Now()
			_, listed := s.List(t.Context(), account)
			_, seen := s.Seen(t.Context(), []uuid.UUID{account})
			if took := time.Since(begin); took > 2*time.Second {
				t.Errorf("List and Seen took %v", took)
			}
			if !errors.Is(listed, accounts.ErrUnavailable) || !errors.Is(seen, accounts.ErrUnavailable) {
				t.Errorf("%v, %v", listed, seen)
			}
		})
	}
	group.Wait()
}

// D3: Redis's clock decides nothing: a key outlives its content by two days.
func TestHazardD3_KeysOutliveTheirContent(t *testing.T) {
	at, name := standalone(t), newPrefix()
	s, _ := openAt(t, at.url, patient, prefix(name))
	account := uuid.New()
	short := token(account, 2)
	short.ExpiresAt = short.IssuedAt.Add(time.Second)
	s.Add(token(account, 1))
	written(t, s)
	s.Add(short)
	s.Touch(use(account, uuid.New(), time.Now()))
	written(t, s)
	for kind, least := range map[string]time.Duration{"live": 47 * time.Hour, "uses": 71 * time.Hour} {
		seconds, err := strconv.Atoi(do(t, at.nodes[0], "TTL", name+":{"+account.String()+"}:"+kind))
		if err != nil || time.Duration(seconds)*time.Second < least {
			t.Errorf("%s lives for %d s, %v", kind, seconds, err)
		}
	}
}

// D45: a cancelled call must not leave its answer to the next: each value says whose it is,
// and whoever got another's would see nothing of its own.
func TestHazardD45_CancelledCalls(t *testing.T) {
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			s, _ := openAt(t, shape.servers(t).url, patient)
			ids := make([]uuid.UUID, 40)
			for i := range ids {
				ids[i] = uuid.New()
				s.Add(token(ids[i], i))
				s.Touch(use(ids[i], ids[i], time.Now()))
			}
			written(t, s)
			var group sync.WaitGroup
			for range 16 {
				group.Go(func() { cancelSome(t, s, ids) })
			}
			group.Wait()
		})
	}
}

func cancelSome(t *testing.T, s *redisstate.State, ids []uuid.UUID) {
	for range 60 {
		i := rand.IntN(len(ids))
		ctx, cancel := context.WithCancel(t.Context())
		if rand.IntN(10) == 0 {
			ctx, cancel = context.WithTimeout(ctx, rand.N(time.Millisecond))
		}
		live, err := s.List(ctx, ids[i])
		uses, usesErr := s.Seen(ctx, ids[i:i+1])
		cancel()
		if err == nil && (len(live) != 1 || live[0].AccountID != ids[i] || live[0].JTI != fmt.Sprintf("j%05d", i)) {
			t.Errorf("account %d is shown %v", i, live)
		}
		if usesErr == nil && (len(uses) != 1 || uses[0].AccountID != ids[i]) {
			t.Errorf("account %d is shown %v", i, uses)
		}
		s.Add(token(ids[i], i))
	}
}
