package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
)

// match is a condition with its parameters.
type match struct {
	where string
	args  []any
}

// and narrows the condition. %d stands for the number of the parameter.
func (m match) and(where string, arg any) match {
	args := append(slices.Clone(m.args), arg)
	return match{m.where + " AND " + fmt.Sprintf(where, len(args)), args}
}

// page reads one page of what matches, and where it lies.
func (n noun[T]) page(ctx context.Context, r reader, q accounts.Query, where string, args ...any) ([]T, accounts.Page, error) {
	list, page, err := n.pageOf(ctx, r, q, match{where, args})
	if err != nil {
		return nil, accounts.Page{}, fmt.Errorf("list %s: %w", n.table, err)
	}
	return list, page, nil
}

func (n noun[T]) pageOf(ctx context.Context, r reader, q accounts.Query, m match) (list []T, page accounts.Page, err error) {
	count := n.total
	if q.Search != "" {
		m = m.and(n.alias+`.search_text LIKE $%d ESCAPE '\'`, "%"+escapeLike(strings.ToLower(q.Search))+"%")
	}
	if q.Search != "" || count == "" {
		count = "SELECT count(*) FROM " + n.table + " WHERE " + m.where
	}
	if err := r.db.QueryRowContext(ctx, count, m.args...).Scan(&page.Total); err != nil {
		return nil, page, err
	}
	q.Limit, q.Offset = max(q.Limit, 0), max(q.Offset, 0)
	if q.After != uuid.Nil || q.Before != uuid.Nil {
		list, page.Next, page.Prev, err = n.beside(ctx, r, q, m)
		return list, page, err
	}
	order := n.alias + ".created_at, " + n.alias + ".id"
	if q.ByID {
		order = n.alias + ".id"
	}
	list, err = n.cut(ctx, r, part{m, order, q.Limit, q.Offset})
	page.Next = q.Offset+len(list) < page.Total
	page.Prev = min(q.Offset, page.Total) > 0
	return list, page, err
}

// beside reads what lies next to a cursor, and whether there is more on either side. One more
// than the page is read, which tells of one side; what lies beyond the cursor tells of the other.
func (n noun[T]) beside(ctx context.Context, r reader, q accounts.Query, m match) (list []T, next, prev bool, err error) {
	id := n.alias + ".id"
	page, beyond, order := m.and(id+" > $%d", q.After), m.and(id+" <= $%d", q.After), id
	backwards := q.Before != uuid.Nil
	if backwards {
		page, beyond, order = m.and(id+" < $%d", q.Before), m.and(id+" >= $%d", q.Before), id+" DESC"
	}
	if list, err = n.cut(ctx, r, part{page, order, q.Limit + 1, 0}); err != nil {
		return nil, false, false, err
	}
	more := len(list) > q.Limit
	list = list[:min(len(list), q.Limit)]
	one := part{beyond, id, 1, 0}
	passed, err := collect(ctx, r, scanID, n.idsStatement(one), one.arguments()...)
	if err != nil {
		return nil, false, false, err
	}
	if backwards {
		slices.Reverse(list)
		return list, len(passed) > 0, more, nil
	}
	return list, more, len(passed) > 0, nil
}

// part is what is cut out of what matches.
type part struct {
	match
	order         string
	limit, offset int
}

func (p part) arguments() []any {
	if p.offset == 0 {
		return p.args
	}
	return append(slices.Clone(p.args), p.offset)
}

func (n noun[T]) cut(ctx context.Context, r reader, p part) ([]T, error) {
	return collect(ctx, r, n.scan, n.cutStatement(p), p.arguments()...)
}

// cutStatement finds the ids first, so that nothing is joined to what an offset passes over.
func (n noun[T]) cutStatement(p part) string {
	return n.statement(n.alias + ".id IN (" + n.idsStatement(p) + ") ORDER BY " + p.order)
}

// idsStatement is ordered where one id is wanted, too: an index then leads to it. It states the
// limit, since PostgreSQL takes one that it does not know for a tenth of the table.
func (n noun[T]) idsStatement(p part) string {
	text := fmt.Sprintf("SELECT %s.id FROM %s WHERE %s ORDER BY %s LIMIT %d", n.alias, n.table, p.where, p.order, p.limit)
	if p.offset > 0 {
		text += fmt.Sprintf(" OFFSET $%d", len(p.args)+1)
	}
	return text
}
