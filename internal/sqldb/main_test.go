package sqldb_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/signet-issuer/signet/internal/engines"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/internal/sqldb"
)

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }

// onEmpty runs a test on an empty database of each kind.
func onEmpty(t *testing.T, test func(t *testing.T, db *sqldb.DB)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) {
		db, _ := empty(t)
		test(t, db)
	})
	t.Run("PostgreSQL", func(t *testing.T) { test(t, openPostgres(t, engines.Database(t))) })
}

// onBoth runs a test on a database of each kind, migrated to notes.
func onBoth(t *testing.T, test func(t *testing.T, db *sqldb.DB)) {
	t.Helper()
	onEmpty(t, func(t *testing.T, db *sqldb.DB) {
		migrate(t, db)
		test(t, db)
	})
}

func open(t *testing.T) (db *sqldb.DB, path string) {
	t.Helper()
	db, path = empty(t)
	migrate(t, db)
	return db, path
}

func empty(t *testing.T) (db *sqldb.DB, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "a b?#%.db")
	db, err := sqldb.OpenSQLite(t.Context(), path, sqldb.Full)
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, db)
	return db, path
}

func openPostgres(t *testing.T, url string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.OpenPostgres(t.Context(), sqldb.PostgresConfig{URL: secret.New(url)})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, db)
	return db
}

func closeAtEnd(t *testing.T, db *sqldb.DB) {
	t.Helper()
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}

func migrate(t *testing.T, db *sqldb.DB) {
	t.Helper()
	if err := db.Migrate(t.Context(), notes); err != nil {
		t.Fatal(err)
	}
}
