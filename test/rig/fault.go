package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	// slowFactor and the floors say how much slower tokens may be with the state broken than just
	// before, with it whole: the larger of both.
	slowFactor  = 2
	p99Floor    = 50 * time.Millisecond
	medianFloor = 10 * time.Millisecond
	// faultTries is how often a fault is held when tokens were slow: what the fault does comes
	// again, what the machine did besides does not.
	faultTries = 3
)

// fault is one way to break the token state.
type fault struct {
	begin  func(context.Context, *stage) (undo, error)
	merged bool // uses noted meanwhile must be there once it works again, not only a minute later
}

// run breaks the state under load. Every token request succeeds, as fast as before; what was cut
// off before or meanwhile stays so at every replica; cutting off works; last uses are not lost.
func (f fault) run(ctx context.Context, s *session, name string) error {
	for try := 1; ; try++ {
		slow, err := f.try(ctx, s, name)
		switch {
		case err != nil || slow == "":
			return err
		case try == faultTries:
			s.report.violate(name, "%s, for the third time", slow)
			return nil
		}
		s.report.logf("%s: %s; once more", name, slow)
	}
}

// try holds the fault once and says whether tokens were slow meanwhile.
func (f fault) try(ctx context.Context, s *session, name string) (slow string, err error) {
	st := s.current
	victims, err := st.newVictims(ctx, len(cutOffs))
	if err != nil {
		return "", err
	}
	once, err := st.newAccount(ctx, st.anyDoor()) // used only while the state is broken
	if err != nil {
		return "", err
	}
	repeated := st.balancer.repeated.Load()
	l := st.startLoad(ctx, s.tier.rate, st.balanced)
	sleep(ctx, s.tier.healthy)
	unwatch := st.oracle.watch(ctx, name, false)
	from := time.Now()
	u, err := f.hold(ctx, st, name, victims, once)
	to := time.Now()
	sleep(ctx, s.tier.settle)
	unwatch()
	all := l.end()
	if err != nil {
		return "", err
	}

	s.noneFailed(name, all)
	if n := st.balancer.repeated.Load() - repeated; n > 0 {
		s.report.violate(name, "%d connections to replicas broke", n)
	}
	uses := st.clientUses()
	if f.merged {
		uses = append(uses, u)
	}
	st.uses = append(st.uses, u)
	st.oracle.everywhere(ctx, name)
	return s.compare(name, all, from, to), st.checkUses(ctx, name, uses, quietWithin)
}

// hold keeps the fault for its time, and meanwhile uses one account and cuts off others.
func (f fault) hold(ctx context.Context, st *stage, name string, victims []*victim, once account) (u use, err error) {
	tier := st.session.tier
	until := time.Now().Add(tier.fault)
	end, err := f.begin(ctx, st)
	defer func() {
		// Undone also after an interrupt, or the fleet could not be ended in order.
		if failed := end(context.WithoutCancel(ctx)); failed != nil {
			err = errors.Join(err, errGone, failed)
		}
	}()
	if err != nil {
		return use{}, err
	}
	sleep(ctx, tier.fault/3)
	u = use{once.slug, time.Now()}
	if _, err := st.anyDoor().token(ctx, once.login); err != nil {
		return use{}, err
	}
	st.cutOffAll(ctx, name, victims)
	sleep(ctx, time.Until(until))
	return u, ctx.Err()
}

// compare measures the load while the state was broken beside the load just before.
func (s *session) compare(name string, all samples, from, to time.Time) (slow string) {
	before, broken := all.between(time.Time{}, from), all.between(from, to)
	s.report.figure(name, "healthy_p99_ms", milliseconds(before.p99()))
	s.report.figure(name, "p99_ms", milliseconds(broken.p99()))
	s.report.figure(name, "p99_ratio", float64(100*broken.p99()/max(before.p99(), 1))/100)
	s.report.figure(name, "median_ms", milliseconds(broken.quantile(0.5)))
	for _, c := range []struct {
		name     string
		quantile float64
		floor    time.Duration
	}{{"p99", 0.99, p99Floor}, {"median", 0.5, medianFloor}} {
		limit := max(slowFactor*before.quantile(c.quantile), c.floor)
		if is := broken.quantile(c.quantile); is > limit {
			return fmt.Sprintf("the %s of /token is %v, more than %v", c.name, is, limit)
		}
	}
	return ""
}

// noneFailed demands a good token for every request.
func (s *session) noneFailed(name string, all samples) {
	failed := all.failed()
	if len(failed) == 0 {
		return
	}
	s.report.count(func(sum *summary) { sum.FailedTokenRequests += len(failed) })
	s.report.violate(name, "%d of %d token requests failed, as: %s", len(failed), len(all), failed[0].failure)
}

// unavailable reports whether an answer says in order that the truth cannot be read or
// written now.
func (a answer) unavailable() bool {
	return a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != ""
}
