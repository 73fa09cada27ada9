package server

import (
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
	IssuerURL string // without a final slash
	Accounts  *accounts.Service
	Keys      *tokens.Keys
	Passports *tokens.Keys // of the purpose [tokens.Passports]; needed for the dialect Nscale alone
	Issuer    *tokens.Issuer
	Registry  *tokens.Registry
	Limiter   web.Limiter

	Dialects         Dialects // none: the native API alone
	TrustedProxies   []netip.Prefix
	Health           *Health
	Metrics          *Metrics
	MetricsElsewhere bool              // they have a listener of their own
	Observe          func(web.Summary) // called once a request, besides the metrics; may be nil
	Log              *slog.Logger
	Now              func() time.Time
	Random           io.Reader
}

const (
	shedWait = 500 * time.Millisecond
	// inFlightPerCPU is far more than keeps a processor busy and few enough that the last in
	// line waits less than a second.
	inFlightPerCPU = 256
)

// New returns the handler of everything that Signet serves.
func New(deps Deps) http.Handler {
	router := web.NewRouter(deps.surfaces()...)
	events := web.Events(web.EventConfig{
		Log: deps.Log, Trusted: deps.TrustedProxies, Now: deps.Now, Random: deps.Random,
		Fail: router.Fail, Observe: deps.observe,
	})
	shed := web.Shed(inFlightPerCPU*runtime.GOMAXPROCS(0), shedWait, router.Exempt)
	requireTLS := web.RequireTLS(router.Exempt)
	return deps.Health.leaving(events(web.Recover(web.SecurityHeaders(requireTLS(shed(router))))))
}

func (d Deps) observe(s web.Summary) {
	d.Metrics.Observe(s)
	if d.Observe != nil {
		d.Observe(s)
	}
}

// surfaces are tried in this order: the hot ones first, the one that answers for unknown paths last.
func (d Deps) surfaces() []web.Surface {
	clients := &authn.Clients{Accounts: d.Accounts, Limiter: d.Limiter}
	bearers := &authn.Bearers{
		Keys: d.Keys, Accounts: d.Accounts, Revocations: d.Registry, Limiter: d.Limiter, Issuer: d.IssuerURL, Now: d.Now,
	}
	surfaces := []web.Surface{
		oauth.Surface(oauth.Config{
			Issuer: d.IssuerURL, Clients: clients, Bearers: bearers, Tokens: d.Issuer,
			Registry: d.Registry, Keys: d.Keys, Limiter: d.Limiter, Aliases: d.Dialects.aliases(),
		}),
		d.operations(),
	}
	surfaces = append(surfaces, d.dialects(bearers)...)
	return append(surfaces, admin.Surface(admin.Config{
		Accounts: d.Accounts, Keys: d.Keys, Registry: d.Registry, Issuer: d.Issuer,
		Bearers: bearers, Clients: clients, Now: d.Now,
	}))
}

func (d Deps) operations() web.Surface {
	routes := d.Health.routes()
	if !d.MetricsElsewhere {
		routes = append(routes, web.Route{Method: http.MethodGet, Path: "/metrics", Handler: d.Metrics.serveLocally, Exempt: true})
	}
	return web.Surface{Name: "operations", Routes: routes, Fail: web.DefaultFail}
}
