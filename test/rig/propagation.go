package main

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// hotAfter is how many good answers each hammer has before something is cut off, and
	// coldAfter how many questions it begins after the acknowledgement.
	hotAfter, coldAfter = 2, 3
	// trialWithin is far more than a trial needs.
	trialWithin = 10 * time.Second
)

// propagationRows measure how fast a cut-off holds: no request that begins after it was
// acknowledged may succeed, at any replica.
func propagationRows() []row {
	return []row{
		{"propagation-redis", "cut-offs and key drops under fire at three replicas", redisFleet, propagation},
		{"propagation-no-redis", "the same while no replica reaches Redis", redisFleet, propagationWithoutRedis},
		{"key-rotation", "forced rotations of the signing key under fire", redisFleet, keyRotations},
	}
}

func propagationWithoutRedis(ctx context.Context, s *session, name string) error {
	st := s.current
	for _, p := range st.cacheLinks {
		p.cut()
	}
	err := propagation(ctx, s, name)
	if healed := st.healCaches(context.WithoutCancel(ctx)); err == nil {
		err = healed
	}
	return err
}

func propagation(ctx context.Context, s *session, name string) error {
	st := s.current
	var measured []time.Duration // from the acknowledgement to the last start of a success
	for n := range s.tier.trials {
		v, err := st.newVictim(ctx)
		if err != nil {
			return err
		}
		after, err := st.tryCutOff(ctx, name, cutOffs[n%len(cutOffs)], v)
		if err != nil {
			return err
		}
		measured = append(measured, after)
	}
	for range s.tier.keyTrials {
		after, err := st.tryKeyDrop(ctx, name)
		if err != nil {
			return err
		}
		measured = append(measured, after)
	}
	s.propagated(name, measured)
	st.oracle.everywhere(ctx, name)
	return nil
}

func (s *session) propagated(name string, measured []time.Duration) {
	slices.Sort(measured)
	p99 := milliseconds(measured[min(len(measured)-1, len(measured)*99/100)])
	longest := milliseconds(measured[len(measured)-1])
	s.report.figure(name, "trials", float64(len(measured)))
	s.report.figure(name, "p99_ms", p99)
	s.report.figure(name, "max_ms", longest)
	s.report.count(func(sum *summary) {
		if sum.PropagationTrials == 0 {
			sum.PropagationP99, sum.PropagationMax = p99, longest
		}
		sum.PropagationTrials += len(measured)
		sum.PropagationP99, sum.PropagationMax = max(sum.PropagationP99, p99), max(sum.PropagationMax, longest)
	})
}

// tryCutOff cuts a victim off under fire and returns how long after the acknowledgement a
// request began that still succeeded; it is negative when there was none.
func (st *stage) tryCutOff(ctx context.Context, name string, c cutOff, v *victim) (time.Duration, error) {
	introspect := func(ctx context.Context, d *door) (bool, answer, error) { return d.introspect(ctx, v.token) }
	questions := []question{introspect, introspect}
	if c.logins {
		questions[0] = func(ctx context.Context, d *door) (bool, answer, error) {
			got, err := d.ask(ctx, v.login)
			return got.status == http.StatusOK, got, err
		}
	}
	f := st.openFire(ctx, questions...)
	defer f.cease()
	if err := f.await(ctx, "no success before the cut-off", (*hammer).hot); err != nil {
		return 0, err
	}
	if _, err := c.apply(ctx, st.anyDoor(), v); err != nil {
		return 0, err
	}
	acked := time.Now()
	st.session.report.count(func(s *summary) { s.AcknowledgedWrites++ })
	st.oracle.end(c.result(v))
	if err := f.await(ctx, "no requests after the cut-off", func(h *hammer) bool { return h.beganAfter(acked) >= coldAfter }); err != nil {
		return 0, err
	}
	f.cease()
	return st.judgeFire(name, c.name, f, acked), nil
}

// judgeFire looks for successes that began after the acknowledgement, and for answers that
// no replica may give.
func (st *stage) judgeFire(name, what string, f *fire, acked time.Time) time.Duration {
	report := st.session.report
	latest := -trialWithin
	for _, h := range f.hammers {
		after := h.lastSuccess.Sub(acked)
		latest = max(latest, after)
		if after > 0 {
			report.count(func(s *summary) { s.RevokedButActive++ })
			report.violate(name, "%s: %s said yes to a request that began %v after the acknowledgement", what, h.door.name, after)
		}
		report.addFigure(name, "unavailable", float64(h.unknown))
		if h.odd != "" {
			report.violate(name, "%s: %s answered %s", what, h.door.name, h.odd)
		}
	}
	return latest
}

// question asks one door, and tells whether the answer was yes.
type question func(context.Context, *door) (yes bool, got answer, err error)

// fire is hammers that ask every replica at once.
type fire struct {
	hammers []*hammer
	stop    context.CancelFunc
	done    sync.WaitGroup
}

// hammer asks one replica one question again and again.
type hammer struct {
	door *door
	ask  question

	mu          sync.Mutex
	successes   int
	lastSuccess time.Time // when the last request that succeeded began
	starts      []time.Time
	unknown     int    // answers that say in order that the truth cannot be read
	odd         string // an answer that is neither yes, nor no, nor that
}

func (st *stage) openFire(ctx context.Context, questions ...question) *fire {
	ctx, stop := context.WithCancel(ctx)
	f := &fire{stop: stop}
	for _, d := range st.direct {
		for _, ask := range questions {
			h := &hammer{door: d, ask: ask}
			f.hammers = append(f.hammers, h)
			f.done.Go(func() { h.run(ctx) })
		}
	}
	return f
}

// cease stops the hammers, also when they have stopped already.
func (f *fire) cease() {
	f.stop()
	f.done.Wait()
}

func (f *fire) await(ctx context.Context, otherwise string, so func(*hammer) bool) error {
	return within(ctx, trialWithin, otherwise, func(context.Context) bool {
		return !slices.ContainsFunc(f.hammers, func(h *hammer) bool { return !so(h) })
	})
}

func (h *hammer) run(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		yes, got, err := h.ask(context.WithoutCancel(ctx), h.door)
		h.note(began, yes, got, err)
		sleep(ctx, time.Millisecond)
	}
}

func (h *hammer) note(began time.Time, yes bool, got answer, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.starts = append(h.starts, began)
	switch {
	case yes:
		h.successes++
		h.lastSuccess = began
	case err != nil:
		h.odd = err.Error()
	case got.unavailable():
		h.unknown++
	case got.status >= http.StatusInternalServerError:
		h.odd = got.String()
	}
}

func (h *hammer) hot() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.successes >= hotAfter
}

// beganAfter counts the finished requests that began after a moment.
func (h *hammer) beganAfter(at time.Time) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, began := range slices.Backward(h.starts) {
		if !began.After(at) {
			break
		}
		n++
	}
	return n
}
