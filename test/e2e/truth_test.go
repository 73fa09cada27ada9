package e2e_test

import (
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/internal/sqldb"
)

// openTruth opens the place's PostgreSQL database, or a copy of its SQLite file with its log.
func openTruth(t testing.TB, p *place) *sqldb.DB {
	t.Helper()
	for _, variable := range p.env {
		if url, found := strings.CutPrefix(variable, "SIGNET_DATABASE_URL="); found {
			db, err := sqldb.OpenPostgres(t.Context(), sqldb.PostgresConfig{URL: secret.New(url)})
			return opened(t, db, err)
		}
	}
	folder := t.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(p.data("signet.db" + suffix))
		if os.IsNotExist(err) && suffix != "" {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "signet.db"+suffix), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db, err := sqldb.OpenSQLite(t.Context(), filepath.Join(folder, "signet.db"), sqldb.Normal)
	return opened(t, db, err)
}

func opened(t testing.TB, db *sqldb.DB, err error) *sqldb.DB {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// eachRow calls do for each row of a query, with its columns as they come.
func eachRow(t testing.TB, db *sqldb.DB, query string, do func(row []any)) {
	t.Helper()
	err := db.Each(t.Context(), func(rows *sql.Rows) error {
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		do(values)
		return nil
	}, query)
	if err != nil {
		t.Fatal(err)
	}
}

// savedUses counts the last uses that are in the database.
func savedUses(t testing.TB, p *place) (count int64) {
	t.Helper()
	eachRow(t, openTruth(t, p), "SELECT COUNT(*) FROM last_uses", func(values []any) { count = values[0].(int64) })
	return count
}

// inside reads one text of a token: a part of its header (0) or its claims (1).
func inside(t testing.TB, token string, part int, name string) string {
	t.Helper()
	segments := strings.Split(token, ".")
	if len(segments) != 3 {
		t.Fatalf("a token has %d segments", len(segments))
	}
	text, err := base64.RawURLEncoding.DecodeString(segments[part])
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	value, _ := members[name].(string)
	return value
}
