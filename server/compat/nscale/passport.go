package nscale

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/server/authn"
	"github.com/signet-issuer/signet/server/web"
	"github.com/signet-issuer/signet/tokens"
)

// Names of RFC 8693 and of the vendor's own.
const (
	grantExchange    = "urn:ietf:params:oauth:grant-type:token-exchange"
	typeAccessToken  = "urn:ietf:params:oauth:token-type:access_token"
	typePassport     = "urn:nscale:params:oauth:token-type:passport"
	grantCredentials = "client_credentials"
)

type passportAnswer struct {
	TokenType       string `json:"token_type"`
	AccessToken     string `json:"access_token"`
	IssuedTokenType string `json:"issued_token_type"`
	ExpiresIn       int64  `json:"expires_in"`
}

// exchange trades a bearer token for a passport (RFC 8693). The token is all the proof there is.
func (a *api) exchange(w http.ResponseWriter, r *http.Request) error {
	form, err := web.ReadForm(r, "audience", "resource")
	if err != nil {
		return err
	}
	if err := checkExchange(form); err != nil {
		return err
	}
	bearer, err := a.Bearers.FromText(r, form.Get("subject_token"))
	if err != nil {
		return err
	}
	org, err := a.passportOrg(r, bearer, form)
	if err != nil {
		return err
	}
	passport, err := a.Tokens.Passport(r.Context(), bearer.Standing, tokens.PassportRequest{
		Audiences: form["audience"], Resources: form["resource"], Org: org, Until: bearer.ExpiresAt,
	})
	if err != nil {
		return err
	}
	web.NoStore(w)
	return web.WriteJSON(w, http.StatusOK, passportAnswer{
		TokenType: "Bearer", AccessToken: passport.Value.Reveal(),
		IssuedTokenType: typePassport, ExpiresIn: int64(passport.Lifetime / time.Second),
	})
}

// checkExchange refuses what is not an exchange of this kind.
func checkExchange(form url.Values) error {
	switch form.Get("grant_type") {
	case grantExchange:
	case "":
		return invalidRequest("grant_type is missing")
	case grantCredentials:
		return invalidRequest("the grant_type client_credentials demands a client certificate here")
	default:
		return &failure{http.StatusBadRequest, "unsupported_grant_type", "this grant_type is not supported"}
	}
	requested := form.Get("requested_token_type")
	switch {
	case form.Has("actor_token"), form.Has("actor_token_type"):
		return invalidRequest("actor_token is not supported")
	case !form.Has("subject_token"):
		return invalidRequest("subject_token is missing")
	case form.Get("subject_token_type") != typeAccessToken:
		return invalidRequest("subject_token_type must be " + typeAccessToken)
	case requested != "" && requested != typePassport && requested != typeAccessToken:
		return invalidRequest("requested_token_type is not supported")
	case form.Has("x_project_id") && !form.Has("x_organization_id"):
		return invalidRequest("x_project_id demands x_organization_id")
	case form.Has("x_project_id"):
		return outOfScope("the project is not in scope") // there are none
	}
	return nil
}

// passportOrg is the organization that a passport is asked for, zero when none is. The
// caller's own needs no permission.
func (a *api) passportOrg(r *http.Request, bearer authn.Bearer, form url.Values) (uuid.UUID, error) {
	if !form.Has("x_organization_id") {
		return uuid.Nil, nil
	}
	id, ok := parseUUID(form.Get("x_organization_id"))
	if ok && id == bearer.Standing.OrgID {
		return id, nil
	}
	_, err := a.Accounts.Org(r.Context(), bearer.Principal(r.Context()), accounts.ByID(id))
	if _, denied := errors.AsType[*authz.DeniedError](err); !ok || denied || errors.Is(err, accounts.ErrNotFound) {
		return uuid.Nil, outOfScope("the organization is not in scope")
	}
	return id, err
}

type userinfo struct {
	Subject string     `json:"sub"`
	Authz   authClaims `json:"https://unikorn-cloud.org/authz"`
}

type authClaims struct {
	Type   string   `json:"acctype"`
	OrgIDs []string `json:"orgIds"`
}

// userinfo says who stands behind the request's token. A form may bring it instead of the header.
func (a *api) userinfo(w http.ResponseWriter, r *http.Request) error {
	bearer, err := a.presented(r)
	if err != nil {
		return err
	}
	noCache(w)
	return web.WriteJSON(w, http.StatusOK, userinfo{
		Subject: bearer.Standing.AccountID.String(),
		Authz:   authClaims{Type: "service", OrgIDs: []string{bearer.Standing.OrgID.String()}},
	})
}

func (a *api) presented(r *http.Request) (authn.Bearer, error) {
	if _, sent := r.Header["Authorization"]; sent || r.Method != http.MethodPost {
		return a.Bearers.FromRequest(r)
	}
	form, err := web.ReadForm(r)
	if err != nil {
		return authn.Bearer{}, err
	}
	if !form.Has("access_token") {
		return authn.Bearer{}, authn.ErrNoToken
	}
	return a.Bearers.FromText(r, form.Get("access_token"))
}

// jwks is the keys of passports alone: no access token is signed with one of them.
func (a *api) jwks(w http.ResponseWriter, _ *http.Request) error {
	set := a.Passports.JWKS()
	noCache(w)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(set.Body)))
	if _, err := w.Write(set.Body); err != nil {
		return fmt.Errorf("send the key set: %w", err)
	}
	return nil
}

// protectedResource is who guards this API, and how (RFC 9728, section 2).
type protectedResource struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
	Scopes               []string `json:"scopes_supported"`
	BearerMethods        []string `json:"bearer_methods_supported"`
}

func (a *api) metadata(w http.ResponseWriter, _ *http.Request) error {
	noCache(w)
	return web.WriteJSON(w, http.StatusOK, protectedResource{
		Resource: a.Issuer, AuthorizationServers: []string{a.Issuer},
		Scopes: permissions(), BearerMethods: []string{"header"},
	})
}

// permissions lists what the operations of this API demand.
func permissions() []string {
	var list []string
	for _, resource := range []authz.Resource{authz.ServiceAccounts, authz.Groups} {
		for _, action := range []authz.Action{authz.Create, authz.Read, authz.Update, authz.Delete} {
			list = append(list, string(authz.Permission(resource, action)))
		}
	}
	return append(list, string(authz.Permission(authz.Credentials, authz.Update)), string(authz.Permission(authz.Roles, authz.Read)))
}
