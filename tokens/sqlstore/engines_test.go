package sqlstore_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/signet-issuer/signet/internal/audit"
	"github.com/signet-issuer/signet/internal/engines"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/internal/sqldb"
	"github.com/signet-issuer/signet/tokens/sqlstore"
	"github.com/signet-issuer/signet/tokens/storetest"
)

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }

// onEach runs a test on an empty database of each kind.
func onEach(t *testing.T, test func(*testing.T, *sqldb.DB)) {
	t.Run("SQLite", func(t *testing.T) { test(t, openDB(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, openPostgres(t)) })
}

func openDB(t *testing.T) *sqldb.DB {
	t.Helper()
	db, err := sqldb.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "signet.db"), sqldb.Normal)
	return migrated(t, db, err)
}

func openPostgres(t *testing.T) *sqldb.DB {
	t.Helper()
	url := secret.New(engines.Database(t))
	db, err := sqldb.OpenPostgres(t.Context(), sqldb.PostgresConfig{URL: url, MaxConns: 16})
	return migrated(t, db, err)
}

func migrated(t *testing.T, db *sqldb.DB, err error) *sqldb.DB {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(t.Context(), sqldb.Migrations); err != nil {
		t.Fatal(err)
	}
	return db
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Backend { return backend(t, openDB(t)) })
}

func TestConformancePostgres(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Backend { return backend(t, openPostgres(t)) })
}

func backend(t *testing.T, db *sqldb.DB) storetest.Backend {
	t.Helper()
	return storetest.Backend{
		Store: sqlstore.New(db), Accounts: addAccounts(t, db),
		Events: func(t *testing.T) []audit.Event { return allEvents(t, db) },
	}
}
