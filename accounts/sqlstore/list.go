package sqlstore

import (
	"context"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/sqldb"
)

// maxList bounds the values, or rows of values, of one statement.
const maxList = 1024

// padded is the next power of two: lists of any length make few different statements, which
// the database then has prepared.
func padded(n int) int { return 1 << bits.Len(uint(max(n, 1)-1)) }

// places writes n parameters from number first on: $3, $4, $5.
func places(first, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("$" + strconv.Itoa(first+i))
	}
	return b.String()
}

// valueRows writes n rows of parameters. The casts of the first tell PostgreSQL the types.
func valueRows(n int, types ...string) string {
	var b strings.Builder
	b.WriteString("VALUES (")
	for i, name := range types {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("CAST($" + strconv.Itoa(i+1) + " AS " + name + ")")
	}
	for row := 1; row < n; row++ {
		b.WriteString("), (" + places(1+row*len(types), len(types)))
	}
	b.WriteString(")")
	return b.String()
}

// withList runs a statement for each part of a list, which takes the place of %s after args,
// and returns how many rows it touched. It must not matter whether a value comes twice.
func withList[T any](ctx context.Context, tx *sqldb.Tx, statement string, list []T, args ...any) (touched int, err error) {
	for part := range slices.Chunk(list, maxList) {
		size := padded(len(part))
		all := slices.Clone(args)
		for i := range size {
			all = append(all, part[min(i, len(part)-1)])
		}
		result, err := tx.ExecContext(ctx, fmt.Sprintf(statement, places(len(args)+1, size)), all...)
		if err != nil {
			return 0, err
		}
		rows, err := result.RowsAffected()
		if err != nil {
			return 0, err
		}
		touched += int(rows)
	}
	return touched, nil
}

// withAll is [withList] for a list without repetitions in which the statement must find
// every object, else it answers [accounts.ErrNotFound].
func withAll[T any](ctx context.Context, t *tx, statement string, list []T, args ...any) error {
	touched, err := withList(ctx, t.db, statement, list, args...)
	if err == nil && touched != len(list) {
		return accounts.ErrNotFound
	}
	return err
}
