package admin

import (
	"net/http"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/server/authn"
	"github.com/signet-issuer/signet/server/web"
	"github.com/signet-issuer/signet/tokens"
)

// Config is what the native API works with. Every field is required.
type Config struct {
	Accounts *accounts.Service
	Keys     *tokens.Keys
	Registry *tokens.Registry
	Issuer   *tokens.Issuer
	Bearers  *authn.Bearers
	Clients  *authn.Clients
	Now      func() time.Time
}

type api struct {
	accounts *accounts.Service
	keys     *tokens.Keys
	registry *tokens.Registry
	issuer   *tokens.Issuer
	bearers  *authn.Bearers
	clients  *authn.Clients
	now      func() time.Time
}

// Surface returns the native API. It is meant to be the last surface of a [web.Router], so
// that it answers for paths that are nobody's.
func Surface(cfg Config) web.Surface {
	a := &api{
		accounts: cfg.Accounts, keys: cfg.Keys, registry: cfg.Registry, issuer: cfg.Issuer,
		bearers: cfg.Bearers, clients: cfg.Clients, now: cfg.Now,
	}
	return web.Surface{Name: "native", Routes: a.routes(), Prefixes: []string{"/v2"}, Fail: a.fail}
}

const (
	org        = "/v2/orgs/{org}"
	account    = org + "/service-accounts/{slug}"
	credential = account + "/credentials/{credential}"
)

var pageParams = []string{"page", "limit", "search"}

func (a *api) routes() []web.Route {
	const get, post, patch, del = http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete
	return []web.Route{
		{Method: get, Path: "/v2/orgs", Handler: a.admin(a.listOrgs, pageParams...)},
		{Method: post, Path: "/v2/orgs", Handler: a.admin(a.createOrg)},
		{Method: get, Path: org, Handler: a.admin(a.getOrg)},
		{Method: patch, Path: org, Handler: a.versioned(a.updateOrg)},
		{Method: del, Path: org, Handler: a.versioned(a.deleteOrg)},
		{Method: get, Path: org + "/audit-events", Handler: a.admin(a.listAuditEvents, "from", "to", "actor", "target", "cursor", "limit")},

		{Method: get, Path: org + "/roles", Handler: a.admin(a.listRoles, pageParams...)},
		{Method: post, Path: org + "/roles", Handler: a.admin(a.createRole)},
		{Method: get, Path: org + "/roles/{role}", Handler: a.admin(a.getRole)},
		{Method: patch, Path: org + "/roles/{role}", Handler: a.versioned(a.updateRole)},
		{Method: del, Path: org + "/roles/{role}", Handler: a.versioned(a.deleteRole)},

		{Method: get, Path: org + "/groups", Handler: a.admin(a.listGroups, pageParams...)},
		{Method: post, Path: org + "/groups", Handler: a.admin(a.createGroup)},
		{Method: get, Path: org + "/groups/{group}", Handler: a.admin(a.getGroup)},
		{Method: patch, Path: org + "/groups/{group}", Handler: a.versioned(a.updateGroup)},
		{Method: del, Path: org + "/groups/{group}", Handler: a.versioned(a.deleteGroup)},

		{Method: get, Path: org + "/service-accounts", Handler: a.admin(a.listAccounts, pageParams...)},
		{Method: post, Path: org + "/service-accounts", Handler: a.admin(a.createAccount)},
		{Method: get, Path: account, Handler: a.admin(a.getAccount)},
		{Method: patch, Path: account, Handler: a.versioned(a.updateAccount)},
		{Method: del, Path: account, Handler: a.versioned(a.deleteAccount)},
		{Method: post, Path: account + "/rotate", Handler: a.versioned(a.rotateAccount)},
		{Method: post, Path: account + "/token", Handler: a.issueToken}, // proves itself by its body
		{Method: get, Path: account + "/tokens", Handler: a.admin(a.listTokens, "page", "limit")},
		{Method: del, Path: account + "/tokens", Handler: a.admin(a.revokeTokens)},
		{Method: del, Path: account + "/tokens/{jti}", Handler: a.admin(a.revokeToken)},

		{Method: get, Path: account + "/credentials", Handler: a.admin(a.listCredentials, pageParams...)},
		{Method: post, Path: account + "/credentials", Handler: a.admin(a.createCredential)},
		{Method: get, Path: credential, Handler: a.admin(a.getCredential)},
		{Method: patch, Path: credential, Handler: a.versioned(a.updateCredential)},
		{Method: del, Path: credential, Handler: a.versioned(a.deleteCredential)},
		{Method: get, Path: credential + "/secrets", Handler: a.admin(a.listSecrets)},
		{Method: post, Path: credential + "/secrets", Handler: a.admin(a.addSecret)},
		{Method: del, Path: credential + "/secrets/{secret}", Handler: a.admin(a.retireSecret)},

		{Method: get, Path: "/v2/keys", Handler: a.admin(a.listKeys)},
		{Method: post, Path: "/v2/keys/rotate", Handler: a.admin(a.rotateKeys)},
		{Method: del, Path: "/v2/keys/{kid}", Handler: a.admin(a.dropKey)},

		{Method: get, Path: "/openapi.json", Handler: serveDocument},
	}
}
