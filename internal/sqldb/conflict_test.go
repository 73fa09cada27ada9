package sqldb_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-issuer/signet/internal/engines"
	"github.com/signet-issuer/signet/internal/sqldb"
)

// Each of two doctors may leave while the other stays. A snapshot alone lets both go.
func TestI19_WritesDoNotSkew(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		for round := range 10 {
			if err := run(t, db, "DELETE FROM notes", "INSERT INTO notes (id, text) VALUES (1, 'here'), (2, 'here too')"); err != nil {
				t.Fatal(err)
			}
			everywhere(t, 2, leave(t, db))
			if n := count(t, db); n != 1 {
				t.Fatalf("round %d: %d stayed, want 1", round, n)
			}
		}
	})
}

// leave returns what deletes a note of its own for each call, unless it is the last one.
func leave(t *testing.T, db *sqldb.DB) func() error {
	t.Helper()
	var next atomic.Int64
	return func() error {
		id := next.Add(1)
		return db.Write(t.Context(), func(tx *sqldb.Tx) error {
			var n int
			if err := tx.QueryRowContext(t.Context(), "SELECT count(*) FROM notes").Scan(&n); err != nil || n < 2 {
				return err
			}
			time.Sleep(5 * time.Millisecond)
			return exec(t, tx, "DELETE FROM notes WHERE id = $1", id)
		})
	}
}

// Two replicas that merge the same rows in opposite order meet in a deadlock.
func TestI19_MergesSurviveDeadlocks(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		if err := run(t, db, "INSERT INTO notes (id, text) VALUES (1, '0'), (2, '00')"); err != nil {
			t.Fatal(err)
		}
		var turn atomic.Int64
		everywhere(t, 4, func() error {
			ids := [][]int{{1, 2}, {2, 1}}[turn.Add(1)%2]
			return db.Merge(t.Context(), func(tx *sqldb.Tx) error {
				for _, id := range ids {
					if err := exec(t, tx, "UPDATE notes SET text = text || 'x' WHERE id = $1", id); err != nil {
						return err
					}
					time.Sleep(20 * time.Millisecond)
				}
				return nil
			})
		})
		for id, want := range map[int]string{1: "0xxxx", 2: "00xxxx"} {
			var text string
			if err := one(t, db, &text, "SELECT text FROM notes WHERE id = $1", id); err != nil || text != want {
				t.Errorf("note %d is %q, %v, want %q", id, text, err, want)
			}
		}
	})
}

// Whoever holds a row for long costs others a 503 in the end, and no other outcome.
func TestI19_AWriteGivesUpInTheEnd(t *testing.T) {
	db := openPostgres(t, engines.Database(t))
	migrate(t, db)
	if err := insert(t, db, 1, "x"); err != nil {
		t.Fatal(err)
	}
	update := func(text string) error {
		return db.Write(t.Context(), func(tx *sqldb.Tx) error {
			return exec(t, tx, "UPDATE notes SET text = $1 WHERE id = 1", text)
		})
	}
	err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
		if err := errors.Join(tx.AllowSlow(t.Context()), exec(t, tx, "UPDATE notes SET text = 'held' WHERE id = 1")); err != nil {
			return err
		}
		var group sync.WaitGroup
		start := time.Now()
		group.Go(func() {
			if err := update("other"); !errors.Is(err, sqldb.ErrUnavailable) {
				t.Errorf("Write = %v, want ErrUnavailable", err)
			}
			if took := time.Since(start); took < 4*time.Second || took > 7*time.Second {
				t.Errorf("it tried for %v, want five seconds", took)
			}
		})
		for i := range 7 { // else the server would end this transaction for idling
			if err := exec(t, tx, fmt.Sprintf("SELECT pg_sleep(0.9), %d", i)); err != nil {
				return err
			}
		}
		group.Wait()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := update("again"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// A connection that ends before the commit was sent has changed nothing: the write runs again.
func TestI15_AWriteSurvivesItsConnection(t *testing.T) {
	way, url := newLink(t, engines.Database(t))
	db := openPostgres(t, url)
	migrate(t, db)
	runs := 0
	err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
		if runs++; runs == 1 {
			way.reset()
		}
		return exec(t, tx, "INSERT INTO notes (id, text) VALUES ($1, $2)", 1, "x")
	})
	if err != nil || runs != 2 {
		t.Errorf("Write = %v after %d runs, want 2", err, runs)
	}
	if n := count(t, db); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

// Whether a commit has happened whose answer got lost nobody knows. It must not run again.
func TestI15_ALostCommitIsNotRepeated(t *testing.T) {
	way, url := newLink(t, engines.Database(t))
	db := openPostgres(t, url)
	migrate(t, db)
	before := db.Epoch()
	var lost atomic.Int32
	way.loseAnswerTo("commit", func() { lost.Add(1) })
	runs := 0
	err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
		runs++
		return exec(t, tx, "INSERT INTO notes (id, text) VALUES ($1, $2)", 1, "x")
	})
	if !errors.Is(err, sqldb.ErrUnavailable) || runs != 1 || lost.Load() != 1 {
		t.Errorf("Write = %v after %d runs, %d commits lost", err, runs, lost.Load())
	}
	for start := time.Now(); count(t, db) != 1; time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > 5*time.Second {
			t.Fatal("the commit never reached the server")
		}
	}
	if db.Epoch() <= before {
		t.Error("the epoch did not rise, and the write has happened")
	}
}
