package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"time"
)

// Tx is an open transaction. The one that [DB.Read] hands out refuses to write. On PostgreSQL
// a statement that has begun is not interrupted by the end of its context, as that would cost
// the connection: it answers or fails within a second anyway, and the next one does not begin.
type Tx struct {
	tx       *sql.Tx
	conn     *sql.Conn
	postgres bool
	slow     bool // the connection waits longer than usual
	discard  bool // the connection is of no more use
}

// begin takes a connection of the pool and opens a transaction on it.
func (db *DB) begin(ctx context.Context, pool *sql.DB, level sql.IsolationLevel) (*Tx, error) {
	conn, err := db.acquire(ctx, pool)
	if err != nil {
		return nil, err
	}
	t := &Tx{conn: conn, postgres: db.postgres != nil}
	options := &sql.TxOptions{ReadOnly: pool == db.readers}
	if t.postgres {
		options.Isolation = level
	}
	if t.tx, err = conn.BeginTx(t.shield(ctx), options); err != nil {
		_ = conn.Close()
		return nil, db.ifClosed(err)
	}
	return t, nil
}

func (db *DB) acquire(ctx context.Context, pool *sql.DB) (*sql.Conn, error) {
	if db.postgres == nil {
		conn, err := pool.Conn(ctx)
		return conn, db.ifClosed(err)
	}
	limited, cancel := context.WithTimeout(ctx, acquireLimit)
	defer cancel()
	conn, err := pool.Conn(limited)
	return conn, db.ifClosed(overdue(ctx, limited, "no connection is free", err))
}

// end gives the connection back, after a rollback when there was no commit.
func (t *Tx) end() {
	_ = t.tx.Rollback()
	if t.slow {
		_ = t.conn.Raw(func(conn any) error { return setPatience(conn, answerLimit) })
	}
	if t.discard {
		_ = t.conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	_ = t.conn.Close()
}

// shield keeps the end of ctx from the driver once a statement begins.
func (t *Tx) shield(ctx context.Context) context.Context {
	if !t.postgres || ctx.Err() != nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// ExecContext runs a statement that returns no rows.
func (t *Tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return t.tx.ExecContext(t.shield(ctx), query, args...)
}

// QueryContext runs a statement that returns rows.
func (t *Tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.tx.QueryContext(t.shield(ctx), query, args...)
}

// QueryRowContext runs a statement that returns at most one row.
func (t *Tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return t.tx.QueryRowContext(t.shield(ctx), query, args...)
}

// PrepareContext prepares a statement for use within the transaction, which also closes it.
func (t *Tx) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return t.tx.PrepareContext(t.shield(ctx), query)
}

// AllowSlow gives each later statement of the transaction ten seconds on PostgreSQL, where it
// has less than one: for those that touch a number of rows that nobody bounds.
func (t *Tx) AllowSlow(ctx context.Context) error {
	if !t.postgres || t.slow {
		return nil
	}
	t.slow = true
	if err := t.conn.Raw(func(conn any) error { return setPatience(conn, slowLimit+margin) }); err != nil {
		return err
	}
	_, err := t.ExecContext(ctx, fmt.Sprintf("SET LOCAL statement_timeout = %d", slowLimit/time.Millisecond))
	return err
}
