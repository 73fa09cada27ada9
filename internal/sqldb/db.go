package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// writeAttempts × writerBusyTimeout is how long a write waits for a lock that
	// another process holds: 5 seconds.
	writeAttempts     = 20
	writerBusyTimeout = 250 * time.Millisecond
	retryPause        = 5 * time.Millisecond
)

// DB is an open database: one connection that writes and a pool that only reads. It is
// safe for concurrent use. Errors that its methods return went through [Unavailable].
type DB struct {
	writer  *sql.DB
	readers *sql.DB
	epoch   atomic.Uint64
	closed  atomic.Bool

	mu       sync.RWMutex
	prepared map[string]*sql.Stmt // by text, on readers
}

// Tx is an open transaction. The one that [DB.Read] hands out refuses to write.
type Tx struct{ tx *sql.Tx }

// ExecContext runs a statement that returns no rows.
func (t *Tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return t.tx.ExecContext(ctx, query, args...)
}

// QueryContext runs a statement that returns rows.
func (t *Tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.tx.QueryContext(ctx, query, args...)
}

// QueryRowContext runs a statement that returns at most one row.
func (t *Tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return t.tx.QueryRowContext(ctx, query, args...)
}

// PrepareContext prepares a statement for use within the transaction, which also closes it.
func (t *Tx) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return t.tx.PrepareContext(ctx, query)
}

// Read runs fn on one consistent snapshot, at least as new as the last acknowledged write.
// fn must not use any other method of the DB: it holds one of few connections.
func (db *DB) Read(ctx context.Context, fn func(*Tx) error) error {
	tx, err := db.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return outcome(ctx, db.ifClosed(err))
	}
	// The rollback of a transaction that only read has nothing to lose.
	defer func() { _ = tx.Rollback() }()
	return outcome(ctx, fn(&Tx{tx: tx}))
}

// Write runs fn in one serializable transaction and returns after the commit. When the
// database is busy fn runs again from the start, so it must not keep state from a failed run.
func (db *DB) Write(ctx context.Context, fn func(*Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := db.writeOnce(ctx, fn)
		if err == nil || attempt == writeAttempts || !isBusy(err) {
			return outcome(ctx, err)
		}
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (db *DB) writeOnce(ctx context.Context, fn func(*Tx) error) error {
	tx, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return db.ifClosed(err)
	}
	// Rolls back when fn fails or panics; after a commit it does nothing.
	defer func() { _ = tx.Rollback() }()
	if err := fn(&Tx{tx: tx}); err != nil {
		return err
	}
	// A commit that reports an error may have happened all the same.
	defer db.epoch.Add(1)
	return tx.Commit()
}

// Epoch is a number that grows after each commit, or attempt at one, and before the write
// is acknowledged. What was read after Epoch answered e is current while Epoch answers e.
// It holds for writes of this process only.
func (db *DB) Epoch() uint64 { return db.epoch.Load() }

// QueryContext runs one reading statement outside any transaction. The statement is
// prepared once and kept, so its text must come from a small fixed set. Errors of the rows
// themselves did not go through [Unavailable]; those of [DB.Each] did.
func (db *DB) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := db.stmt(ctx, query) //nolint:sqlclosecheck // kept for the next call, closed by Close
	if err != nil {
		return nil, outcome(ctx, db.ifClosed(err))
	}
	rows, err := stmt.QueryContext(ctx, args...)
	return rows, outcome(ctx, db.ifClosed(err))
}

// Each runs a statement as [DB.QueryContext] does and calls scan for each row of its result.
func (db *DB) Each(ctx context.Context, scan func(*sql.Rows) error, query string, args ...any) error {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return outcome(ctx, err)
		}
	}
	return outcome(ctx, rows.Err())
}

func (db *DB) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	db.mu.RLock()
	stmt := db.prepared[query]
	db.mu.RUnlock()
	if stmt != nil {
		return stmt, nil
	}
	stmt, err := db.readers.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if first := db.prepared[query]; first != nil {
		return first, stmt.Close() //nolint:sqlclosecheck // only the loser of a race is closed here
	}
	if db.closed.Load() {
		return nil, errors.Join(sql.ErrConnDone, stmt.Close())
	}
	db.prepared[query] = stmt
	return stmt, nil
}

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	return outcome(ctx, db.ifClosed(db.readers.PingContext(ctx)))
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
	// The writer goes last: the last connection to leave moves the log into the file.
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
