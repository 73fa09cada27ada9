package e2e_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite", to look at what a dead server left
)

// Variables that lengthen or repeat the crash test.
const (
	crashCyclesVariable = "SIGNET_E2E_CRASH_CYCLES"
	crashSeedVariable   = "SIGNET_E2E_CRASH_SEED"
)

const (
	crashCycles  = 10
	crashWorkers = 8
)

// TestI15_Kill9LosesNoAcknowledgedWrite kills the server again and again while eight
// administrators change things, and each time finds every change that was acknowledged.
func TestI15_Kill9LosesNoAcknowledgedWrite(t *testing.T) {
	seed := number(t, crashSeedVariable, int(time.Now().UnixNano()))
	t.Logf("%s=%d", crashSeedVariable, seed)
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	p := newPlace(t)
	root := p.bootstrap(t)
	s := p.serve(t)
	log := newJournal()
	workers := make([]*worker, crashWorkers)
	setUpCrash(t, s, root, workers, log, random)

	for cycle := range number(t, crashCyclesVariable, crashCycles) {
		runUntilKilled(t, s, root, workers, time.Duration(100+random.IntN(400))*time.Millisecond)
		checkFiles(t, p, log)
		s = p.serve(t)
		if s.readyAfter > readyWithin {
			t.Errorf("cycle %d: ready %v after the start, want at most %v (I20)", cycle, s.readyAfter, readyWithin)
		}
		admin := s.plain(t).as(root)
		together(workers, func(w *worker) {
			w.api = admin
			w.settle()
			w.check()
		})
		if t.Failed() {
			t.Fatalf("facts are lost after %d kills: %s", cycle+1, log)
		}
	}
	t.Log(log)
	s.stop(t)
	checkFiles(t, p, log)
}

func number(t *testing.T, variable string, standard int) int {
	t.Helper()
	text, set := os.LookupEnv(variable)
	if !set {
		return standard
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

func setUpCrash(t *testing.T, s *server, root login, workers []*worker, log *journal, random *rand.Rand) {
	t.Helper()
	admin := s.api(t).as(root)
	admin.makeAcme()
	for role, permissions := range crashRoles {
		body, err := json.Marshal(map[string]any{"slug": role, "name": role, "permissions": permissions})
		if err != nil {
			t.Fatal(err)
		}
		admin.post(http.StatusCreated, "/v2/orgs/acme/roles", string(body))
	}
	for i := range workers {
		workers[i] = &worker{t: t, number: i, journal: log, random: rand.New(rand.NewPCG(random.Uint64(), uint64(i)))}
	}
}

// runUntilKilled lets the workers change things and kills the server in the middle of it.
func runUntilKilled(t *testing.T, s *server, root login, workers []*worker, after time.Duration) {
	t.Helper()
	admin := s.plain(t).as(root)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var killed sync.WaitGroup
	killed.Go(func() {
		time.Sleep(after)
		s.kill()
		stop()
	})
	together(workers, func(w *worker) {
		w.api = admin
		for ctx.Err() == nil && w.pending == nil {
			w.change()
		}
	})
	killed.Wait()
}

func together(workers []*worker, do func(*worker)) {
	var all sync.WaitGroup
	for _, w := range workers {
		all.Go(func() { do(w) })
	}
	all.Wait()
}

// checkFiles reads a copy of what the dead server left, so that the server itself still has
// to recover: the database is whole, and each acknowledged write has its one audit event.
func checkFiles(t *testing.T, p *place, log *journal) {
	t.Helper()
	db := openCopy(t, p, "signet.db")
	var verdict string
	if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil {
		t.Fatal(err)
	}
	if verdict != "ok" {
		t.Errorf("integrity_check (I20): %s", verdict)
	}
	rows, err := db.QueryContext(t.Context(), "SELECT correlation_id, COUNT(*) FROM audit_events GROUP BY correlation_id")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	events := map[string]int{}
	for rows.Next() {
		var id string
		var count int
		if err := rows.Scan(&id, &count); err != nil {
			t.Fatal(err)
		}
		events[id] = count
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, fault := range log.compare(events) {
		t.Errorf("I44: %s", fault)
	}
}

// openCopy opens a copy of a database file with its log.
func openCopy(t *testing.T, p *place, name string) *sql.DB {
	t.Helper()
	folder := t.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(p.data(name + suffix))
		if os.IsNotExist(err) && suffix != "" {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name+suffix), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite", filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}
