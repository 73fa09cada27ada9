package sqlstore_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/accounts/sqlstore"
	"github.com/signet-issuer/signet/accounts/storetest"
	"github.com/signet-issuer/signet/internal/engines"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/internal/sqldb"
)

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }

// onEach runs a test on an empty database of each kind.
func onEach(t *testing.T, test func(*testing.T, *sqldb.DB)) {
	t.Run("SQLite", func(t *testing.T) { test(t, openDB(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, openPostgres(t)) })
}

func openDB(t testing.TB) *sqldb.DB {
	t.Helper()
	return openSynced(t, sqldb.Normal)
}

func openSynced(t testing.TB, sync sqldb.Synchronous) *sqldb.DB {
	t.Helper()
	db, err := sqldb.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "signet.db"), sync)
	if err != nil {
		t.Fatal(err)
	}
	return prepared(t, db)
}

func openPostgres(t testing.TB) *sqldb.DB {
	t.Helper()
	return prepared(t, connect(t, engines.Database(t)))
}

// connect opens a database as one of several replicas does.
func connect(t testing.TB, url string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.OpenPostgres(t.Context(), sqldb.PostgresConfig{URL: secret.New(url), MaxConns: 16})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// prepared has the schema, and the key set at the version that the suite demands.
func prepared(t testing.TB, db *sqldb.DB) *sqldb.DB {
	t.Helper()
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(t.Context(), sqldb.Migrations); err != nil {
		t.Fatal(err)
	}
	change(t, db, "UPDATE key_set SET version = $1", storetest.KeySetVersion)
	return db
}

// change runs one statement past the store.
func change(t testing.TB, db *sqldb.DB, statement string, args ...any) {
	t.Helper()
	err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(t.Context(), statement, args...)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func onPostgres(t testing.TB, db *sqldb.DB) bool {
	t.Helper()
	var version string
	err := db.Read(t.Context(), func(tx *sqldb.Tx) error {
		return tx.QueryRowContext(t.Context(), "SELECT version()").Scan(&version)
	})
	return err == nil
}

// kinds of stores: an embedded one is cached, one on PostgreSQL batched.
var kinds = map[string][]sqlstore.Option{
	"plain":   nil,
	"cached":  {sqlstore.WithCache()},
	"batched": {sqlstore.WithBatching()},
}

func TestStore(t *testing.T) {
	for _, name := range []string{"plain", "cached"} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) accounts.Store { return sqlstore.New(openDB(t), kinds[name]...) })
		})
	}
}

func TestStorePostgres(t *testing.T) {
	db := openPostgres(t)
	storetest.Run(t, func(t *testing.T) accounts.Store {
		empty(t, db)
		return sqlstore.New(db, kinds["batched"]...)
	})
}

// empty is ten times as fast as another database. It finds the tables by itself.
func empty(t testing.TB, db *sqldb.DB) {
	t.Helper()
	change(t, db, `DO $$
		DECLARE name text;
		BEGIN
			SET LOCAL session_replication_role = replica; -- no foreign keys
			FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'goose%' LOOP
				EXECUTE 'DELETE FROM ' || quote_ident(name);
			END LOOP;
		END $$`)
	change(t, db, "INSERT INTO key_set (id, version) VALUES (1, $1)", storetest.KeySetVersion)
}
