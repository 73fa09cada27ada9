package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/accounts/sqlstore"
	"github.com/signet-issuer/signet/internal/sqldb"
)

// One bad row must not take others down with it, nor the process.
func TestF20_BadRowsFailAlone(t *testing.T) { onEach(t, testBadRows) }

func testBadRows(t *testing.T, db *sqldb.DB) {
	store := sqlstore.New(db, sqlstore.WithBatching())
	good := stored(t, store, "good")
	for _, statement := range []string{
		"UPDATE credentials SET allowed_cidrs = 'everywhere' WHERE id = $1",
		"UPDATE credentials SET gen = 9223372036854775807 WHERE id = $1",
	} {
		bad := stored(t, store, "bad-"+newID().String())
		change(t, db, "UPDATE orgs SET gen = 1 WHERE id = $1", bad.org.ID)
		change(t, db, statement, bad.credential.ID)
		if got, err := store.StandingBySecret(t.Context(), []accounts.Hash{bad.hash}); err == nil || errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("after %s: %v, %v", statement, got, err)
		}
		askTogether(t, store, good, bad)
	}
}

// Whatever is in any column, by whoever's hand, is the matter of that credential alone.
func TestF20_BadColumnsFailAlone(t *testing.T) { onEach(t, testBadColumns) }

func testBadColumns(t *testing.T, db *sqldb.DB) {
	store := sqlstore.New(db, sqlstore.WithBatching())
	good, bad := stored(t, store, "good"), stored(t, store, "bad")
	rows := map[string]uuid.UUID{
		"orgs": bad.org.ID, "service_accounts": bad.account.ID, "credentials": bad.credential.ID, "secrets": bad.secret.ID,
	}
	values := []string{"NULL", "''", "-1", "9223372036854775807"}
	if onPostgres(t, db) {
		values = append(values, "repeat('x', 1048576)")
	} else {
		values = append(values, "CAST(x'ff00fe' AS TEXT)", "x'ff'", "1.5", "hex(zeroblob(524288))")
	}
	all, spoilt := columns(t, db), 0
	for table, id := range rows {
		for _, column := range all[table] {
			if column == "id" {
				continue
			}
			for _, value := range values {
				repair, ok := spoil(t, db, table, column, value, id)
				if !ok {
					continue
				}
				spoilt++
				askTogether(t, store, good, bad)
				repair()
			}
		}
	}
	if spoilt < 60 {
		t.Errorf("only %d columns could be spoilt", spoilt)
	}
}

// spoil writes a bad value, unless the schema refuses it, and returns how to undo that.
func spoil(t *testing.T, db *sqldb.DB, table, column, value string, id uuid.UUID) (repair func(), ok bool) {
	t.Helper()
	kept := errors.New("the schema keeps it out")
	var before any
	err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
		err := tx.QueryRowContext(t.Context(), fmt.Sprintf("SELECT %s FROM %s WHERE id = $1", column, table), id).Scan(&before)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(t.Context(), fmt.Sprintf("UPDATE %s SET %s = %s WHERE id = $1", table, column, value), id)
		if err != nil {
			return errors.Join(kept, err)
		}
		return nil
	})
	if err != nil && (!errors.Is(err, kept) || errors.Is(err, sqldb.ErrUnavailable)) {
		t.Fatalf("%s.%s = %.20s: %v", table, column, value, err)
	}
	return func() { change(t, db, fmt.Sprintf("UPDATE %s SET %s = $2 WHERE id = $1", table, column), id, before) }, err == nil
}

// askTogether asks for the good and the bad one at once, so that some of it shares statements.
func askTogether(t *testing.T, store *sqlstore.Store, good, bad client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			_, _ = store.StandingBySecret(ctx, []accounts.Hash{bad.hash})
			_, _ = store.StandingByClient(ctx, bad.credential.ClientID, 1)
		})
		group.Go(func() {
			bySecret, err1 := patiently(func() (accounts.Standing, error) { return store.StandingBySecret(ctx, []accounts.Hash{good.hash}) })
			byClient, err2 := patiently(func() (accounts.Standing, error) { return store.StandingByClient(ctx, good.credential.ClientID, 1) })
			if err := errors.Join(err1, err2); err != nil || bySecret.AccountID != good.account.ID || byClient.AccountID != good.account.ID {
				t.Errorf("the good one: %v, %v, %v", bySecret.AccountID, byClient.AccountID, err)
			}
		})
	}
	group.Wait()
}

// patiently asks again when a machine that is busy with other things let the time run out.
func patiently(ask func() (accounts.Standing, error)) (accounts.Standing, error) {
	for {
		if standing, err := ask(); !errors.Is(err, accounts.ErrUnavailable) {
			return standing, err
		}
	}
}
