package sqlstore

import "github.com/google/uuid"

// Statement is a statement with its parameters.
type Statement struct {
	Text string
	Args []any
}

// CursorStatements shows what reads accounts beside a cursor to tests of the plans.
func CursorStatements(orgID, cursor uuid.UUID) map[string]Statement {
	all := match{"a.org_id = $1", []any{orgID.String()}}
	after, before := all.and("a.id > $%d", cursor.String()), all.and("a.id < $%d", cursor.String())
	statement := func(text func(part) string, p part) Statement { return Statement{text(p), p.arguments()} }
	return map[string]Statement{
		"page after":  statement(serviceAccounts.cutStatement, part{after, "a.id", 101, 0}),
		"page before": statement(serviceAccounts.cutStatement, part{before, "a.id DESC", 101, 0}),
		"any after":   statement(serviceAccounts.idsStatement, part{after, "a.id", 1, 0}),
		"any before":  statement(serviceAccounts.idsStatement, part{before, "a.id DESC", 1, 0}),
	}
}
