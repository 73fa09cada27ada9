package sqldb_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/internal/sqldb"
)

func TestAClosedDatabaseIsUnavailable(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		if err := one(t, db, new(int), "SELECT count(*) FROM notes"); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		var n int
		for name, err := range map[string]error{
			"Read":         db.Read(t.Context(), func(*sqldb.Tx) error { return nil }),
			"Write":        db.Write(t.Context(), func(*sqldb.Tx) error { return nil }),
			"QueryContext": one(t, db, &n, "SELECT count(*) FROM notes"),
			"new query":    one(t, db, &n, "SELECT count(*) + 1 FROM notes"),
			"Ping":         db.Ping(t.Context()),
			"Check":        db.Check(t.Context()),
			"Migrate":      db.Migrate(t.Context(), notes),
		} {
			if !errors.Is(err, sqldb.ErrUnavailable) {
				t.Errorf("%s = %v, want ErrUnavailable", name, err)
			}
		}
	})
}

func TestDamageIsFound(t *testing.T) {
	db, path := open(t)
	for i := range 200 {
		if err := insert(t, db, i, fmt.Sprintf("%0200d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Check(t.Context()); err != nil {
		t.Fatalf("a sound database: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	spoil(t, path)
	damaged, err := sqldb.OpenSQLite(t.Context(), path, sqldb.Full)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = damaged.Close() }()
	if err := damaged.Check(t.Context()); err == nil {
		t.Error("damage was not found")
	}
}

// spoil zeroes the second half of the file.
func spoil(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(data[len(data)/2:])
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAFullDiskStopsWritesAlone(t *testing.T) {
	db, _ := open(t)
	if err := insert(t, db, 1, "x"); err != nil {
		t.Fatal(err)
	}
	limit := func(pages int) {
		t.Helper()
		err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
			var got int
			return tx.QueryRowContext(t.Context(), fmt.Sprint("PRAGMA max_page_count = ", pages)).Scan(&got)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	limit(1)
	if err := insert(t, db, 2, strings.Repeat("long ", 10_000)); !errors.Is(err, sqldb.ErrUnavailable) {
		t.Errorf("Write = %v, want ErrUnavailable", err)
	}
	if n := count(t, db); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
	limit(1_000_000)
	if err := insert(t, db, 2, "y"); err != nil {
		t.Errorf("once there is room again: %v", err)
	}
}
