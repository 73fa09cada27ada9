package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
	"github.com/signet-issuer/signet/internal/sqldb"
	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/sqlstore"
)

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

func TestUnavailable(t *testing.T) { onEach(t, testUnavailable) }

func testUnavailable(t *testing.T, db *sqldb.DB) {
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

func TestReseal(t *testing.T) { onEach(t, testReseal) }

func testReseal(t *testing.T, db *sqldb.DB) {
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
func TestSweepWritesOnlyWhenSomethingIsDue(t *testing.T) { onEach(t, testSweepWrites) }

func testSweepWrites(t *testing.T, db *sqldb.DB) {
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

func TestSweepOfManyByMany(t *testing.T) { onEach(t, testSweepOfMany) }

func testSweepOfMany(t *testing.T, db *sqldb.DB) {
	const due = 2500
	account, now := addAccounts(t, db)[0], time.Now()
	err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
		for i := range due + 3 {
			end := now.Add(-time.Minute)
			if i >= due {
				end = now.Add(time.Minute)
			}
			_, err := tx.ExecContext(t.Context(), "INSERT INTO revoked_tokens (jti, account_id, expires_at, revoked_at) VALUES ($1, $2, $3, 0)",
				fmt.Sprint(i), account, sqldb.Micros(end))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var swept atomic.Int64
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			n, err := sqlstore.New(db).Sweep(t.Context(), now)
			if err != nil {
				t.Error(err)
			}
			swept.Add(int64(n))
		})
	}
	group.Wait()
	left, err := sqlstore.New(db).RevokedOf(t.Context(), account, time.Time{})
	if swept.Load() != due || len(left) != 3 || err != nil {
		t.Errorf("%d swept, %d left, %v", swept.Load(), len(left), err)
	}
}

func TestRaiseVersion(t *testing.T) { onEach(t, testRaiseVersion) }

func testRaiseVersion(t *testing.T, db *sqldb.DB) {
	store := sqlstore.New(db)
	before, err := store.KeySet(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	raise := func(tx *sqldb.Tx) error { return sqlstore.RaiseVersion(t.Context(), tx, 1_000_000) }
	if err := db.Write(t.Context(), raise); err != nil {
		t.Fatal(err)
	}
	after, err := store.KeySet(t.Context())
	if err != nil || after.Version != before.Version+1_000_000 {
		t.Errorf("version %d became %d, %v", before.Version, after.Version, err)
	}
	refused := errors.New("refused")
	err = db.Write(t.Context(), func(tx *sqldb.Tx) error { return errors.Join(raise(tx), refused) })
	again, readErr := store.KeySet(t.Context())
	if !errors.Is(err, refused) || readErr != nil || again.Version != after.Version {
		t.Errorf("a transaction that failed with %v left version %d, %v", err, again.Version, readErr)
	}
}
