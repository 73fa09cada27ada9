package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

const (
	// refusedWithin is when an answer must be there although the truth cannot be read, with
	// what measuring on a busy machine adds.
	refusedWithin = time.Second + 500*time.Millisecond
	// recoveredWithin is when every replica serves again after the truth can be read.
	recoveredWithin = 2 * time.Second
)

// postgresRows take the truth away, wholly or in part.
func postgresRows() []row {
	return []row{
		{"postgres-down", "all processes of PostgreSQL are killed, and it is started again", redisFleet, outage{begin: postgresDown}.run},
		{"postgres-hung", "PostgreSQL accepts connections and answers nothing", redisFleet, outage{begin: postgresHung}.run},
		{"postgres-cut-one", "one replica alone loses PostgreSQL", redisFleet, outage{begin: postgresCutOne, alone: true}.run},
		{"postgres-pool-exhausted", "every issuing read waits for a lock", redisFleet, outage{begin: postgresLocked, ready: true}.run},
		{"postgres-no-connection", "others use up the connections of PostgreSQL", redisFleet, outage{begin: postgresNoConnection}.run},
		{"postgres-read-only", "PostgreSQL takes no writes", redisFleet, writeRefused{postgresReadOnly}.run},
		{"audit-not-writable", "the audit table takes no rows", redisFleet, writeRefused{auditNotWritable}.run},
	}
}

func postgresDown(_ context.Context, st *stage) (undo, error) {
	return st.postgres.Restart, st.postgres.Kill()
}

func postgresHung(_ context.Context, st *stage) (undo, error) {
	return func(context.Context) error { return st.postgres.Resume() }, st.postgres.Pause()
}

func postgresCutOne(_ context.Context, st *stage) (undo, error) {
	st.sql(0).cut()
	return st.sql(0).heal, nil
}

// postgresLocked holds a lock that every issuing read waits for, a little longer than the fault lasts.
func postgresLocked(ctx context.Context, st *stage) (undo, error) {
	held := make(chan error, 1)
	lasts := st.session.tier.fault + time.Second
	statement := fmt.Sprintf("LOCK TABLE secrets IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(%f)", lasts.Seconds())
	go func() { held <- st.postgres.Exec(context.WithoutCancel(ctx), database, statement) }()
	const granted = "SELECT 1 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation " +
		"WHERE c.relname = 'secrets' AND l.mode = 'AccessExclusiveLock' AND l.granted"
	return func(context.Context) error { return <-held },
		within(ctx, trialWithin, "the lock is not granted", func(ctx context.Context) bool {
			row, err := st.postgres.Query(ctx, database, granted)
			return err == nil && row != nil
		})
}

// postgresNoConnection ends the product's connections and lets it make no new one.
func postgresNoConnection(ctx context.Context, st *stage) (undo, error) {
	limit := func(ctx context.Context, n int) error {
		return st.postgres.Exec(ctx, database, fmt.Sprintf("ALTER ROLE %s CONNECTION LIMIT %d", databaseRole, n))
	}
	const end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '" + databaseRole + "'"
	return func(ctx context.Context) error { return limit(ctx, -1) },
		errors.Join(limit(ctx, 0), st.postgres.Exec(ctx, database, end))
}

func postgresReadOnly(ctx context.Context, st *stage) (undo, error) {
	set := func(ctx context.Context, value string) error {
		return errors.Join(
			st.postgres.Exec(ctx, database, "ALTER SYSTEM SET default_transaction_read_only = "+value),
			st.postgres.Exec(ctx, database, "SELECT pg_reload_conf()"))
	}
	return func(ctx context.Context) error { return set(ctx, "off") }, set(ctx, "on")
}

func auditNotWritable(ctx context.Context, st *stage) (undo, error) {
	return func(ctx context.Context) error {
		return st.postgres.Exec(ctx, database, "GRANT INSERT ON audit_events TO "+databaseRole)
	}, st.postgres.Exec(ctx, database, "REVOKE INSERT ON audit_events FROM "+databaseRole)
}

// outage is the truth that cannot be read, by all replicas or by the first alone.
type outage struct {
	begin func(context.Context, *stage) (undo, error)
	alone bool
	ready bool // replicas say that they are ready: PostgreSQL answers
}

// run demands that a replica without truth says so within a second, never that a client is
// unknown or a token active, and that it serves again by itself.
func (o outage) run(ctx context.Context, s *session, name string) error {
	st := s.current
	victims, err := st.newVictims(ctx, len(cutOffs))
	if err != nil {
		return err
	}
	st.cutOffAll(ctx, name, victims)
	v, err := st.newVictim(ctx)
	if err != nil {
		return err
	}
	l := st.startLoad(ctx, s.tier.rate, st.direct...)
	sleep(ctx, s.tier.healthy)
	unwatch := st.oracle.watch(ctx, name, true)
	end, err := o.begin(ctx, st)
	from := time.Now()
	if err == nil {
		sleep(ctx, s.tier.fault/2)
		o.probe(ctx, st, name, v)
		sleep(ctx, time.Until(from.Add(s.tier.fault)))
	}
	to := time.Now()
	err = errors.Join(err, end(context.WithoutCancel(ctx)))
	back := time.Now()
	st.awaitServing(ctx, name)
	sleep(ctx, s.tier.settle)
	unwatch()
	all := l.end()
	if err != nil {
		return err
	}
	o.judge(s, name, all, period{from, to, back})
	st.oracle.everywhere(ctx, name)
	return nil
}

// period is an outage: it was whole between from and to, and over at back.
type period struct{ from, to, back time.Time }

func (o outage) judge(s *session, name string, all samples, p period) {
	for at := range s.current.direct {
		its := all.at(at)
		if o.alone && at > 0 {
			s.noneFailed(name, its)
			continue
		}
		s.noneFailed(name, its.between(time.Time{}, p.from.Add(-refusedWithin)))
		s.noneFailed(name, its.between(p.back.Add(recoveredWithin), time.Now()))
		s.judgeRefusals(name, its.between(p.from, p.back), p)
	}
	affected := all.between(p.from, p.to)
	if o.alone {
		affected = affected.at(0)
	}
	s.report.figure(name, "refused_max_ms", milliseconds(affected.quantile(1)))
}

// judgeRefusals looks at what came while the truth could not be read.
func (s *session) judgeRefusals(name string, its samples, p period) {
	var wrong, slow, stale samples
	for _, one := range its {
		refused := one.status == http.StatusServiceUnavailable && one.retry
		switch {
		case one.failure != "" && !refused:
			wrong = append(wrong, one)
		case one.failure == "" && one.due.After(p.from) && one.ended().Before(p.to):
			stale = append(stale, one)
		}
		if one.waited > refusedWithin {
			slow = append(slow, one)
		}
	}
	if len(wrong) > 0 {
		s.report.violate(name, "%d answers are not 503 with Retry-After, as: %s", len(wrong), wrong[0].failure)
	}
	if len(slow) > 0 {
		s.report.violate(name, "%d answers took longer than %v, up to %v", len(slow), refusedWithin, slow.quantile(1))
	}
	if len(stale) > 0 {
		s.report.violate(name, "%d tokens were issued without the truth", len(stale))
	}
}

// probe asks the first replica what else a replica without truth must and must not do.
func (o outage) probe(ctx context.Context, st *stage, name string, v *victim) {
	d, report := st.direct[0], st.session.report
	began := time.Now()
	got, err := d.call(ctx, http.MethodPatch, v.path, `{"disabled":true}`)
	if err != nil || !got.unavailable() || time.Since(began) > refusedWithin {
		report.violate(name, "an administrator's write got %s after %v: %v", got, time.Since(began), err)
	}
	active, got, err := d.introspect(ctx, v.token)
	if active || err != nil || !got.unavailable() || got.took > refusedWithin {
		report.violate(name, "introspection got %s after %v: %v", got, got.took, err)
	}
	ready := http.StatusServiceUnavailable
	if o.ready {
		ready = http.StatusOK
	}
	for path, want := range map[string]int{"/livez": http.StatusOK, "/readyz": ready, jwksPath: http.StatusOK} {
		got, err := d.get(ctx, path)
		if err != nil || got.status != want || got.took > refusedWithin {
			report.violate(name, "%s got %s after %v, want %d: %v", path, got, got.took, want, err)
		}
	}
}

// awaitServing waits until every replica gives tokens again.
func (st *stage) awaitServing(ctx context.Context, name string) {
	began := time.Now()
	err := within(ctx, trialWithin, "replicas do not serve again", func(ctx context.Context) bool {
		return !slices.ContainsFunc(st.direct, func(d *door) bool { return !st.serving(ctx, d, st.clients[0]) })
	})
	took := time.Since(began)
	st.session.report.figure(name, "recovered_ms", milliseconds(took))
	if err != nil || took > recoveredWithin {
		st.session.report.violate(name, "every replica serves again after %v: %v", took, err)
	}
}

// writeRefused is the truth that can be read and not written.
type writeRefused struct {
	begin func(context.Context, *stage) (undo, error)
}

// run demands that administrators are refused and nothing is changed, while tokens go on.
func (f writeRefused) run(ctx context.Context, s *session, name string) error {
	st := s.current
	v, err := st.newVictim(ctx)
	if err != nil {
		return err
	}
	l := st.startLoad(ctx, s.tier.rate, st.direct...)
	sleep(ctx, s.tier.settle)
	unwatch := st.oracle.watch(ctx, name, false)
	end, err := f.begin(ctx, st)
	if err == nil {
		sleep(ctx, s.tier.fault/3)
		f.probe(ctx, st, name, v)
		sleep(ctx, s.tier.fault/3)
	}
	err = errors.Join(err, end(context.WithoutCancel(ctx)))
	sleep(ctx, s.tier.settle)
	unwatch()
	s.noneFailed(name, l.end())
	if err != nil {
		return err
	}
	st.cutOffAll(ctx, name, []*victim{v}) // works again
	st.oracle.everywhere(ctx, name)
	return nil
}

// probe tries every cut-off, and finds nothing changed at any replica.
func (f writeRefused) probe(ctx context.Context, st *stage, name string, v *victim) {
	report := st.session.report
	for i, c := range cutOffs {
		d := st.direct[i%len(st.direct)]
		got, err := d.call(ctx, c.method, c.path(v), c.body)
		if err != nil || !got.unavailable() || got.took > refusedWithin {
			report.violate(name, "%s at %s got %s after %v: %v", c.name, d.name, got, got.took, err)
		}
	}
	for _, d := range st.direct {
		if active, got, err := d.introspect(ctx, v.token); err != nil || !active {
			report.violate(name, "after refused writes the token is not active at %s: %s %v", d.name, got, err)
		}
		if _, err := d.token(ctx, v.login); err != nil {
			report.violate(name, "after refused writes the credential does not work: %v", err)
		}
	}
}
