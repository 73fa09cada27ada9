package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/signet-issuer/signet/internal/sqldb"
)

var notes = fstest.MapFS{
	"0001_notes.sql": {Data: []byte(`-- +goose Up
CREATE TABLE topics (id BIGINT PRIMARY KEY);
CREATE TABLE notes (id BIGINT PRIMARY KEY, topic BIGINT REFERENCES topics (id) DEFERRABLE, text TEXT NOT NULL UNIQUE);
`)},
}

// outside opens the file as another process would.
func outside(t *testing.T, path string) *sql.Conn {
	t.Helper()
	other, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path}).String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := other.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(conn.Close(), other.Close()); err != nil {
			t.Error(err)
		}
	})
	return conn
}

func exec(t *testing.T, tx *sqldb.Tx, query string, args ...any) error {
	t.Helper()
	_, err := tx.ExecContext(t.Context(), query, args...)
	return err
}

func count(t *testing.T, db *sqldb.DB) (n int) {
	t.Helper()
	err := db.Read(t.Context(), func(tx *sqldb.Tx) error {
		return tx.QueryRowContext(t.Context(), "SELECT count(*) FROM notes").Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func insert(t *testing.T, db *sqldb.DB, id int, text string) error {
	t.Helper()
	return db.Write(t.Context(), func(tx *sqldb.Tx) error {
		return exec(t, tx, "INSERT INTO notes (id, text) VALUES ($1, $2)", id, text)
	})
}

func TestFilesBelongToTheOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	db, err := sqldb.OpenSQLite(t.Context(), path, sqldb.Normal)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context(), notes); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", filepath.Base(name), info.Mode())
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the log is left behind: %v", err)
	}
}

func TestI16_EveryConnectionHasThePragmas(t *testing.T) {
	db, _ := open(t)
	want := map[string]string{"foreign_keys": "1", "journal_mode": "wal", "synchronous": "2", "query_only": "0"}
	err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
		for name, value := range want {
			var got string
			if err := tx.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&got); err != nil {
				return err
			}
			if got != value {
				t.Errorf("writer: %s is %s, want %s", name, got, value)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Read(t.Context(), func(tx *sqldb.Tx) error {
		return exec(t, tx, "INSERT INTO notes (id, text) VALUES (1, 'x')")
	})
	if err == nil {
		t.Error("a reader wrote")
	}
	if n := count(t, db); n != 0 {
		t.Errorf("%d rows after a refused write", n)
	}
}

func TestReadSeesOneSnapshot(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		err := db.Read(t.Context(), func(tx *sqldb.Tx) error {
			for i := range 3 {
				var n int
				if err := tx.QueryRowContext(t.Context(), "SELECT count(*) FROM notes").Scan(&n); err != nil {
					return err
				}
				if n != 0 {
					t.Errorf("read %d saw %d rows of a later commit", i, n)
				}
				if err := insert(t, db, i+1, fmt.Sprint("note ", i)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := count(t, db); n != 3 {
			t.Errorf("%d rows, want 3", n)
		}
	})
}

func TestI17_AFailedWriteLeavesNoTrace(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		mine := errors.New("mine")
		before := db.Epoch()
		err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
			return errors.Join(exec(t, tx, "INSERT INTO notes (id, text) VALUES (1, 'x')"), mine)
		})
		if !errors.Is(err, mine) || errors.Is(err, sqldb.ErrUnavailable) {
			t.Errorf("Write = %v, want the error of fn alone", err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic of fn was swallowed")
				}
			}()
			_ = db.Write(t.Context(), func(tx *sqldb.Tx) error {
				if err := exec(t, tx, "INSERT INTO notes (id, text) VALUES (1, 'x')"); err != nil {
					return err
				}
				panic("fn")
			})
		}()
		if n := count(t, db); n != 0 {
			t.Errorf("%d rows", n)
		}
		if db.Epoch() != before {
			t.Error("the epoch moved without an attempt to commit")
		}
		if err := insert(t, db, 1, "x"); err != nil {
			t.Errorf("write after a panic: %v", err)
		}
	})
}

func TestI9_EpochRisesBeforeAWriteReturns(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		before := db.Epoch()
		if err := insert(t, db, 1, "x"); err != nil {
			t.Fatal(err)
		}
		if db.Epoch() <= before {
			t.Error("the epoch did not rise")
		}
	})
}

// A deferred foreign key makes the commit itself fail: nobody can be sure of such a
// write in general, so what was read before must not count any more.
func TestI9_EpochRisesWhenTheCommitFails(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		before := db.Epoch()
		err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
			if err := exec(t, tx, deferred(t)); err != nil {
				return err
			}
			return exec(t, tx, "INSERT INTO notes (id, topic, text) VALUES (1, 99, 'x')")
		})
		if !sqldb.IsForeignKey(err) {
			t.Fatalf("Write = %v, want the foreign key", err)
		}
		if db.Epoch() <= before {
			t.Error("the epoch did not rise")
		}
		if err := insert(t, db, 1, "x"); err != nil {
			t.Errorf("write after a failed commit: %v", err)
		}
	})
}

func TestI19_WritesAreSerial(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				for range 10 {
					err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
						var n int
						if err := tx.QueryRowContext(t.Context(), "SELECT count(*) FROM notes").Scan(&n); err != nil {
							return err
						}
						return exec(t, tx, "INSERT INTO notes (id, text) VALUES ($2, $1)", fmt.Sprint(n), n)
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		if n := count(t, db); n != 80 {
			t.Errorf("%d rows, want 80", n)
		}
	})
}

func TestWriteWaitsForAForeignLock(t *testing.T) {
	db, path := open(t)
	other := outside(t, path)
	if _, err := other.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}

	// With less patience than the lock lasts, the end of ctx is what counts.
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := db.Write(ctx, func(*sqldb.Tx) error { return nil })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Write = %v, want the end of ctx", err)
	}
	if waited := time.Since(start); waited > 2*time.Second {
		t.Errorf("ctx ended after 50ms, Write after %v", waited)
	}

	done := make(chan error, 1)
	go func() { done <- insert(t, db, 1, "x") }()
	time.Sleep(400 * time.Millisecond) // longer than one busy timeout, so that fn is retried
	if _, err := other.ExecContext(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("Write = %v, want it to have waited", err)
	}
}

func TestQueryContextKeepsStatements(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		for i := range 20 {
			if err := insert(t, db, i, fmt.Sprint("note ", i)); err != nil {
				t.Fatal(err)
			}
		}
		var group sync.WaitGroup
		for worker := range 8 {
			group.Go(func() {
				for i := range 50 {
					id := (worker + i) % 20
					var got int
					if err := one(t, db, &got, "SELECT id FROM notes WHERE id = $1", id); err != nil || got != id {
						t.Errorf("asked for %d, got %d, %v", id, got, err)
					}
				}
			})
		}
		group.Wait()
	})
}

// deferred puts the check of foreign keys off to the commit.
func deferred(t *testing.T) string {
	t.Helper()
	if strings.HasSuffix(t.Name(), "/SQLite") {
		return "PRAGMA defer_foreign_keys = 1"
	}
	return "SET CONSTRAINTS ALL DEFERRED"
}

func one(t *testing.T, db *sqldb.DB, into any, query string, args ...any) error {
	t.Helper()
	return db.Each(t.Context(), func(rows *sql.Rows) error { return rows.Scan(into) }, query, args...)
}
