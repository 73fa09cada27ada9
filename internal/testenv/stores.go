package testenv

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"testing"
	"time"

	"github.com/signet-issuer/signet/accounts"
	accountstore "github.com/signet-issuer/signet/accounts/sqlstore"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/internal/sqldb"
	"github.com/signet-issuer/signet/server/web"
	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/localstate"
	"github.com/signet-issuer/signet/tokens/redisstate"
)

// State is what may be lost, on this machine or in Redis.
type State interface {
	accounts.Usage
	tokens.Live
	web.Limiter
	Dropped() uint64
}

// closeLimit bounds how long a state may take to write what it still holds.
const closeLimit = 5 * time.Second

func (e *Env) openStores(t testing.TB, folder string) {
	t.Helper()
	ctx := t.Context()
	e.openDatabase(t, folder)
	e.openState(t, folder)
	if e.Limiter = e.config.Limiter; e.Limiter == nil {
		e.Limiter = e.State
	}
	store := e.accountStore()
	var err error
	e.master, _, err = secret.GenerateKey(rand.Reader)
	must(t, err)
	peppers, err := accounts.OpenPeppers(ctx, accounts.PepperConfig{
		Store: store, Master: e.master, Now: e.Clock.Now, Random: rand.Reader,
	})
	must(t, err)
	e.Service = accounts.NewService(accounts.Config{
		Store: store, Usage: e.State, Peppers: peppers, Issuer: e.Issuer,
		Now: e.Clock.Now, Random: rand.Reader, Log: e.log,
	})
}

func (e *Env) openDatabase(t testing.TB, folder string) {
	t.Helper()
	var err error
	if e.config.Database == "" {
		e.DB, err = sqldb.OpenSQLite(t.Context(), filepath.Join(folder, "signet.db"), sqldb.Normal)
	} else {
		e.DB, err = sqldb.OpenPostgres(t.Context(), sqldb.PostgresConfig{URL: secret.New(e.config.Database)})
	}
	must(t, err)
	t.Cleanup(func() { _ = e.DB.Close() })
	must(t, e.DB.Migrate(t.Context(), sqldb.Migrations))
}

func (e *Env) openState(t testing.TB, folder string) {
	t.Helper()
	ctx := t.Context()
	closing := func(end func(context.Context) error) {
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
			defer cancel()
			_ = end(ctx) // a test may have taken it away
		})
	}
	if e.config.Redis == "" {
		local, err := localstate.Open(ctx, localstate.Config{
			Path: filepath.Join(folder, "state.db"), Now: e.Clock.Now, Log: e.log,
		})
		must(t, err)
		closing(local.Close)
		e.State = local
		return
	}
	prefix := e.config.Prefix
	if prefix == "" {
		prefix = "test-" + rand.Text()
	}
	shared, err := redisstate.Open(ctx, redisstate.Config{
		URL: secret.New(e.config.Redis), Prefix: prefix, Now: e.Clock.Now, Log: e.log,
	})
	must(t, err)
	closing(shared.Close)
	e.State, e.report = shared, shared.Report
}

// accountStore reads as the mode does that the database belongs to.
func (e *Env) accountStore() accounts.Store {
	var options []accountstore.Option
	if e.config.Cache {
		options = append(options, accountstore.WithCache())
	}
	if e.config.Database != "" {
		options = append(options, accountstore.WithBatching())
	}
	var store accounts.Store = accountstore.New(e.DB, options...)
	if e.config.Store != nil {
		store = e.config.Store(store)
	}
	return store
}
