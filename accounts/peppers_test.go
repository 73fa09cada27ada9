package accounts_test

import (
	"crypto/rand"
	"database/sql"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/internal/sqldb"
)

func (f *fixture) peppersOfSecrets() (list []int64) {
	f.t.Helper()
	must(f.t, f.db.Read(f.t.Context(), func(tx *sqldb.Tx) error {
		return each(f, tx, "SELECT pepper FROM secrets ORDER BY id", func(row *sql.Rows) error {
			list = append(list, 0)
			return row.Scan(&list[len(list)-1])
		})
	}))
	return list
}

func TestSeveralPeppers(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	old := f.account(acme, accounts.NewAccount{Slug: "old", WithCredential: true})
	f.recorded(accounts.ByID(accounts.SystemOrgID), "peppers.created", func() error { return accounts.AddPepper(t.Context(), f.pepperConfig()) })
	running := f.Service
	f.Service = f.open(f.store)
	fresh := f.account(acme, accounts.NewAccount{Slug: "new", WithCredential: true})
	f.alive(old.Credential.ClientID, old.Secret)
	f.alive(fresh.Credential.ClientID, fresh.Secret)
	if list := f.peppersOfSecrets(); len(list) != 3 || list[1] != 1 || list[2] != 2 {
		t.Errorf("secrets are under the peppers %v", list)
	}
	f.Service = running // which has not learned of the second pepper yet, and keeps serving what it knows
	f.alive(old.Credential.ClientID, old.Secret)
}

// Replicas that start at the same time on an empty database share one pepper.
func TestConcurrentStartsMakeOnePepper(t *testing.T) {
	f := openUnused(t, filepath.Join(t.TempDir(), "signet.db"))
	errs := make([]error, 8)
	opened := make([]*accounts.Peppers, len(errs))
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { opened[i], errs[i] = accounts.OpenPeppers(t.Context(), f.pepperConfig()) })
	}
	wg.Wait()
	must(t, errors.Join(errs...))
	must(t, f.store.Read(t.Context(), func(r accounts.Reader) error {
		stored, err := r.Peppers(t.Context())
		if len(stored) != 1 || stored[0].Number != 1 {
			t.Errorf("%d peppers", len(stored))
		}
		return err
	}))
	if rows := f.auditRows(); rows != 1 {
		t.Errorf("%d audit rows", rows)
	}
	f.Service = f.with(opened[0], f.store)
	made, err := f.Bootstrap(t.Context(), false)
	must(t, err)
	for _, peppers := range opened {
		f.Service = f.with(peppers, f.store)
		f.alive(made.Credential.ClientID, made.Secret)
	}
}

func TestI31_WrongMasterKey(t *testing.T) {
	f := newFixture(t)
	cfg := f.pepperConfig()
	var err error
	cfg.Master, _, err = secret.GenerateKey(rand.Reader)
	must(t, err)
	dump := f.dump()
	peppers, err := accounts.OpenPeppers(t.Context(), cfg)
	wantErr(t, err, secret.ErrSealed)
	if peppers != nil || f.dump() != dump {
		t.Error("it made a pepper of its own")
	}
}

func TestPepperNeedsRandomness(t *testing.T) {
	f := newFixture(t)
	cfg := f.pepperConfig()
	broken := errors.New("no entropy")
	cfg.Random = iotest.ErrReader(broken)
	wantErr(t, f.unchanged(func() error { return accounts.AddPepper(t.Context(), cfg) }), broken)
}
