// Package nscale speaks Nscale's dialect of service accounts, groups and roles under
// /api/v1/organizations, and trades bearer tokens for passports under /oauth2/v2. A handler
// decodes a request, calls the domain and encodes the answer; every rule is the domain's.
// openapi.yaml describes all of it.
package nscale

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/server/authn"
	"github.com/signet-issuer/signet/server/web"
	"github.com/signet-issuer/signet/tokens"
)

// Config is what the surface works with. Every field is required.
type Config struct {
	Issuer    string // URL, without a final slash
	Accounts  *accounts.Service
	Bearers   *authn.Bearers
	Tokens    *tokens.Issuer
	Passports *tokens.Keys // of the purpose [tokens.Passports]
}

type api struct {
	Config
	metadataURL string // where a refused caller finds who issues tokens
}

const (
	root    = "/api/v1/organizations"
	org     = root + "/{organizationID}"
	list    = org + "/serviceaccounts"
	account = list + "/{serviceAccountID}"
	groups  = org + "/groups"
	group   = groups + "/{groupid}"
	oauth   = "/oauth2/v2"

	// The first is where Nscale's clients look, the second the standard place (RFC 9728, section 3).
	metadataPath         = "/.well-known/openid-protected-resource"
	standardMetadataPath = "/.well-known/oauth-protected-resource"
)

// Surface returns the routes.
func Surface(cfg Config) web.Surface {
	origin, path := splitIssuer(cfg.Issuer)
	a := &api{Config: cfg, metadataURL: origin + metadataPath + path}
	return web.Surface{Name: "nscale", Routes: a.routes(path), Prefixes: []string{root, oauth}, Fail: a.fail}
}

func (a *api) routes(issuerPath string) []web.Route {
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	routes := []web.Route{
		{Method: get, Path: root, Handler: a.admin(a.listOrganizations)},
		{Method: get, Path: org + "/roles", Handler: a.admin(a.listRoles)},

		{Method: get, Path: list, Handler: a.admin(a.listAccounts)},
		{Method: post, Path: list, Handler: a.admin(a.createAccount)},
		{Method: put, Path: account, Handler: a.admin(a.replaceAccount)},
		{Method: del, Path: account, Handler: a.admin(a.deleteAccount)},
		{Method: post, Path: account + "/rotate", Handler: a.admin(a.rotateAccount)},

		{Method: get, Path: groups, Handler: a.admin(a.listGroups)},
		{Method: post, Path: groups, Handler: a.admin(a.createGroup)},
		{Method: get, Path: group, Handler: a.admin(a.getGroup)},
		{Method: put, Path: group, Handler: a.admin(a.replaceGroup)},
		{Method: del, Path: group, Handler: a.admin(a.deleteGroup)},

		{Method: post, Path: oauth + "/token", Handler: a.exchange}, // proves itself by its body
		{Method: get, Path: oauth + "/userinfo", Handler: a.userinfo},
		{Method: post, Path: oauth + "/userinfo", Handler: a.userinfo},
		{Method: get, Path: oauth + "/jwks", Handler: a.jwks},
		{Method: get, Path: metadataPath, Handler: a.metadata},
		{Method: get, Path: standardMetadataPath, Handler: a.metadata},
		{Method: get, Path: "/openapi/nscale.json", Handler: web.ServeDocument(Document)},
	}
	if issuerPath != "" {
		routes = append(routes,
			web.Route{Method: get, Path: metadataPath + issuerPath, Handler: a.metadata},
			web.Route{Method: get, Path: standardMetadataPath + issuerPath, Handler: a.metadata},
		)
	}
	return routes
}

// splitIssuer cuts the path, which most have none of, off the issuer's URL.
func splitIssuer(issuer string) (origin, path string) {
	parsed, err := url.Parse(issuer)
	if err != nil {
		return issuer, ""
	}
	path = strings.TrimSuffix(parsed.EscapedPath(), "/")
	return strings.TrimSuffix(issuer, path), path
}

// call is one request of an authenticated caller. Ids that its path does not have are zero.
type call struct {
	w                   http.ResponseWriter
	r                   *http.Request
	by                  authz.Principal
	org, account, group uuid.UUID
}

// admin adapts a handler. A path with an id that is none is refused before all else, and the
// caller is known before anything of the body is read.
func (a *api) admin(handle func(*call) error) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		c := &call{w: w, r: r}
		for name, id := range map[string]*uuid.UUID{"organizationID": &c.org, "serviceAccountID": &c.account, "groupid": &c.group} {
			if text := web.Var(r, name); text != "" {
				var ok bool
				if *id, ok = parseUUID(text); !ok {
					return web.BadRequest("the path has an id that is not a UUID")
				}
			}
		}
		var err error
		if c.by, err = a.Bearers.Principal(r); err != nil {
			return err
		}
		if _, err := web.ReadQuery(r, nil); err != nil {
			return err
		}
		return handle(c)
	}
}

// parseUUID reads the common spelling of 36 characters, in either case (RFC 9562, section 4).
func parseUUID(text string) (uuid.UUID, bool) {
	if len(text) != 36 {
		return uuid.UUID{}, false
	}
	id, err := uuid.Parse(text)
	return id, err == nil
}

func (c *call) inOrg() accounts.Ref { return accounts.ByID(c.org) }

func (c *call) at() accounts.AccountRef {
	return accounts.AccountRef{Org: c.inOrg(), Account: accounts.ByID(c.account)}
}

// secret sends v, which shows a token, so that nobody may keep it.
func (c *call) secret(status int, v any) error {
	c.w.Header().Set("Cache-Control", "no-cache, no-store")
	return web.WriteJSON(c.w, status, v)
}

// answer sends v, which no cache may use without asking again.
func (c *call) answer(status int, v any) error {
	noCache(c.w)
	return web.WriteJSON(c.w, status, v)
}

// done answers what leaves nothing to show.
func (c *call) done(err error) error {
	if err != nil {
		return err
	}
	noCache(c.w)
	c.w.WriteHeader(http.StatusOK)
	return nil
}

func noCache(w http.ResponseWriter) { w.Header().Set("Cache-Control", "no-cache") }
