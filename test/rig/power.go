package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/signet-issuer/signet/internal/engines"
)

const (
	powerWriters = 8
	// So many of a writer's accounts are checked after a cut, the newest.
	powerChecked = 100
)

// powerRow cuts the power under one engine (hazards 3.6).
func powerRow(engine string) func(context.Context, *session, string) error {
	return func(ctx context.Context, s *session, name string) (err error) {
		folder := s.newFolder(name)
		d, err := newDisk(ctx, folder)
		defer func() { err = errors.Join(err, d.close(ctx)) }()
		if errors.Is(err, errNoDisks) && os.Getenv("CI") == "" {
			s.report.logf("%s: skipped: %v", name, err)
			s.report.count(func(sum *summary) { sum.PowerCutsSkipped = err.Error() })
			return nil
		}
		if err != nil {
			return err
		}
		cfg := fleetConfig{
			folder: filepath.Join(d.inner, "fleet"), binary: s.binary, replicas: 1, engine: engine, state: "local",
			env: []string{"SIGNET_TOKEN_LIFETIME=60m"},
		}
		f, err := startFleet(ctx, cfg)
		defer func() { err = errors.Join(err, f.close()) }()
		if err != nil {
			return err
		}
		p := &powerCuts{
			name: name, folder: folder, fleet: f, disk: d, report: s.report, journal: newJournal("power", io.Discard),
			random: rand.New(rand.NewPCG(s.seed, uint64(len(name)))), found: &findings{},
		}
		if err := p.setUp(ctx); err != nil {
			return err
		}
		return p.run(ctx, cutsOf(s.tier.powerCuts, engine))
	}
}

// cutsOf makes fewer cuts under PostgreSQL, whose recovery takes longer.
func cutsOf(cuts int, engine string) int {
	if engine == "postgres" {
		return max(1, cuts*2/5)
	}
	return cuts
}

// powerCuts copies a disk at random moments of a load and asks a second server on the copy for
// everything that was acknowledged before.
type powerCuts struct {
	name, folder string
	fleet        *fleet
	disk         *disk
	report       *report
	journal      *journal
	random       *rand.Rand
	found        *findings
	writers      []*powerWriter
}

func (p *powerCuts) setUp(ctx context.Context) error {
	if server := p.fleet.postgres; server != nil {
		// The disk is small.
		for _, statement := range []string{"ALTER SYSTEM SET max_wal_size = '256MB'", "SELECT pg_reload_conf()"} {
			if err := server.Exec(ctx, database, statement); err != nil {
				return err
			}
		}
		if err := p.fleet.prepareInspection(ctx); err != nil {
			return err
		}
		// What initdb made was never synchronized.
		if err := command(ctx, "sync", "--file-system", p.disk.inner); err != nil {
			return err
		}
	}
	at := newCaller(p.fleet, p.fleet.replica(0))
	if err := at.logIn(ctx); err != nil {
		return err
	}
	if _, err := makeCrashOrg(ctx, at); err != nil {
		return err
	}
	for i := range powerWriters {
		p.writers = append(p.writers, &powerWriter{number: i, journal: p.journal, at: at})
	}
	return nil
}

func (p *powerCuts) run(ctx context.Context, cuts int) error {
	done := 0
	var slowest time.Duration
	for ; done < cuts && ctx.Err() == nil && !p.found.any(); done++ {
		ready, err := p.once(ctx, done)
		if err != nil {
			return fmt.Errorf("cut %d: %w", done, err)
		}
		slowest = max(slowest, ready)
	}
	for _, f := range p.found.all() {
		p.report.violate(p.name, "%s", f)
	}
	p.report.count(func(s *summary) {
		s.PowerCuts += done
		s.AcknowledgedWrites += p.journal.acknowledgements()
		s.LostWrites += p.found.count(lostWrite)
		s.RevokedButActive += p.found.count(revivedOne)
	})
	p.report.figure(p.name, "cuts", float64(done))
	p.report.figure(p.name, "slowest_start_ms", milliseconds(slowest))
	return ctx.Err()
}

// instant is what was known at the moment of a cut.
type instant struct {
	entries       []entry    // before
	before, after []progress // of the same accounts, and after of more
}

// once cuts the power under load and judges what is left.
func (p *powerCuts) once(ctx context.Context, number int) (ready time.Duration, err error) {
	running, stop := context.WithCancel(ctx)
	defer stop()
	var all sync.WaitGroup
	errs := make([]error, len(p.writers))
	for i, w := range p.writers {
		all.Go(func() { errs[i] = w.run(running) })
	}
	pause(ctx, time.Duration(300+p.random.IntN(700))*time.Millisecond)
	at := instant{before: p.progress()}
	at.entries, _ = p.journal.snapshot(0)
	err = p.disk.cut(ctx)
	at.after = p.progress()
	stop()
	all.Wait()
	if err := errors.Join(append(errs, err)...); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.disk.throwAway(ctx)) }()
	point, err := p.disk.plugIn(ctx)
	if err != nil {
		return 0, err
	}
	return p.judge(ctx, filepath.Join(point, "fleet"), number, at)
}

func (p *powerCuts) progress() []progress {
	var all []progress
	for _, w := range p.writers {
		all = append(all, w.state()...)
	}
	return all
}

// judge looks into the copy and starts a second server on it.
func (p *powerCuts) judge(ctx context.Context, folder string, number int, at instant) (ready time.Duration, err error) {
	env := []string{"SIGNET_DATA_DIR=" + filepath.Join(folder, "replica-0", "data")}
	var events map[string]int
	if p.fleet.postgres == nil {
		events, err = inspectSQLite(ctx, filepath.Join(folder, "replica-0", "data"))
	} else {
		server, startErr := engines.StartPostgres(ctx, filepath.Join(folder, "postgres"))
		if startErr != nil {
			return 0, fmt.Errorf("PostgreSQL after the cut: %w", startErr)
		}
		defer func() { err = errors.Join(err, server.Close()) }()
		env = append(env, "SIGNET_DATABASE_URL="+roleURL(server))
		if err = examinePostgres(ctx, server); err == nil {
			events, err = auditOf(ctx, server)
		}
	}
	if err != nil {
		p.found.add(lost("after a power cut the database cannot be read or is damaged (I16, I20): %v", err))
		return 0, nil
	}
	p.found.add(compareAudit(at.entries, events)...)
	twin, err := p.twin(ctx, number, env)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, twin.close()) }()
	if ready, err = twin.start(ctx); err != nil {
		p.found.add(lost("the server does not start after a power cut (I16, I20): %v", err))
		return 0, nil
	}
	if ready > readyAfterKill {
		p.found.add(wrong("the server is ready %v after a power cut (I20)", ready))
	}
	return ready, p.ask(ctx, twin, at)
}

// twin is a server like the first one on other data.
func (p *powerCuts) twin(ctx context.Context, number int, env []string) (*replica, error) {
	first := p.fleet.replica(0)
	listen, err := freePort(ctx, rand.IntN)
	if err != nil {
		return nil, err
	}
	env = append(append([]string{}, first.env...), append(env, "SIGNET_LISTEN="+listen)...)
	return &replica{
		index: 1 + number, url: "http://" + listen, binary: first.binary, env: env,
		log: filepath.Join(p.folder, fmt.Sprintf("twin-%d.log", number)),
	}, nil
}

// ask compares the newest accounts with what the second server says of them.
func (p *powerCuts) ask(ctx context.Context, twin *replica, at instant) error {
	admin := newCaller(p.fleet, twin)
	defer admin.http.CloseIdleConnections()
	if err := admin.logIn(ctx); err != nil {
		p.found.add(lost("the administrator cannot log in after a power cut: %v", err))
		return nil
	}
	before := map[*powerAccount]progress{}
	for _, known := range at.before {
		before[known.account] = known
	}
	for _, known := range newest(at.after) {
		seen, err := lookAfterCut(ctx, admin, known.account)
		if err != nil {
			p.found.add(lost("after a power cut: %v", err))
			continue
		}
		was, ok := before[known.account]
		if !ok {
			was = progress{account: known.account}
		}
		p.found.add(judgePower(was, known, seen)...)
	}
	return ctx.Err()
}

// newest keeps the last accounts of each writer. The older ones are in the audit events alone.
func newest(all []progress) []progress {
	seen := map[int]int{}
	var chosen []progress
	for i := len(all) - 1; i >= 0; i-- {
		writer := all[i].account.writer
		if seen[writer]++; seen[writer] <= powerChecked {
			chosen = append(chosen, all[i])
		}
	}
	return chosen
}

// roleURL names the product's database for the product's role.
func roleURL(server *engines.Postgres) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(databaseRole, databasePassword),
		Host: server.Addr(), Path: "/" + database, RawQuery: "sslmode=disable",
	}
	return u.String()
}
