package testenv

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/internal/sqldb"
	"github.com/signet-issuer/signet/server"
	"github.com/signet-issuer/signet/server/authn"
	"github.com/signet-issuer/signet/server/oauth"
	"github.com/signet-issuer/signet/server/web"
	"github.com/signet-issuer/signet/tokens"
	tokenstore "github.com/signet-issuer/signet/tokens/sqlstore"
)

// Operator may do everything: tests arrange their accounts with it.
var Operator = authz.Operator("signet:test")

// Config changes what [Start] builds. The zero value is a server as it comes.
type Config struct {
	IssuerPath   string // of the issuer's URL, as in "/auth"
	StrictScopes bool
	PerOrgRate   int
	Lifetime     time.Duration                       // of a token; 0: 15 minutes
	Cache        bool                                // keep standings in memory, as the embedded mode does
	Limiter      web.Limiter                         // nil: the real one
	Store        func(accounts.Store) accounts.Store // stands before the real one; nil: nothing does
	Proxies      []netip.Prefix
	Dialects     *server.Dialects // nil: all
	Database     string           // URL of an empty PostgreSQL database; empty: a SQLite file
	Redis        string           // URL; empty: the state is a SQLite file, too
	Prefix       string           // of the keys in Redis; empty: one that no other test has
	// Surfaces makes surfaces on the parts of env, to serve in the place of the native API.
	Surfaces func(env *Env) []web.Surface
}

// Env is a running server and its parts.
type Env struct {
	URL    string // of the server
	Issuer string // URL and Config.IssuerPath
	Clock  *Clock
	Admin  Login // an owner of the system org

	Service   *accounts.Service
	Keys      *tokens.Keys
	Passports *tokens.Keys // of passports
	Tokens    *tokens.Issuer
	Registry  *tokens.Registry
	Clients   *authn.Clients
	Bearers   *authn.Bearers
	Limiter   web.Limiter
	DB        *sqldb.DB // close it to take the truth away
	State     State

	config Config
	log    *slog.Logger
	logged syncBuffer
	master secret.Key
	report func() string // of the state in Redis; nil without

	mu       sync.Mutex
	finished []web.Summary
}

// Start runs a server until the test ends.
func Start(t testing.TB, change ...func(*Config)) *Env {
	t.Helper()
	e := &Env{Clock: &Clock{}}
	for _, apply := range change {
		apply(&e.config)
	}
	e.log = slog.New(slog.NewJSONHandler(&e.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	listening := httptest.NewUnstartedServer(nil)
	e.URL = "http://" + listening.Listener.Addr().String()
	e.Issuer = e.URL + e.config.IssuerPath

	folder := t.TempDir()
	e.openStores(t, folder)
	e.openTokens(t)
	made, err := e.Service.Bootstrap(t.Context(), false)
	must(t, err)
	e.Admin = Login{ID: made.Credential.ClientID, Secret: made.Secret.Reveal()}
	listening.Config = web.NewServer("", e.handler(t), e.log)
	listening.Start()
	t.Cleanup(listening.Close) // before the databases
	return e
}

func (e *Env) openTokens(t testing.TB) {
	t.Helper()
	store := tokenstore.New(e.DB)
	var err error
	e.Keys, err = e.OpenKeys(t.Context())
	must(t, err)
	e.Passports, err = tokens.OpenKeys(t.Context(), e.passportKeys())
	must(t, err)
	e.Tokens, err = tokens.NewIssuer(tokens.IssuerConfig{
		Keys: e.Keys, Passports: e.Passports, Issuer: e.Issuer, Live: e.State, Usage: e.Service,
		DefaultLifetime: e.lifetime(), MaxLifetime: time.Hour, StrictScopes: e.config.StrictScopes,
		PerOrgRate: e.config.PerOrgRate, Now: e.Clock.Now, Random: rand.Reader,
	})
	must(t, err)
	e.Registry = tokens.NewRegistry(tokens.RegistryConfig{
		Issuer: e.Issuer, Store: store, Live: e.State, Accounts: e.Service, MaxLifetime: time.Hour, Now: e.Clock.Now, Random: rand.Reader,
	})
	e.Clients = &authn.Clients{Accounts: e.Service, Limiter: e.Limiter}
	e.Bearers = &authn.Bearers{
		Keys: e.Keys, Accounts: e.Service, Revocations: e.Registry, Limiter: e.Limiter, Issuer: e.Issuer, Now: e.Clock.Now,
	}
}

// OpenKeys opens the keys once more, as another replica does.
func (e *Env) OpenKeys(ctx context.Context) (*tokens.Keys, error) {
	return tokens.OpenKeys(ctx, e.keys())
}

func (e *Env) keys() tokens.KeysConfig {
	return tokens.KeysConfig{
		Store: tokenstore.New(e.DB), Master: e.master, Algorithm: tokens.ES256, JWKSMaxAge: 5 * time.Minute,
		Rotation: 720 * time.Hour, MaxLifetime: time.Hour, Now: e.Clock.Now, Random: rand.Reader, Log: e.log,
	}
}

func (e *Env) passportKeys() tokens.KeysConfig {
	cfg := e.keys()
	cfg.Purpose, cfg.Algorithm, cfg.MaxLifetime = tokens.Passports, tokens.PassportAlgorithm, tokens.PassportLifetime
	return cfg
}

// handler is the product's own, unless a test brings surfaces to stand in for the native API.
func (e *Env) handler(t testing.TB) http.Handler {
	t.Helper()
	if e.config.Surfaces != nil {
		return e.handlerOf(e.config.Surfaces(e))
	}
	return server.New(e.Deps())
}

// Deps is what the server is made of.
func (e *Env) Deps() server.Deps {
	dialects := server.AllDialects
	if e.config.Dialects != nil {
		dialects = *e.config.Dialects
	}
	return server.Deps{
		IssuerURL: e.Issuer, Accounts: e.Service, Keys: e.Keys, Passports: e.Passports, Issuer: e.Tokens, Registry: e.Registry, Limiter: e.Limiter,
		Dialects: dialects, TrustedProxies: e.config.Proxies, Health: &server.Health{Check: e.DB.Ping, State: e.report},
		Metrics: server.NewMetrics(e.State.Dropped), Observe: e.observe, Log: e.log, Now: e.Clock.Now, Random: rand.Reader,
	}
}

func (e *Env) handlerOf(surfaces []web.Surface) http.Handler {
	endpoints := oauth.Surface(oauth.Config{
		Issuer: e.Issuer, Clients: e.Clients, Bearers: e.Bearers, Tokens: e.Tokens,
		Registry: e.Registry, Keys: e.Keys, Limiter: e.Limiter,
		Aliases: oauth.Aliases{Prisme: true, Keycard: true, Rezolve: true},
	})
	router := web.NewRouter(append([]web.Surface{endpoints}, surfaces...)...)
	events := web.Events(web.EventConfig{
		Log: e.log, Trusted: e.config.Proxies, Fail: router.Fail, Observe: e.observe,
	})
	return events(web.Recover(web.SecurityHeaders(router)))
}

func (e *Env) lifetime() time.Duration {
	if e.config.Lifetime == 0 {
		return 15 * time.Minute
	}
	return e.config.Lifetime
}

func (e *Env) observe(s web.Summary) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.finished = append(e.finished, s)
}

// Finished returns the summaries of the requests so far, in the order of their ends. A
// request's summary can come a moment after its answer.
func (e *Env) Finished() []web.Summary {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]web.Summary(nil), e.finished...)
}

// Logged returns everything that was logged, at every level.
func (e *Env) Logged() string { return e.logged.String() }

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
