package sqlstore_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
	"github.com/signet-issuer/signet/internal/sqldb"
	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/sqlstore"
	"github.com/signet-issuer/signet/tokens/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Backend {
		db := openDB(t)
		return storetest.Backend{
			Store: sqlstore.New(db), Accounts: addAccounts(t, db),
			Events: func(t *testing.T) []audit.Event { return allEvents(t, db) },
		}
	})
}

func openDB(t *testing.T) *sqldb.DB {
	t.Helper()
	db, err := sqldb.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "signet.db"), sqldb.Normal)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(t.Context(), sqldb.Migrations); err != nil {
		t.Fatal(err)
	}
	return db
}

func addAccounts(t *testing.T, db *sqldb.DB) (ids [2]uuid.UUID) {
	t.Helper()
	org := uuid.NewString()
	err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO orgs (id, slug, name, search_text, default_role, default_audience,
				disabled, gen, version, created_at, created_by, updated_at, updated_by)
			VALUES ($1, 'acme', 'Acme', 'acme', 'member', '', FALSE, 1, 1, 0, '', 0, '')`, org)
		if err != nil {
			return err
		}
		for i := range ids {
			ids[i] = uuid.New()
			_, err := tx.ExecContext(t.Context(), `INSERT INTO service_accounts (id, org_id, slug, name, search_text, description,
					scopes, token_lifetime, tags, disabled, gen, version, created_at, created_by, updated_at, updated_by)
				VALUES ($1, $2, $1, '', '', '', '', 0, '', FALSE, 1, 1, 0, '', 0, '')`, ids[i].String(), org)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// allEvents asks for the two orgs that the fixtures name: none and one.
func allEvents(t *testing.T, db *sqldb.DB) []audit.Event {
	t.Helper()
	var events []audit.Event
	err := db.Read(t.Context(), func(tx *sqldb.Tx) error {
		for _, org := range []uuid.UUID{uuid.Nil, uuid.MustParse("0192aaaa-0000-7000-8000-000000000002")} {
			found, err := audit.Find(t.Context(), tx, audit.Query{OrgID: org, Limit: 1000})
			if err != nil {
				return err
			}
			events = append(events, found...)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(events)
	return events
}

func TestUnavailable(t *testing.T) {
	db := openDB(t)
	store := sqlstore.New(db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"KeySet": func() error { _, err := store.KeySet(ctx); return err },
		"ChangeKeys": func() error {
			_, err := store.ChangeKeys(ctx, authz.Principal{}, audit.Receipt{}, nil)
			return err
		},
		"Receipt":   func() error { _, err := store.Receipt(ctx, uuid.Nil, "k"); return err },
		"Revoke":    func() error { return store.Revoke(ctx, authz.Principal{}, tokens.Revocation{}, audit.Event{}) },
		"Revoked":   func() error { _, err := store.Revoked(ctx, "j", uuid.Nil); return err },
		"RevokedOf": func() error { _, err := store.RevokedOf(ctx, uuid.Nil, time.Now()); return err },
		"Sweep":     func() error { _, err := store.Sweep(ctx, time.Now()); return err },
	} {
		if err := call(); !errors.Is(err, accounts.ErrUnavailable) {
			t.Errorf("I11: %s on a closed database answers %v", name, err)
		}
	}
}

func TestReseal(t *testing.T) {
	db := openDB(t)
	store := sqlstore.New(db)
	key := tokens.StoredKey{
		KID: "K1", Purpose: tokens.AccessTokens, Alg: tokens.ES256, State: tokens.Active,
		Public: []byte("public"), Sealed: []byte("old"), PreparedAt: time.Now(), RipeAt: time.Now(),
	}
	gone := key
	gone.KID, gone.State, gone.Sealed = "K0", tokens.Removed, nil
	_, err := store.ChangeKeys(t.Context(), authz.Principal{}, audit.Receipt{},
		func(tokens.KeySet) ([]tokens.StoredKey, audit.Event, error) {
			return []tokens.StoredKey{key, gone}, audit.Event{ID: uuid.New()}, nil
		})
	if err != nil {
		t.Fatal(err)
	}
	resealAll := func(ctx context.Context, fn func(string, []byte) ([]byte, error)) error {
		return db.Write(ctx, func(tx *sqldb.Tx) error { return sqlstore.Reseal(ctx, tx, fn) })
	}
	err = resealAll(t.Context(), func(label string, sealed []byte) ([]byte, error) {
		if label != tokens.KeyLabel("K1") || string(sealed) != "old" {
			t.Errorf("asked to reseal %q under %q", sealed, label)
		}
		return []byte("new"), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	if err := resealAll(t.Context(), func(string, []byte) ([]byte, error) { return nil, refused }); !errors.Is(err, refused) {
		t.Errorf("a key that does not open gives %v", err)
	}
	set, err := store.KeySet(t.Context())
	if err != nil || len(set.Keys) != 1 || string(set.Keys[0].Sealed) != "new" {
		t.Errorf("after resealing: %+v, %v", set, err)
	}
}

// What other parts of the process have cached of the database lasts until the next write.
func TestSweepWritesOnlyWhenSomethingIsDue(t *testing.T) {
	db := openDB(t)
	store, now := sqlstore.New(db), time.Now()
	revocation := tokens.Revocation{JTI: "J", AccountID: addAccounts(t, db)[0], ExpiresAt: now, At: now}
	if err := store.Revoke(t.Context(), authz.Principal{}, revocation, audit.Event{}); err != nil {
		t.Fatal(err)
	}
	before := db.Epoch()
	if n, err := store.Sweep(t.Context(), now); n != 0 || err != nil || db.Epoch() != before {
		t.Errorf("nothing is due: %d swept, %v, epoch %d to %d", n, err, before, db.Epoch())
	}
	if n, err := store.Sweep(t.Context(), now.Add(time.Second)); n != 1 || err != nil || db.Epoch() == before {
		t.Errorf("one is due: %d swept, %v, epoch %d to %d", n, err, before, db.Epoch())
	}
}
