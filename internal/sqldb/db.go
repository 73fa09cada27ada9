package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// writeLimit is how long a write that meets others goes on trying.
	writeLimit = 5 * time.Second
	// retryPause doubles with each attempt, up to maxRetryPause.
	retryPause    = 5 * time.Millisecond
	maxRetryPause = 160 * time.Millisecond
)

// DB is an open database: connections that write, of which SQLite has one, and a pool that
// only reads. It is safe for concurrent use. Errors that its methods return went through
// [Unavailable].
type DB struct {
	writer   *sql.DB
	readers  *sql.DB
	postgres *postgres // nil on SQLite
	epoch    atomic.Uint64
	closed   atomic.Bool

	mu       sync.RWMutex
	prepared map[string]*sql.Stmt // by text, on readers; unused on PostgreSQL
}

// Read runs fn on one consistent snapshot, at least as new as the last acknowledged write.
// fn must not use any other method of the DB: it holds one of few connections. On PostgreSQL
// fn runs again from the start when its connection is lost, as it does in [DB.Write].
func (db *DB) Read(ctx context.Context, fn func(*Tx) error) error {
	for start := time.Now(); ; {
		err := db.readOnce(ctx, fn)
		if err == nil || !repeatable(err) || time.Since(start) > acquireLimit || ctx.Err() != nil {
			return outcome(ctx, err)
		}
	}
}

func (db *DB) readOnce(ctx context.Context, fn func(*Tx) error) error {
	tx, err := db.begin(ctx, db.readers, sql.LevelRepeatableRead)
	if err != nil {
		return err
	}
	// The rollback of a transaction that only read has nothing to lose.
	defer tx.end()
	return fn(tx)
}

// Write runs fn in one serializable transaction and returns after the commit. When it meets
// another write fn runs again from the start, so it must not keep state from a failed run.
// After [ErrUnavailable] the write may have happened.
func (db *DB) Write(ctx context.Context, fn func(*Tx) error) error {
	return db.write(ctx, sql.LevelSerializable, fn)
}

// Merge is a [DB.Write] whose statements are each right on their own, such as an update to
// a maximum: on PostgreSQL it is read committed, and conflicts with no other.
func (db *DB) Merge(ctx context.Context, fn func(*Tx) error) error {
	return db.write(ctx, sql.LevelReadCommitted, fn)
}

func (db *DB) write(ctx context.Context, level sql.IsolationLevel, fn func(*Tx) error) error {
	start := time.Now()
	for attempt := 0; ; attempt++ {
		committing, err := db.writeOnce(ctx, level, fn)
		again := conflicts(err) || (!committing && (repeatable(err) || db.mayBeWritable(err, attempt)))
		if !again || time.Since(start) > writeLimit {
			return outcome(ctx, err)
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

// mayBeWritable reports that err came from a connection to a server that is read-only, as
// those are that are left over from before a failover. There may be one more in the pool.
func (db *DB) mayBeWritable(err error, attempt int) bool {
	return isReadOnly(err) && attempt < db.writer.Stats().MaxOpenConnections
}

// writeOnce also tells whether err is that of the commit, which may then have happened.
func (db *DB) writeOnce(ctx context.Context, level sql.IsolationLevel, fn func(*Tx) error) (committing bool, err error) {
	tx, err := db.begin(ctx, db.writer, level)
	if err != nil {
		return false, err
	}
	// Rolls back when fn fails or panics; after a commit it only gives the connection back.
	defer tx.end()
	if err := fn(tx); err != nil {
		tx.discard = isReadOnly(err)
		return false, err
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	// A commit that reports an error may have happened all the same.
	defer db.epoch.Add(1)
	err = tx.tx.Commit()
	return err != nil, err
}

// pause waits before the next attempt, a random time so that two writes do not meet for ever.
func pause(ctx context.Context, attempt int) error {
	longest := min(retryPause<<min(attempt, 10), maxRetryPause)
	select {
	case <-time.After(longest/2 + rand.N(longest/2)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Epoch is a number that grows after each commit, or attempt at one, and before the write
// is acknowledged. What was read after Epoch answered e is current while Epoch answers e.
// It holds for writes of this process only.
func (db *DB) Epoch() uint64 { return db.epoch.Load() }

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	if db.postgres != nil {
		return db.Each(ctx, func(*sql.Rows) error { return nil }, "SELECT 1")
	}
	return outcome(ctx, db.ifClosed(db.readers.PingContext(ctx)))
}

// Check reports damage. SQLite reads the whole database. PostgreSQL tells what it knows:
// pages that failed their checksum, and indexes and constraints that do not hold; to have it
// read everything is the task of pg_amcheck.
func (db *DB) Check(ctx context.Context) error {
	if db.postgres != nil {
		return db.checkPostgres(ctx)
	}
	return db.checkSQLite(ctx)
}

// Close ends all connections. Later calls of other methods answer [ErrUnavailable].
func (db *DB) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed.Swap(true) {
		return nil
	}
	var errs []error
	for _, stmt := range db.prepared {
		errs = append(errs, stmt.Close())
	}
	db.prepared = nil
	// The writer goes last: the last connection to leave moves SQLite's log into the file.
	return errors.Join(append(errs, db.readers.Close(), db.writer.Close())...)
}

// ifClosed marks the error of a closed database, for which database/sql has no name.
func (db *DB) ifClosed(err error) error {
	if err == nil || !db.closed.Load() {
		return err
	}
	return &unavailableError{cause: err}
}

// outcome prefers what ctx says over what the driver made of its end.
func outcome(ctx context.Context, err error) error {
	err = Unavailable(err)
	if errors.Is(err, ErrUnavailable) && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// overdue names the end of a limit of ours, which is not one that the caller has set.
func overdue(ctx, limited context.Context, what string, err error) error {
	if err == nil || ctx.Err() != nil || limited.Err() == nil {
		return err
	}
	return &unavailableError{cause: fmt.Errorf("%s in time: %w", what, err)}
}
