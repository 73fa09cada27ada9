package server

import (
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/server/admin"
	"github.com/signet-issuer/signet/server/authn"
	"github.com/signet-issuer/signet/server/oauth"
	"github.com/signet-issuer/signet/server/web"
	"github.com/signet-issuer/signet/tokens"
)

// Deps is what the server works with. Every field is required unless it says otherwise.
type Deps struct {
	Issuer   string // URL, without a final slash
	Accounts *accounts.Service
	Keys     *tokens.Keys
	Tokens   tokens.Store
	Live     tokens.Live
	Limiter  web.Limiter

	DefaultLifetime time.Duration
	MaxLifetime     time.Duration
	StrictScopes    bool
	PerOrgRate      int // tokens a second of one org; 0: by number of processors

	TrustedProxies   []netip.Prefix
	Health           *Health
	Metrics          *Metrics
	MetricsElsewhere bool              // they have a listener of their own
	Observe          func(web.Summary) // called once a request, besides the metrics; may be nil
	Log              *slog.Logger
	Now              func() time.Time // nil: the real one
	Random           io.Reader        // nil: the real one
}

const (
	shedWait = 500 * time.Millisecond
	// inFlightPerCPU is far more than keeps a processor busy and few enough that the last in
	// line waits less than a second.
	inFlightPerCPU = 256
)

// New returns the handler of everything that Signet serves.
func New(deps Deps) (http.Handler, error) {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Random == nil {
		deps.Random = rand.Reader
	}
	surfaces, err := deps.surfaces()
	if err != nil {
		return nil, err
	}
	router := web.NewRouter(surfaces...)
	events := web.Events(web.EventConfig{
		Log: deps.Log, Trusted: deps.TrustedProxies, Now: deps.Now, Random: deps.Random,
		Fail: router.Fail, Observe: deps.observe,
	})
	shed := web.Shed(inFlightPerCPU*runtime.GOMAXPROCS(0), shedWait)
	requireTLS := web.RequireTLS(deps.TrustedProxies)
	return deps.Health.leaving(events(web.Recover(web.SecurityHeaders(requireTLS(shed(router)))))), nil
}

func (d Deps) observe(s web.Summary) {
	d.Metrics.Observe(s)
	if d.Observe != nil {
		d.Observe(s)
	}
}

// surfaces are tried in this order: the hot ones first, the one that answers for unknown paths last.
func (d Deps) surfaces() ([]web.Surface, error) {
	issuer, err := tokens.NewIssuer(tokens.IssuerConfig{
		Keys: d.Keys, Issuer: d.Issuer, Live: d.Live, Usage: d.Accounts,
		DefaultLifetime: d.DefaultLifetime, MaxLifetime: d.MaxLifetime, StrictScopes: d.StrictScopes,
		PerOrgRate: d.PerOrgRate, Now: d.Now, Random: d.Random,
	})
	if err != nil {
		return nil, err
	}
	registry := tokens.NewRegistry(tokens.RegistryConfig{
		Store: d.Tokens, Live: d.Live, Accounts: d.Accounts, MaxLifetime: d.MaxLifetime, Now: d.Now, Random: d.Random,
	})
	clients := &authn.Clients{Accounts: d.Accounts, Limiter: d.Limiter}
	bearers := &authn.Bearers{
		Keys: d.Keys, Accounts: d.Accounts, Registry: registry, Limiter: d.Limiter, Issuer: d.Issuer, Now: d.Now,
	}
	return []web.Surface{
		oauth.Surface(oauth.Config{
			Issuer: d.Issuer, Clients: clients, Bearers: bearers, Tokens: issuer,
			Registry: registry, Keys: d.Keys, Limiter: d.Limiter,
		}),
		d.operations(),
		admin.Surface(admin.Config{
			Accounts: d.Accounts, Keys: d.Keys, Registry: registry, Issuer: issuer,
			Bearers: bearers, Clients: clients, Now: d.Now,
		}),
	}, nil
}

func (d Deps) operations() web.Surface {
	routes := d.Health.routes()
	if !d.MetricsElsewhere {
		routes = append(routes, web.Route{Method: http.MethodGet, Path: "/metrics", Handler: d.Metrics.serveLocally})
	}
	return web.Surface{Name: "operations", Routes: routes, Fail: web.DefaultFail}
}
