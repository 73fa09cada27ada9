package oauth

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/server/authn"
	"github.com/signet-issuer/signet/server/web"
	"github.com/signet-issuer/signet/tokens"
)

// failure is an error as RFC 6749, section 5.2 words it. Its description is a constant of
// ours with the characters that the section allows.
type failure struct {
	status      int
	code        string
	description string
	header      http.Header
}

func (f *failure) Error() string { return f.code }

func refuse(status int, code, description string) *failure {
	return &failure{status: status, code: code, description: description}
}

// challenged adds what RFC 9110, section 15.5.2 demands of every 401.
func challenged(f *failure, challenge string) *failure {
	f.header = http.Header{"Www-Authenticate": {challenge}}
	return f
}

const (
	basicChallenge  = `Basic realm="signet"`
	bearerChallenge = `Bearer realm="signet", error="invalid_token"`
)

var (
	errInvalidClient = challenged(refuse(http.StatusUnauthorized, "invalid_client", "client authentication failed"), basicChallenge)
	errInvalidToken  = challenged(refuse(http.StatusUnauthorized, "invalid_token", "the bearer token is not valid"), bearerChallenge)
	errInternal      = refuse(http.StatusInternalServerError, "server_error", "internal error")
)

// storageRetry is when to ask again after storage did not answer.
const storageRetry = time.Second

// fail renders every error of the surface.
func (s *surface) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := failureOf(err)
	web.EventFrom(r.Context()).SetErrorKind(f.code)
	// A client that went away is the only error left here, and nobody hears of it.
	_ = s.engine.fail(w, f)
}

// failureOf is the one table from errors to answers. What it does not know is ours to hide.
func failureOf(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if refused, ok := errors.AsType[*web.Error](err); ok {
		return ofWeb(refused)
	}
	if refused, ok := errors.AsType[*authn.RequestError](err); ok {
		return refuse(http.StatusBadRequest, "invalid_request", refused.Description)
	}
	if refused, ok := errors.AsType[*tokens.TargetError](err); ok {
		return refuse(http.StatusBadRequest, "invalid_target", refused.Reason)
	}
	if throttled, ok := errors.AsType[*tokens.ThrottledError](err); ok {
		return ofWeb(web.TooManyRequests(throttled.Limit, throttled.RetryAfter))
	}
	switch {
	case errors.Is(err, accounts.ErrUnauthenticated):
		return errInvalidClient
	case errors.Is(err, authn.ErrNoToken), errors.Is(err, authn.ErrBadToken):
		return errInvalidToken
	case errors.Is(err, authz.ErrScopeEmpty), errors.Is(err, authz.ErrScopeRefused):
		return refuse(http.StatusBadRequest, "invalid_scope", "the scope is not one that this client may have here")
	case errors.Is(err, authz.ErrScopeTooWide):
		return refuse(http.StatusBadRequest, "invalid_scope", authz.ErrScopeTooWide.Error())
	case errors.Is(err, accounts.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return ofWeb(web.Unavailable(storageRetry, err))
	}
	return errInternal
}

// ofWeb words a refusal of the ground. RFC 6749 knows no error for an overload at these
// endpoints; temporarily_unavailable, its word at the authorization endpoint, says it best.
func ofWeb(refused *web.Error) *failure {
	f := &failure{status: refused.Status, code: "invalid_request", description: refused.Message, header: refused.Header}
	switch refused.Kind {
	case web.KindTooManyRequests, web.KindUnavailable:
		f.code = "temporarily_unavailable"
	case web.KindUnsupportedMediaType:
		f.status = http.StatusBadRequest // section 5.2 has no other for a request that it does not know
	case web.KindInternal:
		return errInternal
	}
	return f
}
