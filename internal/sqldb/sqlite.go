package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Synchronous says what an acknowledged write of SQLite survives.
type Synchronous string

// Full survives a loss of power, Normal only a crash of the process.
const (
	Full   Synchronous = "FULL"
	Normal Synchronous = "NORMAL"
)

// minReaders keeps a long read from holding up the others on a small machine.
const minReaders = 4

const (
	// writerBusyTimeout is short because a write tries again, until writeLimit.
	writerBusyTimeout = 250 * time.Millisecond
	// readerBusyTimeout is for the rare locks that stop a reader: recovery of the log after a crash.
	readerBusyTimeout = writeLimit
)

// OpenSQLite opens or creates the database file at path, readable by its owner alone. The
// caller sees to it that no other process writes to it.
func OpenSQLite(ctx context.Context, path string, sync Synchronous) (*DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := createPrivate(path); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db := &DB{prepared: map[string]*sql.Stmt{}}
	if db.writer, err = sql.Open("sqlite", writerDSN(path, sync)); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if db.readers, err = sql.Open("sqlite", readerDSN(path)); err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), db.writer.Close())
	}
	db.writer.SetMaxOpenConns(1)
	db.writer.SetMaxIdleConns(1)
	readers := max(minReaders, runtime.GOMAXPROCS(0))
	db.readers.SetMaxOpenConns(readers)
	db.readers.SetMaxIdleConns(readers)
	if err := db.examine(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", filepath.Base(path), err), db.Close())
	}
	return db, nil
}

// createPrivate makes the file before SQLite does, whose own would follow the umask. The
// files that SQLite puts beside it get its mode.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

// Pragmas are part of the DSN so that every connection of a pool gets them.
func writerDSN(path string, sync Synchronous) string {
	return dsn(path, url.Values{
		"_txlock": {"immediate"},
		"_pragma": {
			"busy_timeout(" + strconv.FormatInt(writerBusyTimeout.Milliseconds(), 10) + ")",
			"foreign_keys(1)",
			"journal_mode(WAL)",
			"synchronous(" + string(sync) + ")",
		},
	})
}

// SQLite does not enforce read-only transactions, hence query_only.
func readerDSN(path string) string {
	return dsn(path, url.Values{
		"_pragma": {
			"busy_timeout(" + strconv.FormatInt(readerBusyTimeout.Milliseconds(), 10) + ")",
			"query_only(1)",
		},
	})
}

func dsn(path string, values url.Values) string {
	// Without it a misspelt column in double quotes is a string.
	values.Set("_dqs", "0")
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: values.Encode()}).String()
}

// examine refuses a library or a file system that would not keep what was acknowledged.
func (db *DB) examine(ctx context.Context) error {
	var version, journal string
	if err := db.writer.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		return outcome(ctx, err)
	}
	if err := checkVersion(version); err != nil {
		return err
	}
	if err := db.writer.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&journal); err != nil {
		return outcome(ctx, err)
	}
	if journal != "wal" {
		return fmt.Errorf("journal mode is %s: the file system does not support write-ahead logging", journal)
	}
	return db.Ping(ctx)
}

// checkVersion demands 3.51.3: older libraries can corrupt a file when its log is reset.
func checkVersion(text string) error {
	var major, minor, patch int
	if _, err := fmt.Sscanf(text, "%d.%d.%d", &major, &minor, &patch); err != nil {
		return fmt.Errorf("SQLite library version %q: %w", text, err)
	}
	if major*1_000_000+minor*1_000+patch < 3_051_003 {
		return fmt.Errorf("SQLite library %s is older than 3.51.3", text)
	}
	return nil
}

func (db *DB) checkSQLite(ctx context.Context) error {
	return db.Read(ctx, func(tx *Tx) error {
		var verdict string
		if err := tx.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
			return err
		}
		if verdict != "ok" {
			return fmt.Errorf("database is damaged: %s", verdict)
		}
		var table string
		err := tx.QueryRowContext(ctx, `SELECT "table" FROM pragma_foreign_key_check LIMIT 1`).Scan(&table)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return fmt.Errorf("database is damaged: a row of %s refers to nothing", table)
	})
}
