package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/accounts/sqlstore"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
	"github.com/signet-issuer/signet/internal/sqldb"
)

var (
	start = time.Date(2026, 11, 22, 10, 11, 12, 345_678_000, time.UTC)
	admin = authz.Principal{System: true, Subject: "sa:system:admin", CorrelationID: "c-1", Source: "192.0.2.1"}
)

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

func stamp() accounts.Stamp { return accounts.Stamp{CreatedAt: start, UpdatedAt: start} }

// write runs fn with an event of its own.
func write(ctx context.Context, store accounts.Store, fn func(accounts.Tx) error) error {
	return store.Write(ctx, admin, func(tx accounts.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return tx.Record(ctx, audit.Event{ID: newID(), Time: start, Type: "test", Outcome: audit.Succeeded})
	})
}

// client is the least that a credential with a secret needs.
type client struct {
	org        accounts.Org
	account    accounts.ServiceAccount
	credential accounts.Credential
	secret     accounts.Secret
	hash       accounts.Hash
}

func newClient(name string) client {
	var c client
	c.org = accounts.Org{ID: newID(), Slug: name, Version: 1, Stamp: stamp()}
	c.account = accounts.ServiceAccount{ID: newID(), OrgID: c.org.ID, Slug: "bot", Version: 1, Stamp: stamp()}
	c.credential = accounts.Credential{
		ID: newID(), AccountID: c.account.ID, OrgID: c.org.ID, ClientID: name, Kind: accounts.KindSecret, Version: 1, Stamp: stamp(),
	}
	c.secret = accounts.Secret{ID: newID(), CredentialID: c.credential.ID, Seq: 1, CreatedAt: start}
	c.hash = accounts.Hash{Pepper: 1, Sum: append(c.secret.ID[:], c.credential.ID[:]...)}
	return c
}

func (c client) insert(ctx context.Context, tx accounts.Tx) error {
	peppers, err := tx.Peppers(ctx)
	if err == nil && len(peppers) == 0 {
		err = tx.InsertPepper(ctx, accounts.SealedPepper{Number: 1, Sealed: []byte("sealed 1"), CreatedAt: start})
	}
	for _, step := range []func() error{
		func() error { return err },
		func() error { return tx.InsertOrg(ctx, c.org) },
		func() error { return tx.InsertAccount(ctx, c.account) },
		func() error { return tx.InsertCredential(ctx, c.credential) },
		func() error { return tx.InsertSecret(ctx, c.secret, c.hash) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func stored(t testing.TB, store accounts.Store, name string) client {
	t.Helper()
	c := newClient(name)
	if err := write(t.Context(), store, func(tx accounts.Tx) error { return c.insert(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClosedDatabaseIsUnavailable(t *testing.T) { onEach(t, testClosed) }

func testClosed(t *testing.T, db *sqldb.DB) {
	store := sqlstore.New(db, sqlstore.WithCache(), sqlstore.WithBatching())
	c := stored(t, store, "acme")
	ctx := t.Context()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, bySecret := store.StandingBySecret(ctx, []accounts.Hash{c.hash})
	_, byClient := store.StandingByClient(ctx, "acme", 1)
	_, swept := store.Sweep(ctx, start, start)
	for name, err := range map[string]error{
		"Read":             store.Read(ctx, func(accounts.Reader) error { return nil }),
		"Write":            write(ctx, store, func(accounts.Tx) error { return nil }),
		"SaveUsage":        store.SaveUsage(ctx, []accounts.Use{{At: start}}),
		"Sweep":            swept,
		"StandingBySecret": bySecret,
		"StandingByClient": byClient,
	} {
		if !errors.Is(err, accounts.ErrUnavailable) || errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("%s = %v, want ErrUnavailable", name, err)
		}
	}
}

// Rotation makes and deletes secrets for ever; what stays of them must not grow.
func TestLastUsesOfTheDeadAreOneRow(t *testing.T) { onEach(t, testLastUsesOfTheDead) }

func testLastUsesOfTheDead(t *testing.T, db *sqldb.DB) {
	store := sqlstore.New(db)
	c := stored(t, store, "acme")
	ctx := t.Context()
	for seq := range int64(5) {
		secret := accounts.Secret{ID: newID(), CredentialID: c.credential.ID, Seq: seq + 2, CreatedAt: start}
		hash := accounts.Hash{Pepper: 1, Sum: secret.ID[:]}
		if err := write(ctx, store, func(tx accounts.Tx) error { return tx.InsertSecret(ctx, secret, hash) }); err != nil {
			t.Fatal(err)
		}
		use := accounts.Use{AccountID: c.account.ID, CredentialID: c.credential.ID, SecretID: secret.ID, At: start}
		if err := store.SaveUsage(ctx, []accounts.Use{use}); err != nil {
			t.Fatal(err)
		}
		if err := write(ctx, store, func(tx accounts.Tx) error { return tx.DeleteSecret(ctx, c.credential.ID, secret.ID) }); err != nil {
			t.Fatal(err)
		}
	}
	var rows int
	if err := db.Each(ctx, func(r *sql.Rows) error { return r.Scan(&rows) }, "SELECT count(*) FROM last_uses"); err != nil {
		t.Fatal(err)
	}
	if rows != 1 {
		t.Errorf("%d rows, want 1", rows)
	}
}
