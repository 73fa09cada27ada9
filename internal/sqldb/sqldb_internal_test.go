package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOldLibrariesAreRefused(t *testing.T) {
	for version, ok := range map[string]bool{
		"3.51.2": false, "3.9.99": false, "2.99.99": false, "3.51.3": true, "3.53.4": true, "4.0.0": true, "new": false,
	} {
		if err := checkVersion(version); (err == nil) != ok {
			t.Errorf("checkVersion(%s) = %v", version, err)
		}
	}
}

func TestTimesKeepMicroseconds(t *testing.T) {
	east := time.FixedZone("east", 3600)
	at := time.Date(2026, 11, 22, 1, 2, 3, 456_789_999, east)
	want := time.Date(2026, 11, 22, 0, 2, 3, 456_789_000, time.UTC)
	if got := FromMicros(Micros(at)); !got.Equal(want) || got.Location() != time.UTC {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := FromNullMicros(NullMicros(at)); !got.Equal(want) || got.Location() != time.UTC {
		t.Errorf("nullable: got %v, want %v", got, want)
	}
	if NullMicros(time.Time{}).Valid || !FromNullMicros(sql.NullInt64{}).IsZero() {
		t.Error("the zero time is not NULL")
	}
}

func TestUnavailableIsOnlyWhatSaysNothingAboutData(t *testing.T) {
	mine := errors.New("mine")
	for _, tt := range []struct {
		name string
		err  error
		want bool
	}{
		{"lost connection", driver.ErrBadConn, true},
		{"connection given back", sql.ErrConnDone, true},
		{"transaction rolled back beneath", fmt.Errorf("insert: %w", sql.ErrTxDone), true},
		{"no row", sql.ErrNoRows, false},
		{"cancelled", context.Canceled, false},
		{"out of time", fmt.Errorf("read: %w", context.DeadlineExceeded), false},
		{"another error", mine, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Unavailable(tt.err)
			if errors.Is(got, ErrUnavailable) != tt.want {
				t.Errorf("Unavailable = %v", got)
			}
			if !errors.Is(got, tt.err) {
				t.Error("the cause is lost")
			}
			if again := Unavailable(got); strings.Count(again.Error(), ErrUnavailable.Error()) > 1 {
				t.Error("wrapped twice")
			}
		})
	}
	if Unavailable(nil) != nil {
		t.Error("nil is an error")
	}
}

func TestErrorsAreKnownByCode(t *testing.T) {
	db, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "x.db"), Normal)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	run := func(statements ...string) error {
		return db.Write(t.Context(), func(tx *Tx) error {
			for _, statement := range statements {
				if _, err := tx.ExecContext(t.Context(), statement); err != nil {
					return fmt.Errorf("run: %w", err)
				}
			}
			return nil
		})
	}
	if err := run("CREATE TABLE t (id BIGINT PRIMARY KEY, u TEXT NOT NULL UNIQUE, p BIGINT REFERENCES t (id))"); err != nil {
		t.Fatal(err)
	}
	if err := run("INSERT INTO t (id, u) VALUES (1, 'a')"); err != nil {
		t.Fatal(err)
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
		{"PRAGMA query_only = 1; INSERT INTO t (id, u) VALUES (3, 'c')", false, false, true},
	} {
		err := run(tt.statement)
		if err == nil {
			t.Errorf("%s: no error", tt.statement)
		}
		if IsUnique(err) != tt.unique || IsForeignKey(err) != tt.foreign || errors.Is(err, ErrUnavailable) != tt.un {
			t.Errorf("%s: %v: unique %v, foreign key %v, unavailable %v", tt.statement, err,
				IsUnique(err), IsForeignKey(err), errors.Is(err, ErrUnavailable))
		}
	}
}

// One statement that outlives ctx must give the error of ctx, whatever the driver says.
func TestTheEndOfAContextStaysOne(t *testing.T) {
	db, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "x.db"), Normal)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	const endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
	for name, run := range map[string]func(context.Context, func(*Tx) error) error{"Read": db.Read, "Write": db.Write} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		err := run(ctx, func(tx *Tx) error {
			var n int64
			return tx.QueryRowContext(ctx, endless).Scan(&n)
		})
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrUnavailable) {
			t.Errorf("%s = %v, want the end of ctx", name, err)
		}
		if err := run(t.Context(), func(*Tx) error { return nil }); err != nil {
			t.Errorf("%s afterwards: %v", name, err)
		}
	}
}

func TestEmbeddedMigrationsApplyOnceAndAreSound(t *testing.T) {
	db, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "x.db"), Normal)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for range 2 {
		if err := db.Migrate(t.Context(), Migrations); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Check(t.Context()); err != nil {
		t.Error(err)
	}
	var n int
	err = db.Read(t.Context(), func(tx *Tx) error {
		return tx.QueryRowContext(t.Context(), "SELECT count(*) FROM orgs").Scan(&n)
	})
	if err != nil || n != 0 {
		t.Errorf("a fresh schema: %d orgs, %v", n, err)
	}
}
