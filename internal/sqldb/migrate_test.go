package sqldb_test

import (
	"errors"
	"io/fs"
	"maps"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/signet-issuer/signet/internal/engines"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/internal/sqldb"
)

func TestEmbeddedMigrationsApplyOnceAndAreSound(t *testing.T) {
	onEmpty(t, func(t *testing.T, db *sqldb.DB) {
		for range 2 {
			if err := db.Migrate(t.Context(), sqldb.Migrations); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Check(t.Context()); err != nil {
			t.Error(err)
		}
		var n int
		if err := one(t, db, &n, "SELECT count(*) FROM orgs"); err != nil || n != 0 {
			t.Errorf("a fresh schema: %d orgs, %v", n, err)
		}
	})
}

// with adds files to the migrations of notes.
func with(files map[string]string) fs.FS {
	all := maps.Clone(notes)
	for name, text := range files {
		all[name] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + text)}
	}
	return all
}

func TestI20_AFailedMigrationLeavesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		broken := with(map[string]string{"0002_more.sql": "CREATE TABLE more (id BIGINT PRIMARY KEY);\nCREATE TABLE notes (id BIGINT);\n"})
		if err := db.Migrate(t.Context(), broken); err == nil || errors.Is(err, sqldb.ErrUnavailable) {
			t.Fatalf("Migrate = %v, want that the table exists", err)
		}
		var n int
		if err := one(t, db, &n, "SELECT count(*) FROM more"); err == nil {
			t.Error("half of the migration is there")
		}
		whole := with(map[string]string{"0002_more.sql": "CREATE TABLE more (id BIGINT PRIMARY KEY);\n"})
		if err := db.Migrate(t.Context(), whole); err != nil {
			t.Errorf("once it is repaired: %v", err)
		}
		if err := one(t, db, &n, "SELECT count(*) FROM more"); err != nil {
			t.Error(err)
		}
	})
}

func TestI21_ANewerSchemaIsLeftAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		newer := with(map[string]string{"0002_more.sql": "ALTER TABLE notes ADD COLUMN extra TEXT;\n"})
		if err := db.Migrate(t.Context(), newer); err != nil {
			t.Fatal(err)
		}
		if err := db.Migrate(t.Context(), notes); err != nil {
			t.Errorf("the older binary does not start: %v", err)
		}
		if err := insert(t, db, 1, "x"); err != nil {
			t.Errorf("nor write: %v", err)
		}
	})
}

// A statement that was prepared before a migration changed the type of what it returns fails
// once on each connection that knows it. Nobody may see that.
func TestI21_StatementsOutliveAMigration(t *testing.T) {
	db := openPostgres(t, engines.Database(t))
	migrate(t, db)
	if err := insert(t, db, 1, "1"); err != nil {
		t.Fatal(err)
	}
	const query = "SELECT text FROM notes WHERE id = $1"
	read := func(tx *sqldb.Tx) (text string, err error) {
		return text, tx.QueryRowContext(t.Context(), query, 1).Scan(&text)
	}
	everywhere(t, 12, func() error { // on all connections at once, so that each has prepared it
		return db.Read(t.Context(), func(tx *sqldb.Tx) error {
			defer time.Sleep(100 * time.Millisecond)
			_, err := read(tx)
			return err
		})
	})
	if err := run(t, db, "ALTER TABLE notes ALTER COLUMN text TYPE VARCHAR(200)"); err != nil {
		t.Fatal(err)
	}
	var text string
	if err := one(t, db, &text, query, 1); err != nil || text != "1" {
		t.Errorf("Each: %q, %v", text, err)
	}
	everywhere(t, 12, func() error {
		return db.Read(t.Context(), func(tx *sqldb.Tx) error {
			text, err := read(tx)
			if err == nil && text != "1" {
				t.Errorf("Read: %q", text)
			}
			return err
		})
	})
}

// everywhere calls fn n times at once.
func everywhere(t *testing.T, n int, fn func() error) {
	t.Helper()
	var group sync.WaitGroup
	for range n {
		group.Go(func() {
			if err := fn(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

func TestI20_ReplicasMigrateAtOnce(t *testing.T) {
	url := engines.Database(t)
	start := time.Now()
	everywhere(t, 6, func() error {
		db, err := sqldb.OpenPostgres(t.Context(), sqldb.PostgresConfig{URL: secret.New(url), MaxConns: 4})
		if err != nil {
			return err
		}
		var n int
		return errors.Join(db.Migrate(t.Context(), sqldb.Migrations),
			one(t, db, &n, "SELECT count(*) FROM revoked_tokens"), db.Close())
	})
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("they took %v", took)
	}
}

// A replica that has the lock and does not move must not keep those from starting that have
// nothing to migrate.
func TestI20_AMigratedDatabaseNeedsNoLock(t *testing.T) {
	url := engines.Database(t)
	db := openPostgres(t, url)
	migrate(t, db)
	err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
		if err := exec(t, tx, "SELECT pg_advisory_xact_lock($1)", 0x7369676e6574); err != nil {
			return err
		}
		start := time.Now()
		if err := openPostgres(t, url).Migrate(t.Context(), notes); err != nil {
			return err
		}
		if took := time.Since(start); took > 400*time.Millisecond {
			t.Errorf("to open a migrated database took %v", took)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A migration waits for a lock that it needs, but only so long that those behind it survive.
func TestI20_AMigrationTriesAgainForALock(t *testing.T) {
	db := openPostgres(t, engines.Database(t))
	migrate(t, db)
	held, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- db.Write(t.Context(), func(tx *sqldb.Tx) error {
			if err := tx.AllowSlow(t.Context()); err != nil {
				return err
			}
			if err := exec(t, tx, "INSERT INTO notes (id, text) VALUES (1, 'x')"); err != nil {
				return err
			}
			close(held)
			return exec(t, tx, "SELECT pg_sleep(1.5)")
		})
	}()
	<-held
	if err := db.Migrate(t.Context(), with(map[string]string{"0002_more.sql": "ALTER TABLE notes ADD COLUMN extra TEXT;\n"})); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Errorf("the write before it: %v", err)
	}
}

func TestDamageIsFoundOnPostgreSQL(t *testing.T) {
	for name, damage := range map[string]string{
		"constraint": "ALTER TABLE notes ADD CONSTRAINT late CHECK (id < 0) NOT VALID",
		"index":      "UPDATE pg_index SET indisvalid = FALSE WHERE indexrelid = 'notes_text_key'::regclass",
	} {
		t.Run(name, func(t *testing.T) {
			db := openPostgres(t, engines.Database(t))
			migrate(t, db)
			if err := db.Check(t.Context()); err != nil {
				t.Fatalf("a sound database: %v", err)
			}
			if err := run(t, db, damage); err != nil {
				t.Fatal(err)
			}
			if err := db.Check(t.Context()); err == nil {
				t.Error("damage was not found")
			}
		})
	}
}
