package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/sqldb"
)

// Store implements [accounts.Store]. It is safe for concurrent use.
type Store struct {
	db       *sqldb.DB
	cache    *cache // nil without [WithCache]
	bySecret lookup
	byClient lookup
}

var (
	_ accounts.Store  = (*Store)(nil)
	_ accounts.Reader = reader{}
	_ accounts.Tx     = (*tx)(nil)
)

// Option changes how a [Store] works.
type Option func(*Store)

// WithCache keeps standings in memory between writes. It is right only while no other
// process writes to the database.
func WithCache() Option { return func(s *Store) { s.cache = newCache() } }

// WithBatching lets concurrent reads of standings share statements, which pays where each is
// a round trip.
func WithBatching() Option {
	return func(s *Store) {
		s.bySecret = (&batches{lookup: s.readBySecret}).find
		s.byClient = (&batches{lookup: s.readByClient}).find
	}
}

// New returns a Store on a migrated database, which stays the caller's to close.
func New(db *sqldb.DB, options ...Option) *Store {
	s := &Store{db: db}
	s.bySecret, s.byClient = s.readBySecret, s.readByClient
	for _, option := range options {
		option(s)
	}
	return s
}

// Read implements [accounts.Store].
func (s *Store) Read(ctx context.Context, fn func(accounts.Reader) error) error {
	return translate(s.db.Read(ctx, func(db *sqldb.Tx) error { return fn(reader{db}) }))
}

// Write implements [accounts.Store].
func (s *Store) Write(ctx context.Context, actor authz.Principal, fn func(accounts.Tx) error) error {
	return translate(s.db.Write(ctx, func(db *sqldb.Tx) error {
		t := &tx{reader: reader{db}, actor: actor}
		if err := fn(t); err != nil {
			return err
		}
		if t.failed != nil {
			return t.failed
		}
		if t.events != 1 {
			return fmt.Errorf("a write must record exactly one audit event, this one recorded %d", t.events)
		}
		return nil
	}))
}

// translate names in the words of [accounts] what went wrong with the database.
func translate(err error) error {
	if errors.Is(err, sqldb.ErrUnavailable) && !errors.Is(err, accounts.ErrUnavailable) {
		return fmt.Errorf("%w: %w", accounts.ErrUnavailable, err)
	}
	return err
}

// reader implements [accounts.Reader].
type reader struct{ db *sqldb.Tx }

// tx implements [accounts.Tx].
type tx struct {
	reader
	actor  authz.Principal
	events int
	failed error // the first error of a writing method
}

// exec runs a statement.
func (t *tx) exec(ctx context.Context, query string, args ...any) error {
	_, err := t.db.ExecContext(ctx, query, args...)
	return err
}

// execSome runs a statement and returns none when it touched no row.
func (t *tx) execSome(ctx context.Context, none error, query string, args ...any) error {
	result, err := t.db.ExecContext(ctx, query, args...)
	if err != nil {
		return err
	}
	rows, err := result.RowsAffected()
	if err == nil && rows == 0 {
		return none
	}
	return err
}

// outcome is what a writing method answers. A violated constraint says that a name is taken,
// or that what the object refers to does not exist. Any error ends the write: PostgreSQL goes
// on after none, and a method of several statements may be half done.
func (t *tx) outcome(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case sqldb.IsUnique(err):
		err = fmt.Errorf("%s: %w", what, accounts.ErrExists)
	case sqldb.IsForeignKey(err):
		err = fmt.Errorf("%s refers to what is %w", what, accounts.ErrNotFound)
	default:
		err = fmt.Errorf("%s: %w", what, err)
	}
	if t.failed == nil {
		t.failed = err
	}
	return err
}
