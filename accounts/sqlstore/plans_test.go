package sqlstore_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/accounts/sqlstore"
	"github.com/signet-issuer/signet/internal/sqldb"
)

// Issuance reads standings for every token: a scan would make that slower with every account.
func TestStandingsAreFoundByIndexAlone(t *testing.T) {
	db := openDB(t)
	for name, statement := range sqlstore.StandingStatements(1) {
		steps := 0
		err := db.Each(t.Context(), func(rows *sql.Rows) error {
			var id, parent, unused int
			var step string
			if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
				return err
			}
			steps++
			// The key set and the parameters themselves.
			if strings.HasPrefix(step, "SCAN") && !slices.Contains([]string{"SCAN k", "SCAN v", "SCAN CONSTANT ROW"}, step) {
				t.Errorf("%s: %s", name, step)
			}
			return nil
		}, "EXPLAIN QUERY PLAN "+statement, arguments(name, 1)...)
		if err != nil {
			t.Fatal(err)
		}
		if steps < 5 {
			t.Errorf("%s: a plan of %d steps", name, steps)
		}
	}
}

// arguments are parameters for n keys.
func arguments(name string, n int) []any {
	var args []any
	for i := range n {
		if name == "by secret" {
			args = append(args, fmt.Appendf(nil, "%d", i))
			continue
		}
		args = append(args, fmt.Sprintf("client-%d", i), 1)
	}
	return args
}

// PostgreSQL chooses itself between a plan for the parameters and one for any. For many keys
// at once a scan of a small table is the right choice.
func TestStandingsAreFoundByIndexAlonePostgres(t *testing.T) {
	db := openPostgres(t)
	fill(t, db)
	for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
		for _, n := range []int{1, 4, 8} {
			for name, statement := range sqlstore.StandingStatements(n) {
				plan := explain(t, db, mode, statement, literals(arguments(name, n)))
				if !strings.Contains(plan, "Index Scan using") {
					t.Errorf("%s of %d, %s: no plan:\n%s", name, n, mode, plan)
				}
				for step := range strings.Lines(plan) {
					if strings.Contains(step, "Seq Scan on") && !strings.Contains(step, "Seq Scan on key_set") {
						t.Errorf("%s of %d, %s: %s of\n%s", name, n, mode, step, plan)
					}
				}
			}
		}
	}
}

func literals(args []any) string {
	texts := make([]string, len(args))
	for i, arg := range args {
		switch arg := arg.(type) {
		case []byte:
			texts[i] = fmt.Sprintf(`'\x%x'`, arg)
		case string:
			texts[i] = "'" + arg + "'"
		default:
			texts[i] = fmt.Sprint(arg)
		}
	}
	return strings.Join(texts, ", ")
}

// fill makes thousands of clients, each in an org of its own, and lets the database count
// them. It takes several statements, each of which must be quick.
func fill(t *testing.T, db *sqldb.DB) {
	t.Helper()
	change(t, db, "INSERT INTO peppers (number, sealed, created_at) VALUES (1, '', 0)")
	for _, from := range []string{" FROM generate_series(1, 2000) i", " FROM generate_series(2001, 4000) i"} {
		for _, statement := range clientsFrom(from) {
			change(t, db, statement)
		}
	}
	for table := range columns(t, db) {
		change(t, db, "ANALYZE "+table)
	}
}

func clientsFrom(from string) []string {
	return []string{
		`INSERT INTO orgs (id, slug, name, search_text, default_role, default_audience, disabled, gen, version, created_at, created_by, updated_at, updated_by)
			SELECT 'o' || i, 'o' || i, '', '', '', '', FALSE, 0, 1, 0, '', 0, ''` + from,
		"INSERT INTO org_audiences (audience, org_id) SELECT 'a' || i, 'o' || i" + from,
		`INSERT INTO roles (id, org_id, slug, name, search_text, permissions, delegable, built_in, version, created_at, created_by, updated_at, updated_by)
			SELECT 'r' || i, 'o' || i, 'r', '', '', 'a:b', FALSE, FALSE, 1, 0, '', 0, ''` + from,
		`INSERT INTO service_accounts (id, org_id, slug, name, search_text, description, role, scopes, token_lifetime, tags, disabled, gen, version,
				created_at, created_by, updated_at, updated_by)
			SELECT 'a' || i, 'o' || i, 'bot', '', '', '', 'r', '', 0, '[]', FALSE, 0, 1, 0, '', 0, ''` + from,
		`INSERT INTO account_groups (id, org_id, name, search_text, version, created_at, created_by, updated_at, updated_by)
			SELECT 'g' || i, 'o' || i, '', '', 1, 0, '', 0, ''` + from,
		"INSERT INTO group_roles (group_id, org_id, role) SELECT 'g' || i, 'o' || i, 'r'" + from,
		"INSERT INTO group_members (group_id, account_id) SELECT 'g' || i, 'a' || i" + from,
		`INSERT INTO credentials (id, account_id, org_id, client_id, kind, name, search_text, description, scopes, allowed_cidrs, disabled, is_primary,
				last_seq, gen, version, created_at, created_by, updated_at, updated_by)
			SELECT 'c' || i, 'a' || i, 'o' || i, 'client-' || i, 'secret', '', '', '', '', '', FALSE, TRUE, 1, 0, 1, 0, '', 0, ''` + from,
		`INSERT INTO secrets (id, credential_id, seq, hash, pepper, hint, created_at)
			SELECT 's' || i, 'c' || i, 1, sha256(CAST('s' || i AS BYTEA)), 1, '', 0` + from,
	}
}

// explain shows the plan of a prepared statement.
func explain(t *testing.T, db *sqldb.DB, mode, statement, args string) (plan string) {
	t.Helper()
	name := fmt.Sprintf("standing_%x", newID())
	err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
		for _, command := range []string{"SET LOCAL plan_cache_mode = " + mode, "PREPARE " + name + " AS " + statement} {
			if _, err := tx.ExecContext(t.Context(), command); err != nil {
				return err
			}
		}
		rows, err := tx.QueryContext(t.Context(), "EXPLAIN EXECUTE "+name+" ("+args+")")
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var step string
			if err := rows.Scan(&step); err != nil {
				return err
			}
			plan += step + "\n"
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}
