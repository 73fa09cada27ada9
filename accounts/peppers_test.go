package accounts_test

import (
	"crypto/rand"
	"database/sql"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/iotest"
	"time"

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

// A process uses a new pepper only when every other one must have heard of it, and judges no
// secret by what it knew too long ago.
func TestProcessesFollowANewPepper(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	first, second := f.Service, f.open(f.store)
	old := f.account(acme, accounts.NewAccount{Slug: "old", Credential: &accounts.FirstCredential{}})
	f.recorded(accounts.ByID(accounts.SystemOrgID), "peppers.created", func() error { return accounts.AddPepper(t.Context(), f.pepperConfig()) })
	third := f.open(f.store) // starts with both
	for _, step := range []struct {
		after time.Duration
		by    *accounts.Service
		name  string
		want  int64
	}{
		{0, third, "started-now", 1},
		{time.Second, first, "not-heard", 1},
		{9 * time.Second, third, "heard-long-ago", 2},
	} {
		f.clock.advance(step.after)
		f.Service = step.by
		account := f.account(acme, accounts.NewAccount{Slug: step.name, Credential: &accounts.FirstCredential{}})
		if list := f.peppersOfSecrets(); list[len(list)-1] != step.want {
			t.Errorf("%s: the secret is under pepper %d, want %d", step.name, list[len(list)-1], step.want)
		}
		for _, judge := range []*accounts.Service{first, second, third} {
			f.Service = judge
			f.alive(account.Credential.ClientID, account.Secret)
			f.alive(old.Credential.ClientID, old.Secret)
		}
	}
}

// What cannot be known is not guessed: a right secret must not look wrong.
func TestI11_UnknownPeppersRefuseNobody(t *testing.T) {
	f := newFixture(t)
	login := f.account(f.org("acme"), accounts.NewAccount{Slug: "bot", Credential: &accounts.FirstCredential{}})
	must(t, f.db.Close())
	f.clock.advance(time.Minute)
	_, err := f.Authenticate(t.Context(), accounts.Claim{ID: login.Credential.ClientID}, accounts.SecretProof{Secret: login.Secret})
	wantErr(t, err, accounts.ErrUnavailable)
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
