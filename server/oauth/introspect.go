package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/server/authn"
	"github.com/signet-issuer/signet/server/web"
)

// A caller may ask about so many tokens that are inactive, or not for it to know, before it
// looks like one that is fishing (RFC 7662, section 4).
const (
	inactivePerCaller = 600
	inactiveWindow    = time.Minute
)

var errNoTokenParam = refuse(http.StatusBadRequest, "invalid_request", "token is missing")

// introspection is the answer about an active token (RFC 7662, section 2.2).
type introspection struct {
	Active    bool   `json:"active"`
	Scope     string `json:"scope"`
	ClientID  string `json:"client_id"`
	Subject   string `json:"sub"`
	Audience  any    `json:"aud"` // a string or a list, as in the token
	Issuer    string `json:"iss"`
	ExpiresAt int64  `json:"exp"`
	IssuedAt  int64  `json:"iat"`
	ID        string `json:"jti,omitzero"` // the token of a credential has none
	TokenType string `json:"token_type"`
	Org       string `json:"org"`
}

// inactive is all that is ever said of any other token.
type inactive struct {
	Active bool `json:"active"`
}

// introspect is the introspection endpoint.
func (s *surface) introspect(w http.ResponseWriter, r *http.Request) error {
	form, err := web.ReadForm(r)
	if err != nil {
		return err
	}
	asking, err := s.caller(r, form)
	if err != nil {
		return err
	}
	if !form.Has("token") {
		return errNoTokenParam
	}
	answer, err := s.lookUp(r.Context(), asking, form.Get("token"))
	if err != nil {
		return err
	}
	web.NoStore(w)
	return web.WriteJSON(w, http.StatusOK, answer)
}

// caller is who asks about a token.
type caller struct {
	standing    accounts.Standing
	readsTokens bool // has the permission to read tokens, by what it proves itself with
}

// caller proves who asks: a client by its credentials, or any account by a token for the issuer.
func (s *surface) caller(r *http.Request, form url.Values) (caller, error) {
	permission := authz.Permission(authz.Tokens, authz.Read)
	if !authn.HasBearer(r) {
		client, err := s.Clients.FromRequest(r, form)
		if err != nil {
			return caller{}, err
		}
		standing := client.Standing()
		return caller{standing: standing, readsTokens: standing.Allowed().Covers(permission)}, nil
	}
	if form.Has("client_secret") || form.Has("client_assertion") || form.Has("client_assertion_type") {
		return caller{}, errTwoCallers
	}
	bearer, err := s.Bearers.FromRequest(r)
	if err != nil {
		return caller{}, err
	}
	return caller{standing: bearer.Standing, readsTokens: bearer.Scope.Covers(permission)}, nil
}

var errTwoCallers = refuse(http.StatusBadRequest, "invalid_request", "more than one way of authentication is used")

// lookUp says what the caller may know about the token.
func (s *surface) lookUp(ctx context.Context, asking caller, raw string) (any, error) {
	found, err := s.Bearers.Inspect(ctx, asking.standing, raw)
	if err != nil && !errors.Is(err, authn.ErrBadToken) {
		return nil, err
	}
	if err != nil || !s.maySee(asking, found) {
		return s.sayInactive(ctx, asking)
	}
	answer := introspection{
		Active: true, Scope: found.Scope.String(), ClientID: found.ClientID, Subject: found.Subject,
		Audience: found.Audience, Issuer: s.Issuer, ExpiresAt: found.ExpiresAt.Unix(), IssuedAt: found.IssuedAt.Unix(),
		ID: found.ID, TokenType: "Bearer", Org: found.Standing.OrgSlug,
	}
	if len(found.Audience) == 1 {
		answer.Audience = found.Audience[0]
	}
	return answer, nil
}

func (s *surface) sayInactive(ctx context.Context, asking caller) (any, error) {
	key := "oauth:inactive:" + asking.standing.AccountID.String()
	if ok, after := s.Limiter.Allow(ctx, key, inactivePerCaller, inactiveWindow); !ok {
		return nil, web.TooManyRequests(inactivePerCaller, after)
	}
	return inactive{}, nil
}

// maySee: its own account's tokens and, with the permission to read tokens, those for a
// resource server of its org, and for the system org everything.
func (s *surface) maySee(asking caller, token authn.Bearer) bool {
	if asking.standing.AccountID == token.Standing.AccountID {
		return true
	}
	if !asking.readsTokens {
		return false
	}
	return asking.standing.System() || slices.ContainsFunc(token.Audience, func(audience string) bool {
		return accounts.OwnsAudience(s.Issuer, asking.standing.OrgSlug, asking.standing.Audiences, audience)
	})
}
