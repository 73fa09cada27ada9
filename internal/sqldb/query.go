package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// QueryContext runs one reading statement outside any transaction. The statement is
// prepared once and kept, so its text must come from a small fixed set. Errors of the rows
// themselves did not go through [Unavailable]; those of [DB.Each] did.
func (db *DB) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if db.postgres != nil {
		return db.queryPostgres(ctx, query, args)
	}
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

// queryPostgres leaves the keeping of statements to the driver, which does it for each
// connection. A connection that was lost while it lay idle, or that planned the statement
// before a migration, costs an attempt and no error.
func (db *DB) queryPostgres(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// Not the caller's: see [Tx]. It outlives this call with the rows, so only the timer ends it.
	limited, cancel := context.WithCancel(context.WithoutCancel(ctx))
	timer := time.AfterFunc(answerLimit, cancel)
	for {
		rows, err := db.readers.QueryContext(limited, query, args...)
		if err == nil && timer.Stop() {
			return rows, nil
		}
		if err == nil { // too late by a hair
			err = errors.Join(context.Canceled, rows.Close()) //nolint:sqlclosecheck // another attempt may follow
		}
		if !repeatable(err) || limited.Err() != nil || db.closed.Load() {
			if !timer.Stop() {
				cancel() // the timer has run out, and may not have got so far
			}
			err = overdue(ctx, limited, "no answer", err)
			cancel()
			return nil, outcome(ctx, db.ifClosed(err))
		}
	}
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
