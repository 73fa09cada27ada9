package sqlstore_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts/sqlstore"
	"github.com/signet-issuer/signet/internal/sqldb"
)

var (
	crowdedOrg = uuid.MustParse("01a20000-0000-7000-8000-000000000000")
	amidst     = uuid.MustParse("01a20001-0000-7000-8000-000000025000")
)

// crowd makes an org of so many accounts that reading all of them is no way to a few. It takes
// several statements, each of which must be quick.
func crowd(t *testing.T, db *sqldb.DB) {
	t.Helper()
	const parts, size = 15, 2000
	change(t, db, `INSERT INTO orgs (id, slug, name, search_text, default_role, default_audience, account_count, disabled, gen, version,
			created_at, created_by, updated_at, updated_by)
		VALUES ($1, 'acme', '', '', '', '', 0, FALSE, 0, 1, 0, '', 0, '')`, crowdedOrg)
	for part := range parts {
		change(t, db, `INSERT INTO service_accounts (id, org_id, slug, name, search_text, description, scopes, token_lifetime, tags, disabled, gen, version,
				created_at, created_by, updated_at, updated_by)
			SELECT '01a20001-0000-7000-8000-0000000' || CAST(i AS TEXT), CAST($1 AS TEXT), 'bot-' || CAST(i AS TEXT), '', '', '', '', 0, '[]',
				FALSE, 0, 1, i, '', 0, ''
			FROM (WITH RECURSIVE n(i) AS (SELECT CAST($2 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < CAST($3 AS BIGINT)) SELECT i FROM n) s`,
			crowdedOrg, 10000+part*size, 10000+part*size+size-1)
	}
}

// A page beside a cursor costs what is in it, however many accounts the org has.
func TestCursorsAreFoundByIndexAlone(t *testing.T) {
	db := openDB(t)
	crowd(t, db)
	for name, statement := range sqlstore.CursorStatements(crowdedOrg, amidst) {
		found := false
		err := db.Each(t.Context(), func(rows *sql.Rows) error {
			var id, parent, unused int
			var step string
			if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
				return err
			}
			found = found || strings.HasPrefix(step, "SEARCH")
			if strings.HasPrefix(step, "SCAN") {
				t.Errorf("%s: %s", name, step)
			}
			if strings.HasPrefix(step, "SEARCH a USING") && strings.Contains(step, "org_id") && !strings.Contains(step, "service_accounts_cursor") {
				t.Errorf("%s: %s", name, step)
			}
			return nil
		}, "EXPLAIN QUERY PLAN "+statement.Text, statement.Args...)
		if err != nil || !found {
			t.Errorf("%s has no plan: %v", name, err)
		}
	}
}

func TestCursorsAreFoundByIndexAlonePostgres(t *testing.T) {
	db := openPostgres(t)
	crowd(t, db)
	change(t, db, "ANALYZE service_accounts")
	for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
		for name, statement := range sqlstore.CursorStatements(crowdedOrg, amidst) {
			plan := explain(t, db, mode, statement.Text, literals(statement.Args))
			if strings.Contains(plan, "Seq Scan on service_accounts") || !strings.Contains(plan, "on service_accounts") {
				t.Errorf("%s, %s: no look-up by index:\n%s", name, mode, plan)
			}
		}
	}
}
