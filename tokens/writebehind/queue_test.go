package writebehind_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/writebehind"
)

var errGone = errors.New("gone")

// place is where a queue writes: it takes so much of each batch as it is told.
type place struct {
	mu    sync.Mutex
	takes func(jti string) bool // nil: everything
	live  []string
	tries int
	log   bytes.Buffer
}

func (p *place) write(_ context.Context, b *writebehind.Batch) (*writebehind.Batch, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tries++
	left := writebehind.NewBatch(max(b.Size(), 1))
	for _, token := range b.Live {
		if p.takes != nil && !p.takes(token.JTI) {
			left.Add(token)
			continue
		}
		p.live = append(p.live, token.JTI)
	}
	if left.Size() > 0 {
		return &left, errGone
	}
	return nil, nil
}

func (p *place) set(takes func(string) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.takes = takes
}

// written lists what was written, after so many tries.
func (p *place) written() (live []string, tries int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.live), p.tries
}

func (p *place) start() *writebehind.Queue {
	return writebehind.Start(writebehind.Config{
		Limit: 10, Pause: 50 * time.Millisecond, MaxBackoff: time.Second, Write: p.write,
		Log: slog.New(slog.NewTextHandler(&p.log, nil)),
	})
}

func nothing(string) bool { return false }

// What was written of a batch that failed is not written again.
func TestWhatIsLeftIsQueuedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{takes: func(jti string) bool { return jti != "stuck" }}
		q := p.start()
		for _, jti := range []string{"a", "stuck", "b"} {
			q.Add(tokens.LiveToken{JTI: jti})
		}
		time.Sleep(10 * time.Second)
		if live, _ := p.written(); !slices.Equal(live, []string{"a", "b"}) || q.Waiting() != 1 {
			t.Errorf("written %v, %d wait", p.live, q.Waiting())
		}
		p.set(nil)
		time.Sleep(2 * time.Second)
		if live, _ := p.written(); !slices.Equal(live, []string{"a", "b", "stuck"}) || q.Waiting() != 0 || q.Dropped() != 0 {
			t.Errorf("written %v, %d wait, %d dropped", p.live, q.Waiting(), q.Dropped())
		}
		if err := q.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if strings.Count(p.log.String(), "level=WARN") != 1 || strings.Count(p.log.String(), "level=INFO") != 1 {
			t.Errorf("log: %s", p.log.String())
		}
	})
}

// An outage is tried seldom, however much is added, and no less often than it is said.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{takes: nothing}
		q := p.start()
		for range 6000 {
			q.Add(tokens.LiveToken{})
			time.Sleep(10 * time.Millisecond)
		}
		if _, tries := p.written(); tries < 55 || tries > 90 {
			t.Errorf("%d tries in a minute", tries)
		}
		begin := time.Now()
		if err := q.Close(t.Context()); !errors.Is(err, errGone) {
			t.Errorf("Close: %v", err)
		}
		if took := time.Since(begin); took < 2*time.Second || took > 4*time.Second {
			t.Errorf("Close took %v", took)
		}
		if q.Dropped() != 6000 {
			t.Errorf("%d dropped", q.Dropped())
		}
	})
}

// Close does not wait for a context that has ended, and writes what a healthy place takes.
func TestCloseWithinItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended, end := context.WithCancel(t.Context())
		end()
		p := &place{takes: nothing}
		q := p.start()
		q.Add(tokens.LiveToken{})
		begin := time.Now()
		if err := q.Close(ended); err == nil || time.Since(begin) > 0 {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		healthy := &place{}
		q = healthy.start()
		q.Add(tokens.LiveToken{JTI: "a"})
		if err := q.Close(t.Context()); err != nil || len(healthy.live) != 1 {
			t.Errorf("%v, written %v", err, healthy.live)
		}
	})
}

// Forget and Erase reach what waits, and their removal runs while nothing is on its way.
func TestForgetAndEraseReachTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{takes: nothing}
		q := p.start()
		account, other := uuid.New(), uuid.New()
		for _, id := range []uuid.UUID{account, other} {
			q.Add(tokens.LiveToken{JTI: "a", AccountID: id})
			q.Add(tokens.LiveToken{JTI: "b", AccountID: id})
			q.Touch(accounts.Use{AccountID: id, SecretID: id})
		}
		time.Sleep(time.Second)
		removed := false
		err := q.Forget(t.Context(), account, "a", func() error { removed = true; return nil })
		if err != nil || !removed || len(q.LiveOf(account)) != 1 || len(q.LiveOf(other)) != 2 {
			t.Errorf("%v, %t, %d and %d records", err, removed, len(q.LiveOf(account)), len(q.LiveOf(other)))
		}
		err = q.Erase(t.Context(), []uuid.UUID{account}, func([]uuid.UUID) error { return errGone })
		uses := q.UsesOf(map[uuid.UUID]bool{account: true})
		if !errors.Is(err, errGone) || len(q.LiveOf(account)) != 0 || len(uses) != 0 || len(q.LiveOf(other)) != 2 {
			t.Errorf("%v, %d records, %d uses, %d of the other", err, len(q.LiveOf(account)), len(uses), len(q.LiveOf(other)))
		}
		p.set(nil)
		if err := q.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
