package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signet-issuer/signet/internal/engines"
	"github.com/signet-issuer/signet/internal/sqldb"
)

// run runs statements in one write, as the domain does: each error is wrapped.
func run(t *testing.T, db *sqldb.DB, statements ...string) error {
	t.Helper()
	return db.Write(t.Context(), func(tx *sqldb.Tx) error {
		for _, statement := range statements {
			if err := exec(t, tx, statement); err != nil {
				return fmt.Errorf("run: %w", err)
			}
		}
		return nil
	})
}

func TestErrorsAreKnownByCode(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		err := run(t, db, "CREATE TABLE t (id BIGINT PRIMARY KEY, u TEXT NOT NULL UNIQUE, p BIGINT REFERENCES t (id))",
			"INSERT INTO t (id, u) VALUES (1, 'a')")
		if err != nil {
			t.Fatal(err)
		}
		readOnly := "PRAGMA query_only = 1; INSERT INTO t (id, u) VALUES (3, 'c')"
		if strings.HasSuffix(t.Name(), "/PostgreSQL") {
			readOnly = "SET TRANSACTION READ ONLY; INSERT INTO t (id, u) VALUES (3, 'c')"
		}
		for _, tt := range []struct {
			statement           string
			unique, foreign, un bool
		}{
			{"INSERT INTO t (id, u) VALUES (1, 'b')", true, false, false},
			{"INSERT INTO t (id, u) VALUES (2, 'a')", true, false, false},
			{"INSERT INTO t (id, u, p) VALUES (2, 'b', 9)", false, true, false},
			{"INSERT INTO t (id, u) VALUES (2, NULL)", false, false, false},
			{"INSERT INTO absent (id) VALUES (1)", false, false, false},
			{"INSERT INTO t (id, u) VALUES (3, \"misspelt\")", false, false, false},
			{readOnly, false, false, true},
		} {
			err := run(t, db, tt.statement)
			if err == nil {
				t.Errorf("%s: no error", tt.statement)
			}
			if sqldb.IsUnique(err) != tt.unique || sqldb.IsForeignKey(err) != tt.foreign || errors.Is(err, sqldb.ErrUnavailable) != tt.un {
				t.Errorf("%s: %v: unique %v, foreign key %v, unavailable %v", tt.statement, err,
					sqldb.IsUnique(err), sqldb.IsForeignKey(err), errors.Is(err, sqldb.ErrUnavailable))
			}
		}
	})
}

func TestAnErrorAboutDataIsNoOutage(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		for _, query := range []string{"SELECT absent FROM notes", "SELECT id FROM absent", "SELEC 1"} {
			for name, err := range map[string]error{
				"Each": one(t, db, new(int), query),
				"Read": db.Read(t.Context(), func(tx *sqldb.Tx) error { return exec(t, tx, query) }),
			} {
				if err == nil || errors.Is(err, sqldb.ErrUnavailable) || errors.Is(err, context.Canceled) {
					t.Errorf("%s of %q = %v", name, query, err)
				}
			}
		}
	})
}

// One statement that outlives ctx must give the error of ctx, whatever the driver says.
func TestTheEndOfAContextStaysOne(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		const endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) SELECT count(*) FROM n"
		for name, run := range map[string]func(context.Context, func(*sqldb.Tx) error) error{"Read": db.Read, "Write": db.Write} {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			start := time.Now()
			err := run(ctx, func(tx *sqldb.Tx) error {
				var n int64
				return tx.QueryRowContext(ctx, endless).Scan(&n)
			})
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sqldb.ErrUnavailable) {
				t.Errorf("%s = %v, want the end of ctx", name, err)
			}
			if waited := time.Since(start); waited > time.Second {
				t.Errorf("%s took %v", name, waited)
			}
			if err := run(t.Context(), func(*sqldb.Tx) error { return nil }); err != nil {
				t.Errorf("%s afterwards: %v", name, err)
			}
		}
	})
}

func TestNothingBeginsUnderAnEndedContext(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		ended, end := context.WithCancel(t.Context())
		err := db.Write(ended, func(tx *sqldb.Tx) error {
			defer end() // after the last statement, before the commit
			return exec(t, tx, "INSERT INTO notes (id, text) VALUES (1, 'x')")
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Write = %v, want the end of ctx", err)
		}
		var n int
		for name, err := range map[string]error{
			"Read":  db.Read(ended, func(*sqldb.Tx) error { return nil }),
			"Write": db.Write(ended, func(*sqldb.Tx) error { return nil }),
			"Merge": db.Merge(ended, func(*sqldb.Tx) error { return nil }),
			"Each":  db.Each(ended, nil, "SELECT count(*) FROM notes"),
			"Ping":  db.Ping(ended),
			"statement": db.Read(t.Context(), func(tx *sqldb.Tx) error {
				return tx.QueryRowContext(ended, "SELECT count(*) FROM notes").Scan(&n)
			}),
		} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s = %v, want the end of ctx", name, err)
			}
		}
		if n := count(t, db); n != 0 {
			t.Errorf("%d rows of a write whose caller had gone", n)
		}
	})
}

// Whoever hangs up in the middle of a statement would else make us open a connection anew,
// which costs the server far more than the statement.
func TestI42_CallersThatLeaveCostNoConnection(t *testing.T) {
	db := openPostgres(t, engines.Database(t))
	pids := func(call func(context.Context, func(*sqldb.Tx) error) error) (before, after int) {
		t.Helper()
		pid := func(ctx context.Context, rest string) (pid int, err error) {
			return pid, call(ctx, func(tx *sqldb.Tx) error {
				return tx.QueryRowContext(ctx, "SELECT pg_backend_pid()"+rest).Scan(&pid)
			})
		}
		before, err := pid(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			_, err := pid(ctx, " FROM pg_sleep(0.1)")
			cancel()
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		}
		if after, err = pid(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		return before, after
	}
	for name, call := range map[string]func(context.Context, func(*sqldb.Tx) error) error{"Read": db.Read, "Write": db.Write} {
		if before, after := pids(call); before != after {
			t.Errorf("%s went from connection %d to %d", name, before, after)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	var before, after int
	if err := one(t, db, &before, "SELECT pg_backend_pid()"); err != nil {
		t.Fatal(err)
	}
	if err := db.Each(ctx, func(*sql.Rows) error { return nil }, "SELECT pg_sleep(0.1)"); err != nil {
		t.Errorf("Each: %v", err)
	}
	if err := one(t, db, &after, "SELECT pg_backend_pid()"); err != nil || before != after {
		t.Errorf("Each went from connection %d to %d, %v", before, after, err)
	}
}
