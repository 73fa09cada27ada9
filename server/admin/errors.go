package admin

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/server/authn"
	"github.com/signet-issuer/signet/server/web"
	"github.com/signet-issuer/signet/tokens"
)

// problem is an error as the native API tells it: RFC 9457, with the members that clients
// of Prisme read. It never repeats what was sent.
type problem struct {
	Type    string `json:"type"`
	Title   string `json:"title"`
	Status  int    `json:"status"`
	Detail  string `json:"detail"`
	Error   string `json:"error"`
	Message string `json:"message"`
	Details any    `json:"details,omitzero"`
}

// refusal is the public side of an error.
type refusal struct {
	status  int
	name    string
	message string
}

var (
	unauthenticated = refusal{http.StatusUnauthorized, "AuthenticationError", "Unauthenticated"}
	forbidden       = refusal{http.StatusForbidden, "ForbiddenError", "Forbidden"}
	badParameters   = refusal{http.StatusBadRequest, "BadParameters", "the request is invalid"}
	unavailable     = refusal{http.StatusServiceUnavailable, "ServiceUnavailable", "temporarily unavailable, try again"}
	internal        = refusal{http.StatusInternalServerError, "Internal", "internal error"}
)

// refusals is the first match for every error that the domain answers.
var refusals = []struct {
	target error
	refusal
}{
	{authn.ErrNoToken, unauthenticated},
	{authn.ErrBadToken, unauthenticated},
	{accounts.ErrUnauthenticated, unauthenticated},
	{accounts.ErrUnavailable, unavailable},
	{context.DeadlineExceeded, unavailable},
	{context.Canceled, unavailable},
	{accounts.ErrNotFound, refusal{http.StatusNotFound, "ObjectNotFound", "object not found"}},
	{accounts.ErrExists, refusal{http.StatusConflict, "AlreadyUsed", "already taken"}},
	{accounts.ErrLimit, refusal{http.StatusConflict, "LimitReached", "limit reached"}},
	{accounts.ErrInUse, refusal{http.StatusConflict, "InUse", "still in use"}},
	{accounts.ErrProtected, refusal{http.StatusConflict, "Protected", "protected"}},
	{accounts.ErrConflict, refusal{http.StatusConflict, "Conflict", "changed by someone else meanwhile, read it again"}},
	{accounts.ErrKeyReused, refusal{http.StatusConflict, "IdempotencyKeyReused", "the idempotency key belongs to another request"}},
	{accounts.ErrStale, refusal{http.StatusPreconditionFailed, "PreconditionFailed", "the version is not current"}},
	{authz.ErrPattern, badParameters},
	{authz.ErrScopeEmpty, badParameters},
	{authz.ErrScopeRefused, badParameters},
	{authz.ErrScopeTooWide, refusal{http.StatusBadRequest, "BadParameters", authz.ErrScopeTooWide.Error()}},
}

// kinds names the refusals of web, whose status and message are public already.
var kinds = map[web.Kind]string{
	web.KindInternal:             "Internal",
	web.KindMalformed:            "BadParameters",
	web.KindInvalid:              "BadParameters",
	web.KindTooLarge:             "PayloadTooLarge",
	web.KindUnsupportedMediaType: "UnsupportedMediaType",
	web.KindNotFound:             "NotFoundError",
	web.KindMethodNotAllowed:     "MethodNotAllowed",
	web.KindTooManyRequests:      "TooManyRequests",
	web.KindUnavailable:          "ServiceUnavailable",
	web.KindInsecureTransport:    "InsecureTransport",
}

// refuse finds the public side of err, and what more there is to say about it.
func refuse(err error) (refusal, any) {
	if public, ok := errors.AsType[*web.Error](err); ok {
		said := refusal{public.Status, kinds[public.Kind], public.Message}
		if len(public.Fields) == 0 {
			return said, nil
		}
		return said, wires(public.Fields, func(f web.FieldError) accounts.FieldError { return accounts.FieldError(f) })
	}
	if broken, ok := errors.AsType[*accounts.InvalidError](err); ok {
		return badParameters, broken.Fields
	}
	if _, ok := errors.AsType[*authz.DeniedError](err); ok {
		return forbidden, nil
	}
	if _, ok := errors.AsType[*tokens.TargetError](err); ok {
		return badParameters, nil
	}
	if unripe, ok := errors.AsType[*tokens.NotRipeError](err); ok {
		return refusal{http.StatusConflict, "KeyNotRipe", "the prepared key is not everywhere yet"},
			map[string]string{"ripeAt": wireTime(unripe.RipeAt)}
	}
	for _, known := range refusals {
		if errors.Is(err, known.target) {
			return specific(err, known.refusal), nil
		}
	}
	return internal, nil
}

// specific says which limit or which protection it is. Both texts are ours.
func specific(err error, known refusal) refusal {
	if limit, ok := errors.AsType[*accounts.LimitError](err); ok {
		known.message = limit.Error()
	}
	if protected, ok := errors.AsType[*accounts.ProtectedError](err); ok {
		known.message = protected.Error()
	}
	return known
}

// fail is the [web.FailFunc] of the native API.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	if throttled, ok := errors.AsType[*tokens.ThrottledError](err); ok {
		err = web.TooManyRequests(throttled.Limit, throttled.RetryAfter)
	}
	said, details := refuse(err)
	if public, ok := errors.AsType[*web.Error](err); ok {
		public.AddHeader(w)
	}
	header := w.Header()
	switch said.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		if challenge := challenge(err); challenge != "" {
			header.Set("WWW-Authenticate", challenge)
		}
	case http.StatusServiceUnavailable:
		if header.Get("Retry-After") == "" {
			header.Set("Retry-After", "1")
		}
	case http.StatusTooManyRequests:
		details = a.rateHeaders(header, limitOf(err))
	}
	header.Del("ETag")
	header.Set("Content-Type", "application/problem+json")
	web.NoStore(w)
	web.EventFrom(r.Context()).SetErrorKind(said.name)
	// A client that went away is the only error left here, and nobody hears of it.
	_ = web.WriteJSON(w, said.status, problem{
		Type: "about:blank", Title: http.StatusText(said.status), Status: said.status, Detail: detailOf(err, said),
		Error: said.name, Message: said.message, Details: details,
	})
}

// detailOf is the message, but for a denial, whose message is Prisme's for all of them.
func detailOf(err error, said refusal) string {
	if denied, ok := errors.AsType[*authz.DeniedError](err); ok {
		return denied.Error()
	}
	return said.message
}

// challenge tells a caller what its bearer token lacks (RFC 6750, section 3).
func challenge(err error) string {
	if denied, ok := errors.AsType[*authz.DeniedError](err); ok {
		if denied.Permission == "" {
			return `Bearer error="insufficient_scope"`
		}
		return `Bearer error="insufficient_scope", scope="` + string(denied.Permission) + `"`
	}
	switch {
	case errors.Is(err, authn.ErrBadToken):
		return `Bearer error="invalid_token"`
	case errors.Is(err, authn.ErrNoToken), errors.Is(err, accounts.ErrUnauthenticated):
		return "Bearer"
	default:
		return ""
	}
}

// limitOf is how much is allowed to who has been refused for asking too much, 0 when that is
// not known.
func limitOf(err error) int {
	if public, ok := errors.AsType[*web.Error](err); ok {
		return public.Limit
	}
	return 0
}

// rateHeaders repeats Retry-After in the forms that clients of Prisme read.
func (a *api) rateHeaders(header http.Header, limit int) any {
	seconds, err := strconv.ParseInt(header.Get("Retry-After"), 10, 64)
	if err != nil || seconds < 1 || seconds > math.MaxInt32 {
		seconds = 1
		header.Set("Retry-After", "1")
	}
	reset := a.now().Add(time.Duration(seconds) * time.Second)
	if limit > 0 {
		header.Set("X-RateLimit-Limit", strconv.Itoa(limit))
	}
	header.Set("X-RateLimit-Remaining", "0")
	header.Set("X-RateLimit-Reset", strconv.FormatInt(reset.Unix(), 10))
	return map[string]int64{"retryAfter": seconds}
}
