package main

import (
	"context"
	"errors"
	"net/http"
	"time"
)

const (
	// readyWithin is what a start may take on a busy machine, also after a kill (I20).
	readyWithin = 2 * time.Second
	// killEach is the time from one kill of a replica to the next.
	killEach = 2 * time.Second
)

// replicaRows end, stop and restart replicas under a balancer, which loses no request. Kills
// come last: what a killed replica knew of last uses is in Redis alone for up to a minute, and
// replica-rolling flushes Redis.
func replicaRows() []row {
	return []row{
		{"replica-rolling", "SIGTERM and start of one replica after another", redisFleet, replicaRolling},
		{"replica-paused", "a replica is stopped for 10 s and goes on with what it has", redisFleet, replicaPaused},
		{"replica-killed", "kill -9 of one replica after another", redisFleet, replicaKilled},
	}
}

func replicaKilled(ctx context.Context, s *session, name string) error {
	st := s.current
	l := st.startLoad(ctx, s.tier.rate, st.balanced)
	err := st.killReplicas(ctx, name)
	sleep(ctx, s.tier.settle)
	all := l.end()
	if err != nil {
		return err
	}
	s.noneFailed(name, all)
	s.report.figure(name, "p99_ms", milliseconds(all.p99()))
	st.oracle.everywhere(ctx, name)
	return st.checkUses(ctx, name, st.clientUses(), quietWithin)
}

func (st *stage) killReplicas(ctx context.Context, name string) error {
	var slowest time.Duration
	for cycle := range st.session.tier.cycles {
		next := time.Now().Add(killEach)
		r := st.replica(cycle % len(st.replicas))
		sleep(ctx, time.Duration(st.session.random.IntN(500))*time.Millisecond)
		if err := r.kill(); err != nil {
			return err
		}
		ready, err := r.start(ctx)
		if err != nil {
			return err
		}
		slowest = max(slowest, ready)
		sleep(ctx, time.Until(next))
	}
	st.judgeStart(name, slowest)
	return ctx.Err()
}

func (st *stage) judgeStart(name string, slowest time.Duration) {
	st.session.report.figure(name, "ready_max_ms", milliseconds(slowest))
	if slowest > readyWithin {
		st.session.report.violate(name, "a replica was ready %v after its start", slowest)
	}
}

// replicaPaused disables accounts while one replica stands still. Requests for them wait in
// its connections, and are refused when it goes on.
func replicaPaused(ctx context.Context, s *session, name string) error {
	st := s.current
	victims, err := st.newVictims(ctx, 2*len(cutOffs))
	if err != nil {
		return err
	}
	sleeper := s.random.IntN(len(st.replicas))
	l := st.startLoad(ctx, s.tier.rate, st.balanced)
	sleep(ctx, s.tier.settle)
	from := time.Now()
	if err := st.replica(sleeper).pause(); err != nil {
		l.end()
		return err
	}
	stale := st.askAsleep(ctx, name, sleeper, victims)
	sleep(ctx, time.Until(from.Add(s.tier.paused)))
	err = st.replica(sleeper).resume()
	stale()
	sleep(ctx, s.tier.settle)
	all := l.end()
	if err != nil {
		return err
	}
	s.noneFailed(name, all)
	// A balancer needs a moment to notice; nobody waits for the replica after that.
	noticed := all.between(from.Add(healthInterval+2*healthTimeout), from.Add(s.tier.paused))
	s.report.figure(name, "p99_ms", milliseconds(noticed.p99()))
	st.oracle.everywhere(ctx, name)
	return st.checkUses(ctx, name, st.clientUses(), quietWithin)
}

// askAsleep cuts victims off at the replicas that are awake and then asks the one that is not,
// whose answer has to come after all and be no.
func (st *stage) askAsleep(ctx context.Context, name string, sleeper int, victims []*victim) (wait func()) {
	asleep := newDoor(st.direct[sleeper].name, st.direct[sleeper].url, st.fleet, newTransport())
	asleep.http.Timeout = st.session.tier.paused + hangs
	asleep.bearer = st.direct[sleeper].bearer
	answered := make(chan struct{}, len(victims))
	for i, v := range victims {
		c := cutOffs[i%len(cutOffs)]
		if _, err := c.apply(ctx, st.direct[(sleeper+1+i%2)%len(st.direct)], v); err != nil {
			st.session.report.violate(name, "%s is not possible: %v", c.name, err)
			answered <- struct{}{}
			continue
		}
		st.session.report.count(func(s *summary) { s.AcknowledgedWrites++ })
		what := c.result(v)
		st.oracle.end(what)
		go func() {
			st.oracle.refused(ctx, name, asleep, what, false)
			answered <- struct{}{}
		}()
	}
	return func() {
		for range victims {
			<-answered
		}
		asleep.http.CloseIdleConnections()
	}
}

// replicaRolling replaces the replicas as an upgrade does. What they knew of last uses is
// then in SQL, down to the last one.
func replicaRolling(ctx context.Context, s *session, name string) error {
	st := s.current
	l := st.startLoad(ctx, s.tier.rate, st.balanced)
	sleep(ctx, s.tier.settle)
	err := st.roll(ctx, name)
	sleep(ctx, s.tier.settle)
	all := l.end()
	if err != nil {
		return err
	}
	s.noneFailed(name, all)
	s.report.figure(name, "p99_ms", milliseconds(all.p99()))
	st.oracle.everywhere(ctx, name)
	if err := st.flushEverything(ctx); err != nil {
		return err
	}
	return st.checkUses(ctx, name, append(st.clientUses(), st.uses...), 0)
}

func (st *stage) roll(ctx context.Context, name string) error {
	var longest, slowest time.Duration
	for _, r := range st.replicas {
		stopped, err := r.stop(ctx)
		if err != nil {
			return err
		}
		ready, err := r.start(ctx)
		if err != nil {
			return err
		}
		longest, slowest = max(longest, stopped), max(slowest, ready)
		sleep(ctx, st.session.tier.settle)
	}
	st.session.report.figure(name, "stopped_max_ms", milliseconds(longest))
	if longest > stopWithin {
		st.session.report.violate(name, "a replica stopped %v after SIGTERM", longest)
	}
	st.judgeStart(name, slowest)
	return nil
}

// flushEverything stops all replicas in order, empties Redis and starts them again: what
// they know after that is the truth.
func (st *stage) flushEverything(ctx context.Context) error {
	for _, r := range st.replicas {
		if _, err := r.stop(ctx); err != nil {
			return err
		}
	}
	if err := st.redisDo(ctx, "FLUSHALL"); err != nil {
		return err
	}
	var errs []error
	for _, r := range st.replicas {
		_, err := r.start(ctx)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// serving reports whether a replica gives a client its token.
func (st *stage) serving(ctx context.Context, d *door, c *client) bool {
	got, err := d.ask(ctx, c.login)
	return err == nil && got.status == http.StatusOK
}
