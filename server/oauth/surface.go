package oauth

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/signet-issuer/signet/server/authn"
	"github.com/signet-issuer/signet/server/web"
	"github.com/signet-issuer/signet/tokens"
)

// Config is what the surface works with. Every field but the last two is required.
type Config struct {
	Issuer          string // URL, without a final slash
	Clients         *authn.Clients
	Bearers         *authn.Bearers
	Tokens          *tokens.Issuer
	Registry        *tokens.Registry
	Keys            *tokens.Keys
	Limiter         web.Limiter
	ScopesSupported []string // announced in the metadata; empty: nothing is said
	Aliases         Aliases
}

// Aliases are the vendors under whose paths the endpoints are served too.
type Aliases struct{ Prisme, Keycard, Rezolve bool }

const (
	tokenPath      = "/token"
	introspectPath = "/introspect"
	revokePath     = "/revoke"
	jwksPath       = "/.well-known/jwks.json"
	metadataPath   = "/.well-known/oauth-authorization-server"
	discoveryPath  = "/.well-known/openid-configuration"
)

type surface struct {
	Config
	engine *engine
}

// Surface returns the routes. An issuer whose URL has a path is served under that path and
// without it, so that a proxy may or may not cut it off.
func Surface(cfg Config) web.Surface {
	s := &surface{Config: cfg, engine: newEngine(cfg.Clients, cfg.Tokens)}
	path := issuerPath(cfg.Issuer)
	routes := s.routes("")
	if path != "" {
		routes = append(routes, s.routes(path)...)
		routes = append(routes,
			web.Route{Method: http.MethodGet, Path: metadataPath + path, Handler: s.metadata},
			web.Route{Method: http.MethodGet, Path: discoveryPath + path, Handler: s.discovery},
		)
	}
	return web.Surface{Name: "oauth", Routes: routes, Prefixes: []string{"/.well-known/"}, Fail: s.fail}
}

func (s *surface) routes(path string) []web.Route {
	routes := []web.Route{
		{Method: http.MethodPost, Path: path + tokenPath, Handler: s.token},
		{Method: http.MethodPost, Path: path + "/oauth/token", Handler: s.token},
		{Method: http.MethodPost, Path: path + "/oauth2/token", Handler: s.token},
		{Method: http.MethodPost, Path: path + introspectPath, Handler: s.introspect},
		{Method: http.MethodPost, Path: path + revokePath, Handler: s.revoke},
		{Method: http.MethodGet, Path: path + jwksPath, Handler: s.jwks},
		{Method: http.MethodGet, Path: path + metadataPath, Handler: s.metadata},
		{Method: http.MethodGet, Path: path + discoveryPath, Handler: s.discovery},
	}
	if s.Aliases.Prisme {
		routes = append(routes,
			web.Route{Method: http.MethodGet, Path: path + "/oidc/jwks", Handler: s.jwks},
			web.Route{Method: http.MethodGet, Path: path + "/oidc" + discoveryPath, Handler: s.discovery})
	}
	if s.Aliases.Keycard {
		routes = append(routes, web.Route{Method: http.MethodPost, Path: path + "/service-account-token", Handler: s.serviceAccountToken})
	}
	if s.Aliases.Rezolve {
		routes = append(routes, web.Route{Method: http.MethodPost, Path: path + "/api/v1/oauth/token", Handler: s.token})
	}
	return routes
}

// issuerPath is the path of the issuer's URL, empty for most.
func issuerPath(issuer string) string {
	parsed, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(parsed.Path, "/")
}
