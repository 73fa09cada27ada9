// Package keycard speaks Keycard's dialect of service accounts under /organizations. A
// handler decodes a request, calls the domain and encodes the answer; every rule is the
// domain's. The token endpoint /service-account-token is a route of package oauth.
// openapi.yaml describes all of it.
package keycard

import (
	"net/http"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/server/authn"
	"github.com/signet-issuer/signet/server/web"
)

// Config is what the surface works with. Every field is required.
type Config struct {
	Accounts *accounts.Service
	Bearers  *authn.Bearers
}

const (
	root        = "/organizations"
	org         = root + "/{organization_id}"
	list        = org + "/service-accounts"
	account     = list + "/{service_account_id}"
	credentials = account + "/credentials"
	credential  = credentials + "/{credential_id}"
)

// The names of expand: clients send the plain one, and the documentation has the other.
var (
	expandParams = []string{"expand", "expand[]"}
	pageParams   = append([]string{"after", "before", "limit"}, expandParams...)
)

// Surface returns the routes.
func Surface(cfg Config) web.Surface {
	const get, post, patch, del = http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete
	routes := []web.Route{
		{Method: post, Path: list, Handler: cfg.admin(http.StatusCreated, createAccount)},
		{Method: get, Path: list, Handler: cfg.admin(http.StatusOK, listAccounts, pageParams...)},
		{Method: get, Path: account, Handler: cfg.admin(http.StatusOK, getAccount, expandParams...)},
		{Method: patch, Path: account, Handler: cfg.admin(http.StatusOK, updateAccount)},
		{Method: del, Path: account, Handler: cfg.admin(http.StatusNoContent, deleteAccount)},

		{Method: post, Path: credentials, Handler: cfg.admin(http.StatusCreated, createCredential)},
		{Method: get, Path: credentials, Handler: cfg.admin(http.StatusOK, listCredentials, pageParams...)},
		{Method: get, Path: credential, Handler: cfg.admin(http.StatusOK, getCredential, expandParams...)},
		{Method: patch, Path: credential, Handler: cfg.admin(http.StatusOK, updateCredential)},
		{Method: del, Path: credential, Handler: cfg.admin(http.StatusNoContent, deleteCredential)},

		{Method: post, Path: org + "/token", Handler: cfg.admin(http.StatusOK, exchangeToken)},
		{Method: get, Path: "/openapi/keycard.json", Handler: web.ServeDocument(Document)},
	}
	return web.Surface{Name: "keycard", Routes: routes, Prefixes: []string{root}, Fail: fail}
}

// admin adapts a handler: the caller is known before anything else of the request is read.
// The answer may carry a secret, so nobody may keep it.
func (cfg Config) admin(status int, handle func(*call) (any, error), params ...string) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		by, err := cfg.Bearers.Principal(r)
		if err != nil {
			return err
		}
		query, err := web.ReadQuery(r, params, expandParams...)
		if err != nil {
			return err
		}
		answer, err := handle(&call{Request: r, service: cfg.Accounts, by: by, query: query})
		if err != nil {
			return err
		}
		web.NoStore(w)
		if answer == nil {
			w.WriteHeader(status)
			return nil
		}
		return web.WriteJSON(w, status, answer)
	}
}
