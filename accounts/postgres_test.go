package accounts_test

import (
	"crypto/rand"
	"errors"
	"os"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/accounts/sqlstore"
	"github.com/signet-issuer/signet/internal/engines"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/internal/sqldb"
)

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }

// newPostgres is a service as replicas run it, with an administrator.
func newPostgres(t *testing.T) *fixture {
	t.Helper()
	db, err := sqldb.OpenPostgres(t.Context(), sqldb.PostgresConfig{URL: secret.New(engines.Database(t)), MaxConns: 8})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	must(t, db.Migrate(t.Context(), sqldb.Migrations))
	master, _, err := secret.GenerateKey(rand.Reader)
	must(t, err)
	f := &fixture{
		t: t, db: db, store: sqlstore.New(db, sqlstore.WithBatching()), master: master,
		usage: &memoryUsage{newest: map[uuid.UUID]accounts.Use{}}, clock: &clock{at: start},
	}
	f.Service = f.open(f.store)
	must(t, fails(f.Bootstrap(t.Context(), false)))
	return f
}

// What is generated is looked for before it is taken: PostgreSQL goes on after no failed insert.
func TestGeneratedNamesOnPostgres(t *testing.T) {
	f := newPostgres(t)
	second, err := f.Bootstrap(t.Context(), true)
	must(t, err)
	if second.Account.Slug != "admin-2" {
		t.Errorf("the second administrator is %s", second.Account.Slug)
	}
	acme := f.org("acme")
	var wg sync.WaitGroup
	slugs := make(chan string, 12)
	for range cap(slugs) {
		wg.Go(func() {
			for {
				made, err := f.CreateAccount(t.Context(), operator(), accounts.ByID(acme.ID), accounts.NewAccount{
					Stem: stem, Credential: &accounts.FirstCredential{Shape: accounts.Prefixed},
				})
				if errors.Is(err, accounts.ErrUnavailable) {
					continue // too many at once on a busy machine
				}
				if err != nil {
					t.Error(err)
				}
				slugs <- made.Account.Slug
				return
			}
		})
	}
	wg.Wait()
	close(slugs)
	seen := map[string]bool{}
	for slug := range slugs {
		if seen[slug] {
			t.Errorf("%s twice", slug)
		}
		seen[slug] = true
	}
	s := f.drawing(&scripted{six: []string{"00000000000a", "00000000000a", "00000000000b"}})
	for _, want := range []string{"sa_client_00000000000a", "sa_client_00000000000b"} {
		made, err := s.CreateAccount(t.Context(), operator(), accounts.ByID(acme.ID), accounts.NewAccount{
			Name: "N", Credential: &accounts.FirstCredential{Shape: accounts.Prefixed},
		})
		must(t, err)
		if made.Credential.ClientID != want {
			t.Errorf("client id %s, want %s", made.Credential.ClientID, want)
		}
	}
}

// The life of a token on PostgreSQL, where nothing is remembered.
func TestTokensOnPostgres(t *testing.T) {
	f := newPostgres(t)
	acme := f.org("acme")
	for name, way := range tokenEnds {
		if name == "org deleted" || name == "org disabled" || name == "expired" || name == "shortened" {
			continue // they would end the others too
		}
		made := f.bearer(acme, "", accounts.RoleViewer)
		f.presents(made.Secret)
		must(t, way.end(t.Context(), f, made))
		f.noToken(name, made.Secret)
		if way.back != nil {
			must(t, way.back(t.Context(), f, made))
			f.noToken(name+", taken back", made.Secret)
		}
	}
}
