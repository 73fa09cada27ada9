package sqlstore_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/accounts/sqlstore"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
	"github.com/signet-issuer/signet/internal/sqldb"
)

// columns lists every column of every table that the schema has.
func columns(t *testing.T, db *sqldb.DB) map[string][]string {
	t.Helper()
	query := "SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'"
	if onPostgres(t, db) {
		query = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
	}
	found := map[string][]string{}
	err := db.Each(t.Context(), func(rows *sql.Rows) error {
		var table, column string
		err := rows.Scan(&table, &column)
		found[table] = append(found[table], column)
		return err
	}, query)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 10 {
		t.Fatalf("only %d tables found", len(found))
	}
	return found
}

// mentions lists the columns that hold any of the ids, as text or within it.
func mentions(t *testing.T, db *sqldb.DB, ids ...uuid.UUID) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for table, names := range columns(t, db) {
		for _, column := range names {
			for _, id := range ids {
				var n int
				query := fmt.Sprintf("SELECT count(*) FROM %s WHERE CAST(%s AS TEXT) LIKE $1", table, column)
				err := db.Each(t.Context(), func(rows *sql.Rows) error { return rows.Scan(&n) }, query, "%"+id.String()+"%")
				if err != nil {
					t.Fatal(err)
				}
				if n > 0 {
					found[table+"."+column] = true
				}
			}
		}
	}
	return found
}

func TestI36_ADeletedOrgLeavesNoRow(t *testing.T) { onEach(t, testDeletedOrg) }

func testDeletedOrg(t *testing.T, db *sqldb.DB) {
	store := sqlstore.New(db)
	ctx := t.Context()
	other := stored(t, store, "other")
	c, group := fullOrg(t, store)
	revoke(t, db, c)
	ids := []uuid.UUID{c.org.ID, c.account.ID, c.credential.ID, c.secret.ID, group.ID}
	before := mentions(t, db, ids...)
	for _, column := range []string{
		"orgs.id", "org_audiences.org_id", "roles.org_id", "account_groups.org_id", "group_roles.group_id", "group_members.group_id",
		"service_accounts.org_id", "credentials.org_id", "secrets.credential_id", "last_uses.account_id", "tombstones.org_id",
		"receipts.org_id", "audit_events.org_id", "revoked_tokens.account_id",
	} {
		if !before[column] {
			t.Errorf("nothing to delete in %s: the test proves nothing", column)
		}
	}
	others := mentions(t, db, other.org.ID, other.account.ID, other.credential.ID, other.secret.ID)

	end := start.Add(time.Hour)
	if err := write(ctx, store, func(tx accounts.Tx) error { return tx.DeleteOrg(ctx, c.org.ID, end) }); err != nil {
		t.Fatal(err)
	}
	var buried int64
	err := db.Each(ctx, func(r *sql.Rows) error { return r.Scan(&buried) },
		"SELECT deleted_at FROM tombstones WHERE object_id = $1", c.org.ID)
	if err != nil || buried != end.UnixMicro() {
		t.Errorf("the tombstone says %d, %v", buried, err)
	}
	for column := range mentions(t, db, ids...) {
		// The tombstone of the slug says which org it was.
		if !strings.HasPrefix(column, "audit_events.") && column != "tombstones.object_id" {
			t.Errorf("%s still holds an id of the org", column)
		}
	}
	if after := mentions(t, db, other.org.ID, other.account.ID, other.credential.ID, other.secret.ID); len(after) != len(others) {
		t.Errorf("the other org had %v, now %v", others, after)
	}
	if err := db.Check(ctx); err != nil {
		t.Error(err)
	}
}

// fullOrg has a row in every table that knows orgs.
func fullOrg(t *testing.T, store accounts.Store) (client, accounts.Group) {
	t.Helper()
	ctx := t.Context()
	c := newClient("acme")
	c.org.Audiences = []string{"https://acme.example"}
	group := accounts.Group{ID: newID(), OrgID: c.org.ID, Name: "g", Roles: []string{"r"}, Members: []uuid.UUID{c.account.ID}, Version: 1, Stamp: stamp()}
	dead := accounts.ServiceAccount{ID: newID(), OrgID: c.org.ID, Slug: "dead", Version: 1, Stamp: stamp()}
	err := store.Write(ctx, admin, func(tx accounts.Tx) error {
		for _, step := range []func() error{
			func() error { return c.insert(ctx, tx) },
			func() error {
				return tx.InsertRole(ctx, accounts.Role{ID: newID(), OrgID: c.org.ID, Slug: "r", Permissions: authz.MustSet("a"), Version: 1, Stamp: stamp()})
			},
			func() error { return tx.InsertGroup(ctx, group) },
			func() error { return tx.InsertAccount(ctx, dead) },
			func() error { return tx.DeleteAccount(ctx, c.org.ID, dead.ID, start) },
			func() error {
				return tx.KeepReceipt(ctx, audit.Receipt{Actor: c.account.ID, Key: "k", OrgID: c.org.ID, Target: c.account.ID.String(), Time: start})
			},
			func() error {
				return tx.Record(ctx, audit.Event{ID: newID(), OrgID: c.org.ID, Target: "credential:" + c.credential.ID.String(), Time: start})
			},
		} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	use := accounts.Use{AccountID: c.account.ID, CredentialID: c.credential.ID, SecretID: c.secret.ID, At: start}
	if err := store.SaveUsage(ctx, []accounts.Use{use}); err != nil {
		t.Fatal(err)
	}
	return c, group
}

func revoke(t *testing.T, db *sqldb.DB, c client) {
	t.Helper()
	err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(t.Context(), "INSERT INTO revoked_tokens (jti, account_id, expires_at, revoked_at) VALUES ('j', $1, 1, 1)", c.account.ID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRaiseAllGens(t *testing.T) { onEach(t, testRaiseAllGens) }

func testRaiseAllGens(t *testing.T, db *sqldb.DB) {
	store := sqlstore.New(db, sqlstore.WithCache())
	c, other := stored(t, store, "acme"), stored(t, store, "globe")
	ctx := t.Context()
	for _, name := range []string{"acme", "globe"} {
		if _, err := store.StandingByClient(ctx, name, 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Write(ctx, func(tx *sqldb.Tx) error { return sqlstore.RaiseAllGens(ctx, tx, 1000) }); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"acme", "globe"} {
		if got, err := store.StandingByClient(ctx, name, 1); err != nil || got.Gen != 1000 {
			t.Errorf("gen of %s is %d, %v", name, got.Gen, err)
		}
	}
	for _, org := range []accounts.Org{c.org, other.org} {
		if err := write(ctx, store, func(tx accounts.Tx) error { return tx.UpdateOrg(ctx, org) }); err == nil {
			t.Errorf("an update of what was read before wrote the old gen of %s back", org.Slug)
		}
	}
}

func TestReseal(t *testing.T) { onEach(t, testReseal) }

func testReseal(t *testing.T, db *sqldb.DB) {
	store := sqlstore.New(db)
	ctx := t.Context()
	err := write(ctx, store, func(tx accounts.Tx) error {
		for _, number := range []int64{1, 2} {
			if err := tx.InsertPepper(ctx, accounts.SealedPepper{Number: number, Sealed: fmt.Appendf(nil, "old %d", number), CreatedAt: start}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	label := func(number int64) string { return fmt.Sprintf("label-%d", number) }
	err = db.Write(ctx, func(tx *sqldb.Tx) error {
		return sqlstore.Reseal(ctx, tx, label, func(label string, sealed []byte) ([]byte, error) {
			return fmt.Appendf(nil, "new under %s of %s", label, sealed), nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	err = store.Read(ctx, func(r accounts.Reader) error {
		peppers, err := r.Peppers(ctx)
		for _, p := range peppers {
			want := fmt.Sprintf("new under label-%d of old %d", p.Number, p.Number)
			if string(p.Sealed) != want || !p.CreatedAt.Equal(start) {
				t.Errorf("pepper %d is %q of %v, want %q", p.Number, p.Sealed, p.CreatedAt, want)
			}
		}
		if len(peppers) != 2 {
			t.Errorf("%d peppers", len(peppers))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
