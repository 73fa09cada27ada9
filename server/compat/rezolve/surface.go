package rezolve

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/server/authn"
	"github.com/signet-issuer/signet/server/web"
	"github.com/signet-issuer/signet/tokens"
)

// Config is what the dialect works with. Every field is required.
type Config struct {
	Issuer   string // URL
	Accounts *accounts.Service
	Tokens   *tokens.Issuer
	Registry *tokens.Registry
	Bearers  *authn.Bearers
	Now      func() time.Time
}

type api struct{ Config }

const (
	clients = "/api/v1/oauth-clients"
	client  = clients + "/{clientId}"
)

// Surface returns the dialect's routes. It answers also for those parts of the vendor's API
// that there are no routes for. The token endpoint is a route of package oauth.
func Surface(cfg Config) web.Surface {
	const get, post, patch, del = http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete
	a := &api{cfg}
	routes := []web.Route{
		{Method: post, Path: "/api/v1/admin/service-account/create", Handler: a.admin("Service account created successfully", a.createAccount)},

		{Method: get, Path: clients, Handler: a.admin("OAuth clients retrieved successfully", a.listClients, "limit", "offset")},
		{Method: post, Path: clients, Handler: a.admin("OAuth client created successfully", a.createClient)},
		{Method: get, Path: client, Handler: a.about("OAuth client retrieved successfully", a.getClient)},
		{Method: patch, Path: client, Handler: a.about("OAuth client updated successfully", a.updateClient)},
		{Method: del, Path: client, Handler: a.about("OAuth client deleted successfully", a.deleteClient)},
		{Method: post, Path: client + "/rotate-secret", Handler: a.about("OAuth client secret rotated successfully", a.rotateSecret)},

		{Method: get, Path: "/openapi/rezolve.json", Handler: web.ServeDocument(Document)},
	}
	return web.Surface{
		Name: "rezolve", Routes: routes, Fail: a.fail,
		Prefixes: []string{"/api/v1/admin", "/api/v1/api-keys", "/api/v1/credentials", clients},
	}
}

// call is one request of an authenticated caller about one tenant.
type call struct {
	*http.Request
	by     authz.Principal
	tenant accounts.Ref
	query  url.Values // only parameters that the route has, each once
}

// admin adapts a handler: the caller is known before anything else of the request is read.
// The answer may carry a secret, so nobody may keep it.
func (a *api) admin(message string, handle func(*call) (any, error), params ...string) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		by, err := a.Bearers.Principal(r)
		if err != nil {
			return err
		}
		tenant, err := tenantOf(r)
		if err != nil {
			return err
		}
		query, err := web.ReadQuery(r, params)
		if err != nil {
			return invalidParameter(err.Error())
		}
		data, err := handle(&call{Request: r, by: by, tenant: tenant, query: query})
		if err != nil {
			return err
		}
		web.NoStore(w)
		return web.WriteJSON(w, http.StatusOK, envelope{Success: true, Message: message, Data: data, Timestamp: wireTime(a.Now())})
	}
}

// about is admin for a handler that is about the account in the path. The vendor's own examples
// write its id with a prefix.
func (a *api) about(message string, handle func(*call, accounts.AccountRef) (any, error)) web.Handler {
	return a.admin(message, func(c *call) (any, error) {
		text, prefixed := strings.CutPrefix(web.Var(c.Request, "clientId"), accountPrefix)
		if !prefixed {
			text = strings.TrimPrefix(text, "client-")
		}
		id, ok := parseUUID(text)
		if !ok {
			return nil, invalidParameter("clientId must be a UUID")
		}
		return handle(c, accounts.AccountRef{Org: c.tenant, Account: accounts.ByID(id)})
	})
}

func tenantOf(r *http.Request) (accounts.Ref, error) {
	text, err := web.OneHeader(r, "X-Tenantid")
	if err != nil {
		return accounts.Ref{}, err
	}
	id, ok := parseUUID(text)
	if !ok {
		return accounts.Ref{}, web.BadRequest("the header x-tenantid must be the UUID of a tenant")
	}
	return accounts.ByID(id), nil
}

// parseUUID reads the common spelling of 36 characters, in either case (RFC 9562, section 4).
func parseUUID(text string) (uuid.UUID, bool) {
	if len(text) != 36 {
		return uuid.UUID{}, false
	}
	id, err := uuid.Parse(text)
	return id, err == nil && id != uuid.Nil
}

const (
	defaultLimit = 50
	maxLimit     = 100
	maxOffset    = 100_000_000
)

// page reads which page of a list is asked for.
func (c *call) page() (accounts.Query, error) {
	limit, err := web.QueryNumber(c.query, "limit", defaultLimit, maxLimit)
	if err != nil {
		return accounts.Query{}, invalidParameter(err.Error())
	}
	offset := 0
	if text := c.query.Get("offset"); c.query.Has("offset") && text != "0" {
		if offset, err = web.QueryNumber(c.query, "offset", 0, maxOffset); err != nil {
			return accounts.Query{}, invalidParameter("the parameter offset must be a whole number from 0 to " + strconv.Itoa(maxOffset))
		}
	}
	return accounts.Query{Limit: limit, Offset: offset}, nil
}
