package main

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// maxInFlight bounds the requests that wait for an answer. It is far more than all promises
// together allow, so a request beyond it counts as failed.
const maxInFlight = 4000

// sample is one token request of the load.
type sample struct {
	due     time.Time // when it had to be sent; the wait is counted from here
	waited  time.Duration
	status  int // 0: no answer
	retry   bool
	failure string
	door    int
}

func (s sample) ended() time.Time { return s.due.Add(s.waited) }

// load asks for tokens at a constant rate, whether or not the last ones were answered, at each
// door in turn. The stage's oracle judges every token.
type load struct {
	stage  *stage
	doors  []*door
	cancel context.CancelFunc
	done   sync.WaitGroup
	flying atomic.Int64

	mu      sync.Mutex
	samples []sample
}

// startLoad keeps rate requests a second going until the load ends.
func (st *stage) startLoad(ctx context.Context, rate int, doors ...*door) *load {
	ctx, cancel := context.WithCancel(ctx)
	l := &load{stage: st, doors: doors, cancel: cancel}
	l.done.Go(func() { l.run(ctx, time.Second/time.Duration(rate)) })
	return l
}

func (l *load) run(ctx context.Context, interval time.Duration) {
	began := time.Now()
	for n := 0; ; n++ {
		due := began.Add(time.Duration(n) * interval)
		if wait := time.Until(due); wait > 0 {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
		}
		if ctx.Err() != nil {
			return
		}
		at := n % len(l.doors)
		if l.flying.Load() >= maxInFlight {
			l.keep(sample{due: due, failure: "too many requests wait", door: at})
			continue
		}
		l.flying.Add(1)
		l.done.Go(func() {
			defer l.flying.Add(-1)
			l.request(context.WithoutCancel(ctx), n, due)
		})
	}
}

func (l *load) request(ctx context.Context, n int, due time.Time) {
	at := n % len(l.doors)
	used := l.stage.clients[n%len(l.stage.clients)]
	got, err := l.doors[at].ask(ctx, used.login)
	s := sample{due: due, waited: time.Since(due), status: got.status, door: at}
	switch {
	case err != nil:
		s.status, s.failure = 0, err.Error()
	case got.status == http.StatusOK:
		s.failure = l.stage.oracle.judge(ctx, used, got)
	default:
		s.retry = got.header.Get("Retry-After") != ""
		s.failure = got.String()
	}
	l.keep(s)
}

func (l *load) keep(s sample) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.samples = append(l.samples, s)
}

// end stops the load, waits for the last answers and returns everything, in the order of due.
func (l *load) end() samples {
	l.cancel()
	l.done.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	all := samples(l.samples)
	slices.SortFunc(all, func(a, b sample) int { return a.due.Compare(b.due) })
	l.stage.session.report.count(func(s *summary) { s.TokenRequests += len(all) })
	return all
}

// samples are in the order in which they were due.
type samples []sample

// between returns those that were due from one moment to another.
func (all samples) between(from, to time.Time) samples {
	var some samples
	for _, s := range all {
		if !s.due.Before(from) && s.due.Before(to) {
			some = append(some, s)
		}
	}
	return some
}

// at returns those that one door got.
func (all samples) at(door int) samples {
	return slices.DeleteFunc(slices.Clone(all), func(s sample) bool { return s.door != door })
}

// failed returns those without a good token.
func (all samples) failed() samples {
	return slices.DeleteFunc(slices.Clone(all), func(s sample) bool { return s.failure == "" })
}

// p99 is the wait that one in a hundred exceeds.
func (all samples) p99() time.Duration { return all.quantile(0.99) }

func (all samples) quantile(q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	waits := make([]time.Duration, len(all))
	for i, s := range all {
		waits[i] = s.waited
	}
	slices.Sort(waits)
	return waits[min(len(waits)-1, int(float64(len(waits))*q))]
}
