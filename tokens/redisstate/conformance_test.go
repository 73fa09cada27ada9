package redisstate_test

import (
	"log/slog"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/tokens/redisstate"
	"github.com/signet-issuer/signet/tokens/statetest"
)

// harness adds to a state what the suite does with it.
type harness struct {
	*redisstate.State
	at     *servers
	prefix string
	clock  *atomic.Int64
}

var prefixes atomic.Int64

// newPrefix is not the beginning of another, nor begins with one.
func newPrefix() string { return "t" + strconv.FormatInt(prefixes.Add(1), 10) + "." }

func opener(at func(testing.TB) *servers) func(t *testing.T) statetest.State {
	return func(t *testing.T) statetest.State {
		h := &harness{at: at(t), prefix: newPrefix(), clock: &atomic.Int64{}}
		h.clock.Store(statetest.Start.UnixNano())
		return h.open(t)
	}
}

func (h *harness) open(t *testing.T) *harness {
	t.Helper()
	state, err := redisstate.Open(t.Context(), redisstate.Config{
		URL: secret.New(h.at.url), Prefix: h.prefix, Queue: statetest.Queue, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Unix(0, h.clock.Load()) },
		// A busy machine is not what the suite is about.
		BatchTimeout: 500 * time.Millisecond, AskTimeout: 5 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	// What a test leaves unwritten on purpose is its own affair.
	t.Cleanup(func() { _ = state.Close(t.Context()) })
	return &harness{State: state, at: h.at, prefix: h.prefix, clock: h.clock}
}

func (h *harness) Advance(d time.Duration) { h.clock.Add(int64(d)) }

func (h *harness) Reopen(t *testing.T) statetest.State {
	t.Helper()
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h.open(t)
}

// Stall stops the servers, which then accept what is sent to them and answer nothing.
func (h *harness) Stall(t *testing.T) (resume func()) {
	t.Helper()
	for _, node := range h.at.nodes {
		if err := node.Pause(); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		for _, node := range h.at.nodes {
			if err := node.Resume(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestConformance(t *testing.T) { conform(t, statetest.Run) }

func TestConformanceConcurrent(t *testing.T) { conform(t, statetest.RunConcurrent) }

// conform runs a suite for a user that has no more than the documented rights.
func conform(t *testing.T, suite func(*testing.T, func(*testing.T) statetest.State)) {
	d := rights(t)
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			at := *shape.servers(t)
			given := [][]string{d.data}
			if shape.name == "Cluster" {
				given = append(given, d.cluster)
			}
			for _, node := range at.nodes {
				grant(t, node, "~t*", given...)
			}
			at.url = withUser(at.url)
			suite(t, opener(func(testing.TB) *servers { return &at }))
			wantNoDenials(t, at.nodes...)
		})
	}
}

var shapes = []struct {
	name    string
	servers func(testing.TB) *servers
}{{"Standalone", standalone}, {"Sentinel", sentinels}, {"Cluster", clusterNodes}}
