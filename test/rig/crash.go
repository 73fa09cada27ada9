package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	crashWorkers = 8
	// A server is ready so soon after its start, also after a kill (I20).
	readyAfterKill = 2 * time.Second
	// A replica finds its engines again so soon after these are back.
	readyAfterEngine = 15 * time.Second
	// A busy machine makes a start slow now and then, a slow server makes each slow.
	slowStarts = 3
	// Everything that was ever learned is checked each so many cycles, and at the end.
	fullCheckEach = 50
	// So many older accounts of a worker are checked in every other cycle.
	olderChecked = 3
)

func crashRows() []row {
	return []row{
		{"crash-sqlite", "kill -9 of the embedded server under administrators' writes", noFleet, crashRow("sqlite")},
		{"crash-postgres", "kill -9 of servers, Redis, PostgreSQL and all at once", noFleet, crashRow("postgres")},
		{"power-sqlite", "cut the power under the embedded data directory", noFleet, powerRow("sqlite")},
		{"power-postgres", "cut the power under PostgreSQL", noFleet, powerRow("postgres")},
	}
}

func crashConfig(engine string) fleetConfig {
	cfg := fleetConfig{replicas: 1, engine: engine, state: "local", env: []string{"SIGNET_TOKEN_LIFETIME=60m"}}
	if engine == "postgres" {
		cfg.replicas, cfg.state = 3, "redis"
	}
	return cfg
}

// crashRow is the crash loop on one engine (hazards 3.5).
func crashRow(engine string) func(context.Context, *session, string) error {
	return func(ctx context.Context, s *session, name string) (err error) {
		cfg := crashConfig(engine)
		cfg.binary, cfg.folder = s.binary, s.newFolder(name)
		f, err := startFleet(ctx, cfg)
		defer func() { err = errors.Join(err, f.close()) }()
		if err != nil {
			return err
		}
		log, err := os.Create(filepath.Join(cfg.folder, "journal"))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, log.Close()) }()
		c := &crashLoop{
			name: name, fleet: f, report: s.report, journal: newJournal("crash", log), found: &findings{},
			random: rand.New(rand.NewPCG(s.seed, uint64(len(name)))), cycles: s.tier.crashCycles,
		}
		if err := c.setUp(ctx); err != nil {
			return err
		}
		return c.run(ctx)
	}
}

// crashLoop kills processes while workers change things, and checks what was acknowledged.
type crashLoop struct {
	name    string
	fleet   *fleet
	report  *report
	journal *journal
	found   *findings
	random  *rand.Rand
	cycles  int

	callers []*caller // of each replica
	workers []*worker
	audited int           // journal entries before this one are compared already
	slowest time.Duration // start of a server, but for slow ones
	slow    int           // starts
}

func (c *crashLoop) setUp(ctx context.Context) error {
	c.callers = newCallers(c.fleet)
	if err := c.logIn(ctx); err != nil {
		return err
	}
	if err := c.fleet.prepareInspection(ctx); err != nil {
		return err
	}
	group, err := makeCrashOrg(ctx, c.callers[0])
	if err != nil {
		return err
	}
	for i := range crashWorkers {
		c.workers = append(c.workers, &worker{
			number: i, group: group, journal: c.journal, found: c.found, callers: c.callers,
			random: rand.New(rand.NewPCG(c.random.Uint64(), uint64(i))),
		})
	}
	c.workers[0].keys = &keyring{}
	return nil
}

// makeCrashOrg makes what the accounts belong to, and returns the group's id.
func makeCrashOrg(ctx context.Context, at *caller) (group string, err error) {
	if _, err := at.must(ctx, http.MethodPost, "/v2/orgs", `{"slug":"crash","name":"Crash"}`); err != nil {
		return "", err
	}
	for role, permissions := range crashRoles {
		body := fmt.Sprintf(`{"slug":%q,"name":%q,"permissions":["%s"]}`, role, role, strings.Join(permissions, `","`))
		if _, err := at.must(ctx, http.MethodPost, crashOrg+"/roles", body); err != nil {
			return "", err
		}
	}
	made, err := at.must(ctx, http.MethodPost, crashOrg+"/groups", `{"name":"auditors","roles":["auditor"]}`)
	return made.text("id"), err
}

func (c *crashLoop) logIn(ctx context.Context) error {
	for _, at := range c.callers {
		if err := at.logIn(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *crashLoop) run(ctx context.Context) error {
	done := 0
	for ; done < c.cycles && ctx.Err() == nil && !c.found.any(); done++ {
		if err := c.cycle(ctx, done); err != nil {
			return fmt.Errorf("cycle %d: %w", done, err)
		}
		if (done+1)%fullCheckEach == 0 {
			c.report.logf("%s: %d kills, %d writes acknowledged", c.name, done+1, c.journal.acknowledgements())
		}
	}
	for _, f := range c.found.all() {
		c.report.violate(c.name, "%s", f)
	}
	c.report.count(func(s *summary) {
		s.KillCycles += done
		s.AcknowledgedWrites += c.journal.acknowledgements()
		s.LostWrites += c.found.count(lostWrite)
		s.RevokedButActive += c.found.count(revivedOne)
	})
	c.report.figure(c.name, "cycles", float64(done))
	c.report.figure(c.name, "slowest_start_ms", milliseconds(c.slowest))
	c.report.figure(c.name, "slow_starts", float64(c.slow))
	c.report.logf("%s: %s", c.name, c.journal)
	return errors.Join(ctx.Err(), c.journal.err())
}

// cycle lets the workers run into a kill, starts what was killed, and checks.
func (c *crashLoop) cycle(ctx context.Context, number int) error {
	hit := chooseCasualty(c.random, number, len(c.fleet.replicas), c.fleet.postgres != nil)
	if c.random.IntN(3) == 0 {
		c.workers[0].keys.due = true
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	var all sync.WaitGroup
	for _, w := range c.workers {
		all.Go(func() { w.run(running, number) })
	}
	pause(ctx, time.Duration(300+c.random.IntN(700))*time.Millisecond)
	if err := c.fleet.strike(hit); err != nil {
		return err
	}
	if len(c.fleet.replicas) == 1 {
		stop()
		all.Wait()
		// The files are read before the server has recovered them.
		c.inspect(ctx, number, hit)
	}
	if err := c.recover(ctx, hit); err != nil {
		return err
	}
	stop()
	all.Wait()
	if len(c.fleet.replicas) > 1 {
		if err := c.fleet.quiet(ctx); err != nil {
			return err
		}
		c.inspect(ctx, number, hit)
	}
	return c.verify(ctx, number)
}

// recover starts again what was struck, and waits until every replica serves.
func (c *crashLoop) recover(ctx context.Context, hit casualty) error {
	if err := c.fleet.restartEngines(ctx, hit); err != nil {
		return err
	}
	if err := c.restartServers(ctx, hit); err != nil {
		return err
	}
	began := time.Now()
	for _, r := range c.fleet.replicas {
		for !r.ready(ctx) {
			if ctx.Err() != nil || time.Since(began) > readyAfterEngine {
				return fmt.Errorf("replica %d is not ready %v after the restart of %s", r.index, readyAfterEngine, hit)
			}
			pause(ctx, 5*time.Millisecond)
		}
	}
	return nil
}

// restartServers starts the killed servers. Those that are slow are killed and started again.
func (c *crashLoop) restartServers(ctx context.Context, hit casualty) error {
	for range slowStarts {
		took, err := c.fleet.restartServers(ctx, hit)
		if err != nil || took <= readyAfterKill {
			c.slowest = max(c.slowest, took)
			return err
		}
		c.slow++
		if err := c.fleet.strike(casualty{servers: hit.servers}); err != nil {
			return err
		}
	}
	c.found.add(wrong("a killed server is not ready %v after its start, %d times in a row (I20)", readyAfterKill, slowStarts))
	_, err := c.fleet.restartServers(ctx, hit)
	return err
}

// verify settles what is unknown at one replica and compares every fact with each.
func (c *crashLoop) verify(ctx context.Context, number int) error {
	if err := c.logIn(ctx); err != nil {
		return err
	}
	someone := c.callers[c.random.IntN(len(c.callers))]
	c.together(func(w *worker) { w.settle(ctx, someone) })
	whole := c.wholeCheck(number)
	for _, at := range c.callers {
		c.together(func(w *worker) {
			w.checkKeys(ctx, at)
			w.check(ctx, at, func(s *subject) bool {
				return whole || s.touched == number || w.random.IntN(len(w.subjects)) < olderChecked
			})
		})
	}
	return ctx.Err()
}

func (c *crashLoop) wholeCheck(number int) bool {
	return (number+1)%fullCheckEach == 0 || number == c.cycles-1
}

func (c *crashLoop) together(do func(*worker)) {
	var all sync.WaitGroup
	for _, w := range c.workers {
		all.Go(func() { do(w) })
	}
	all.Wait()
}

// pause sleeps, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
