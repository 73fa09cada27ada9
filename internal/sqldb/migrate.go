package sqldb

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var embedded embed.FS

// Migrations is the schema of signet.db, and of the database on PostgreSQL.
var Migrations = under("migrations")

func under(folder string) fs.FS {
	sub, err := fs.Sub(embedded, folder)
	if err != nil {
		panic(err) // the folder is a constant
	}
	return sub
}

const (
	// migrationLock is the key of the advisory lock, of no meaning.
	migrationLock = 0x7369676e6574
	migrationPoll = 100 * time.Millisecond
	// While a migration waits for a lock all others wait behind it, so it does not wait long.
	migrationLockLimit = time.Second
	migrationAttempts  = 10
)

// Migrate brings the schema to the newest version that fsys has, one transaction for each
// file. On SQLite the caller must hold the lock on the data directory. On PostgreSQL any
// number of processes may call it at once; a newer schema is left alone, as a rolling upgrade
// has binaries of version n beside the schema of n+1.
func (db *DB) Migrate(ctx context.Context, fsys fs.FS) error {
	dialect, pool := goose.DialectSQLite3, db.writer
	if db.postgres != nil {
		dialect, pool = goose.DialectPostgres, db.postgres.migrationPool()
		defer func() { _ = pool.Close() }()
	}
	provider, err := goose.NewProvider(dialect, pool, fsys, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	defer db.epoch.Add(1)
	if db.postgres != nil {
		err = db.migratePostgres(ctx, pool, provider)
	} else {
		_, err = provider.Up(ctx)
	}
	if err != nil {
		return fmt.Errorf("migrate: %w", outcome(ctx, db.ifClosed(err)))
	}
	return nil
}

// migrationPool has no limit on statements: one may build an index over a million rows.
func (p *postgres) migrationPool() *sql.DB {
	return p.pool(2, 0, map[string]string{
		"statement_timeout":                   "0",
		"idle_in_transaction_session_timeout": "0",
		"lock_timeout":                        millis(migrationLockLimit),
	})
}

// migratePostgres takes no lock when there is nothing to do, which is how most processes start.
func (db *DB) migratePostgres(ctx context.Context, pool *sql.DB, provider *goose.Provider) error {
	sources := provider.ListSources()
	newest := sources[len(sources)-1].Version
	done := func() (bool, error) {
		version, err := db.schemaVersion(ctx)
		return version >= newest, err
	}
	if ok, err := done(); ok || err != nil {
		return err
	}
	// The lock belongs to a transaction, not to a session, so that a pooler between us and
	// the server cannot separate it from its owner.
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := awaitLock(ctx, tx); err != nil {
		return err
	}
	if ok, err := done(); ok || err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		_, err := provider.Up(ctx)
		if !conflicts(err) || attempt == migrationAttempts {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

func awaitLock(ctx context.Context, tx *sql.Tx) error {
	for {
		var mine bool
		err := tx.QueryRowContext(ctx, "SELECT pg_try_advisory_xact_lock($1)", migrationLock).Scan(&mine)
		if mine || err != nil {
			return err
		}
		select {
		case <-time.After(migrationPoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// schemaVersion is 0 when there is no schema yet.
func (db *DB) schemaVersion(ctx context.Context) (version int64, err error) {
	err = db.Each(ctx, func(rows *sql.Rows) error { return rows.Scan(&version) },
		"SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied")
	if pgCode(err) == "42P01" { // no such table
		return 0, nil
	}
	return version, err
}

// checkPostgres looks at the tables in the schema of ours.
func (db *DB) checkPostgres(ctx context.Context) error {
	const found = `
		SELECT 'a page of the database fails its checksum' FROM pg_stat_database
			WHERE datname = current_database() AND checksum_failures > 0
		UNION ALL SELECT 'the index ' || c.relname || ' is not valid' FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
			WHERE NOT (i.indisvalid AND i.indisready) AND c.relnamespace = to_regnamespace(current_schema()::text)
		UNION ALL SELECT 'the constraint ' || conname || ' is not valid' FROM pg_constraint
			WHERE NOT convalidated AND connamespace = to_regnamespace(current_schema()::text)
		LIMIT 1`
	return db.Each(ctx, func(rows *sql.Rows) error {
		var damage string
		if err := rows.Scan(&damage); err != nil {
			return err
		}
		return fmt.Errorf("database is damaged: %s", damage)
	}, found)
}
