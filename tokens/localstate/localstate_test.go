package localstate_test

import (
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/signet-issuer/signet/internal/sqldb"
	"github.com/signet-issuer/signet/tokens/localstate"
	"github.com/signet-issuer/signet/tokens/statetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// harness adds to a state what the suite does with it.
type harness struct {
	*localstate.State
	path  string
	clock *atomic.Int64
}

func open(t *testing.T) statetest.State {
	h := &harness{path: filepath.Join(t.TempDir(), "state.db"), clock: &atomic.Int64{}}
	h.clock.Store(statetest.Start.UnixNano())
	return h.open(t)
}

func (h *harness) open(t *testing.T) *harness {
	t.Helper()
	state, err := localstate.Open(t.Context(), localstate.Config{
		Path: h.path, Queue: statetest.Queue, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Unix(0, h.clock.Load()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	// What a test leaves unwritten on purpose is its own affair.
	t.Cleanup(func() { _ = state.Close(t.Context()) })
	return &harness{State: state, path: h.path, clock: h.clock}
}

func (h *harness) Advance(d time.Duration) { h.clock.Add(int64(d)) }

func (h *harness) Reopen(t *testing.T) statetest.State {
	t.Helper()
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h.open(t)
}

// Stall holds the lock on the file as another process would.
func (h *harness) Stall(t *testing.T) (resume func()) {
	t.Helper()
	db, err := sqldb.OpenSQLite(t.Context(), h.path, sqldb.Normal)
	if err != nil {
		t.Fatal(err)
	}
	held, release, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		done <- db.Write(t.Context(), func(*sqldb.Tx) error {
			close(held)
			<-release
			return nil
		})
	}()
	<-held
	return func() {
		close(release)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestConformance(t *testing.T) { statetest.Run(t, open) }

func TestConformanceConcurrent(t *testing.T) { statetest.RunConcurrent(t, open) }
