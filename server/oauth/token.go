package oauth

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/server/web"
	"github.com/signet-issuer/signet/tokens"
)

var (
	errNoGrantType = refuse(http.StatusBadRequest, "invalid_request", "grant_type is missing")
	errGrantType   = refuse(http.StatusBadRequest, "unsupported_grant_type", "this grant type is not supported")
	errScope       = refuse(http.StatusBadRequest, "invalid_scope", "the scope is malformed or has too many parts")
)

// token is the token endpoint (RFC 6749, section 3.2).
func (s *surface) token(w http.ResponseWriter, r *http.Request) error { return s.trade(w, r, false) }

// serviceAccountToken is the token endpoint of Keycard, whose tokens are for its own API: the
// issuer, unless the request names a resource.
func (s *surface) serviceAccountToken(w http.ResponseWriter, r *http.Request) error {
	return s.trade(w, r, true)
}

// trade reads the request once; what comes after sees nothing of it but the exchange.
func (s *surface) trade(w http.ResponseWriter, r *http.Request, preferIssuer bool) error {
	form, err := web.ReadForm(r, "resource", "audience")
	if err != nil {
		return err
	}
	asked, err := parseRequest(r, form)
	if err != nil {
		return err
	}
	asked.PreferIssuer = preferIssuer
	return s.engine.serve(w, r, &exchange{grantType: form.Get("grant_type"), form: form, asked: asked})
}

// parseRequest reads what is asked for. Audience is another name for resource (RFC 8707);
// when both are sent, the token is for all that they name.
func parseRequest(r *http.Request, form url.Values) (tokens.Request, error) {
	if !form.Has("grant_type") {
		return tokens.Request{}, errNoGrantType
	}
	scope, err := parseScope(form)
	if err != nil {
		return tokens.Request{}, err
	}
	return tokens.Request{
		Scope:     scope,
		Resources: slices.Concat(form["resource"], form["audience"]),
		From:      web.ClientAddr(r.Context()),
		UserAgent: r.UserAgent(),
	}, nil
}

// parseScope follows RFC 6749, section 3.3: tokens with exactly one space between them.
func parseScope(form url.Values) (authz.Set, error) {
	if !form.Has("scope") {
		return authz.Set{}, nil
	}
	scope, err := authz.ParseSet(strings.Split(form.Get("scope"), " "))
	if errors.Is(err, authz.ErrPattern) {
		return authz.Set{}, errScope
	}
	return scope, err
}
