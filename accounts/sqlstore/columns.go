package sqlstore

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/sqldb"
)

// column is a scanner that reads T from the form V in which it is stored. NULL is the zero T.
type column[V, T any] struct {
	to    *T
	parse func(V) (T, error)
}

// Scan implements [sql.Scanner].
func (c column[V, T]) Scan(src any) error {
	var stored sql.Null[V]
	if err := stored.Scan(src); err != nil {
		return err
	}
	if !stored.Valid {
		var zero T
		*c.to = zero
		return nil
	}
	value, err := c.parse(stored.V)
	if err != nil {
		return fmt.Errorf("stored value: %w", err)
	}
	*c.to = value
	return nil
}

func at(to *time.Time) sql.Scanner {
	return column[int64, time.Time]{to, func(micros int64) (time.Time, error) { return sqldb.FromMicros(micros), nil }}
}

func inSeconds(to *time.Duration) sql.Scanner {
	return column[int64, time.Duration]{to, func(n int64) (time.Duration, error) { return time.Duration(n) * time.Second, nil }}
}

func text(to *string) sql.Scanner {
	return column[string, string]{to, func(s string) (string, error) { return s, nil }}
}

func number(to *int64) sql.Scanner {
	return column[int64, int64]{to, func(n int64) (int64, error) { return n, nil }}
}

func set(to *authz.Set) sql.Scanner {
	return column[string, authz.Set]{to, func(s string) (authz.Set, error) { return authz.TrustedSet(s), nil }}
}

func addr(to *netip.Addr) sql.Scanner {
	return column[string, netip.Addr]{to, func(s string) (netip.Addr, error) {
		if s == "" {
			return netip.Addr{}, nil
		}
		return netip.ParseAddr(s)
	}}
}

func tags(to *[]accounts.Tag) sql.Scanner {
	return column[string, []accounts.Tag]{to, func(s string) (list []accounts.Tag, err error) {
		return list, json.Unmarshal([]byte(s), &list)
	}}
}

// words, prefixes and ids read lists joined by spaces. Words and ids come back sorted, as
// string_agg has no order; none of the three leaves nil.

func words(to *[]string) sql.Scanner {
	*to = []string{}
	return joined[string]{to, func(s string) (string, error) { return s, nil }, cmp.Compare[string]}
}

func ids(to *[]uuid.UUID) sql.Scanner {
	*to = []uuid.UUID{}
	return joined[uuid.UUID]{to, uuid.Parse, compareIDs}
}

func prefixes(to *[]netip.Prefix) sql.Scanner {
	*to = []netip.Prefix{}
	return joined[netip.Prefix]{to, netip.ParsePrefix, nil}
}

type joined[T any] struct {
	to      *[]T
	parse   func(string) (T, error)
	compare func(a, b T) int // nil keeps the order
}

// Scan implements [sql.Scanner].
func (j joined[T]) Scan(src any) error {
	var stored sql.NullString
	if err := stored.Scan(src); err != nil {
		return err
	}
	list := []T{}
	for field := range strings.FieldsSeq(stored.String) {
		item, err := j.parse(field)
		if err != nil {
			return fmt.Errorf("stored list: %w", err)
		}
		list = append(list, item)
	}
	if j.compare != nil {
		slices.SortFunc(list, j.compare)
	}
	*j.to = list
	return nil
}

func compareIDs(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) }

// Forms of storing.

func tagsText(list []accounts.Tag) (string, error) {
	if list == nil {
		list = []accounts.Tag{}
	}
	raw, err := json.Marshal(list)
	return string(raw), err
}

func prefixesText(list []netip.Prefix) string {
	parts := make([]string, len(list))
	for i, p := range list {
		parts[i] = p.String()
	}
	return strings.Join(parts, " ")
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func nullText(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

// idText writes the zero id, which stands for no org, as the empty text.
func idText(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

const stampColumns = "%[1]s.created_at, %[1]s.created_by, %[1]s.updated_at, %[1]s.updated_by"

func stampOf(alias string) string { return fmt.Sprintf(stampColumns, alias) }

// unique drops repetitions: the lists of the domain are sets.
func unique[T comparable](list []T) []T {
	seen := make(map[T]bool, len(list))
	return slices.DeleteFunc(slices.Clone(list), func(item T) bool {
		again := seen[item]
		seen[item] = true
		return again
	})
}

// difference returns what is in a and not in b.
func difference[T comparable](a, b []T) []T {
	excluded := make(map[T]bool, len(b))
	for _, item := range b {
		excluded[item] = true
	}
	return slices.DeleteFunc(slices.Clone(a), func(item T) bool { return excluded[item] })
}
