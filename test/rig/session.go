package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"
)

// tier is how much a run does.
type tier struct {
	name      string
	healthy   time.Duration // of load before a fault, to compare with
	fault     time.Duration // how long a fault lasts
	paused    time.Duration // how long a replica is stopped
	settle    time.Duration // of load after a fault
	rate      int           // token requests a second
	trials    int           // of propagation, in each mode
	keyTrials int           // rotations and drops of signing keys, in each mode
	cycles    int           // kills of a replica

	crashCycles int // of the crash loop, on each engine
	powerCuts   int
}

var tiers = []tier{
	{
		name: "short", healthy: 1500 * time.Millisecond, fault: 2500 * time.Millisecond, paused: 10 * time.Second, settle: time.Second / 2,
		rate: 200, trials: 100, keyTrials: 3, cycles: 3, crashCycles: 25, powerCuts: 5,
	},
	{
		name: "long", healthy: 10 * time.Second, fault: 60 * time.Second, paused: 10 * time.Second, settle: 5 * time.Second,
		rate: 300, trials: 1000, keyTrials: 20, cycles: 30, crashCycles: 1000, powerCuts: 200,
	},
}

func tierOf(name string) (tier, error) {
	for _, t := range tiers {
		if t.name == name {
			return t, nil
		}
	}
	return tier{}, fmt.Errorf("there is no tier %q: it is short or long", name)
}

// session is what the rows of a run share. Rows run one after another.
type session struct {
	tier   tier
	folder string
	binary string
	seed   uint64
	random *rand.Rand
	report *report

	current *stage
	stages  int
}

func (s *session) runRows(ctx context.Context, rows []row) {
	defer s.leave()
	for _, r := range rows {
		if ctx.Err() != nil {
			return
		}
		began := time.Now()
		if err := s.runRow(ctx, r); err != nil && ctx.Err() == nil {
			s.report.violate(r.name, "the row could not be run: %v", err)
			s.leave() // what the row left half done is nothing to build on
		}
		s.report.finished(r.name, time.Since(began))
	}
}

func (s *session) runRow(ctx context.Context, r row) error {
	s.report.logf("%s: %s", r.name, r.what)
	if s.current == nil || s.current.kind != r.fleet {
		s.leave()
		if err := s.enter(ctx, r.fleet); err != nil {
			return err
		}
	}
	return r.run(ctx, s, r.name)
}

// enter starts the fleet of a kind. Rows without one start what they need themselves.
func (s *session) enter(ctx context.Context, kind fleetKind) error {
	if kind == noFleet {
		return nil
	}
	cfg := kind.config()
	cfg.binary, cfg.folder = s.binary, s.newFolder(string(kind))
	began := time.Now()
	made, err := startStage(ctx, s, kind, cfg)
	if err != nil {
		return fmt.Errorf("start the fleet %s: %w", kind, err)
	}
	s.current = made
	s.report.logf("the fleet %s runs after %v", kind, time.Since(began).Round(time.Millisecond))
	return nil
}

// newFolder names a folder that no other row has.
func (s *session) newFolder(name string) string {
	s.stages++
	return filepath.Join(s.folder, fmt.Sprintf("%02d-%s", s.stages, name))
}

// leave ends the current fleet.
func (s *session) leave() {
	if s.current == nil {
		return
	}
	if err := s.current.close(); err != nil {
		s.report.violate("fleet "+string(s.current.kind), "not ended cleanly: %v", err)
	}
	s.current = nil
}

// fleetKind is a fleet that rows share.
type fleetKind string

const (
	noFleet       fleetKind = ""
	redisFleet    fleetKind = "redis"
	sentinelFleet fleetKind = "sentinel"
	clusterFleet  fleetKind = "cluster"
)

func (k fleetKind) config() fleetConfig {
	return fleetConfig{replicas: 3, engine: "postgres", state: string(k)}
}

var errGone = errors.New("the fault could not be undone")
