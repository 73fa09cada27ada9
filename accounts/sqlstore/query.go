package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
)

// row is one row of a result.
type row interface{ Scan(dest ...any) error }

// noun says how objects of one kind are read.
type noun[T any] struct {
	what    string // as [accounts.NotFoundError] names it
	table   string // with its alias, enough to count
	joins   string
	alias   string
	columns string
	scan    func(row) (T, error)
	total   string // reads how many there are in all, where that is kept; empty: they are counted
}

func (n noun[T]) statement(where string) string {
	return "SELECT " + n.columns + " FROM " + n.table + " " + n.joins + " WHERE " + where
}

// one reads the only object that matches, or answers an [accounts.NotFoundError].
func (n noun[T]) one(ctx context.Context, r reader, where string, args ...any) (T, error) {
	object, err := n.scan(r.db.QueryRowContext(ctx, n.statement(where), args...))
	if errors.Is(err, sql.ErrNoRows) {
		err = &accounts.NotFoundError{What: n.what}
	}
	if err != nil {
		var none T
		return none, fmt.Errorf("read from %s: %w", n.table, err)
	}
	return object, nil
}

// collect reads every row of a statement. It never returns nil without an error.
func collect[T any](ctx context.Context, r reader, scan func(row) (T, error), query string, args ...any) ([]T, error) {
	rows, err := r.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	list := []T{}
	for rows.Next() {
		object, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, object)
	}
	return list, rows.Err()
}

// count reads one number.
func (r reader) count(ctx context.Context, what, query string, args ...any) (n int, err error) {
	if err = r.db.QueryRowContext(ctx, query, args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("count %s: %w", what, err)
	}
	return n, nil
}

func scanID(r row) (id uuid.UUID, err error) { return id, r.Scan(&id) }

// byRef chooses the condition for how an object is named.
func byRef(ref accounts.Ref, byID, bySlug string) (where string, arg any) {
	if ref.ID != uuid.Nil {
		return byID, ref.ID
	}
	return bySlug, ref.Slug
}

var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

func escapeLike(text string) string { return likeEscaper.Replace(text) }

// searchText is what a search looks through: both cases of any alphabet fold alike here,
// which LIKE does for ASCII on one database and not at all on the other.
func searchText(parts ...string) string { return strings.ToLower(strings.Join(parts, "\n")) }
