package keycard

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/server/authn"
	"github.com/signet-issuer/signet/server/web"
)

// refusal is an error as Keycard tells it. It never repeats what was sent.
type refusal struct {
	Message string `json:"message"`
	Code    string `json:"code"`
	Status  int    `json:"status"`
}

func (r *refusal) Error() string { return r.Message }

// errNoUsers is a 403, as no permission would do. A 5xx would be tried again, and a 404 would
// say that the organization is not there.
var errNoUsers = &refusal{
	"user tokens are not exchanged here: this server has no users, and a service account trades its credential at /service-account-token",
	"not_offered", http.StatusForbidden,
}

// codes names the statuses.
var codes = map[int]string{
	http.StatusBadRequest:            "bad_request",
	http.StatusUnauthorized:          "unauthorized",
	http.StatusForbidden:             "forbidden",
	http.StatusNotFound:              "not_found",
	http.StatusMethodNotAllowed:      "method_not_allowed",
	http.StatusConflict:              "conflict",
	http.StatusRequestEntityTooLarge: "payload_too_large",
	http.StatusUnsupportedMediaType:  "unsupported_media_type",
	http.StatusTooManyRequests:       "too_many_requests",
	http.StatusInternalServerError:   "internal_error",
	http.StatusServiceUnavailable:    "service_unavailable",
}

// statuses is the first match for what the domain answers, whose own text is public.
var statuses = []struct {
	target error
	status int
}{
	{authn.ErrNoToken, http.StatusUnauthorized},
	{authn.ErrBadToken, http.StatusUnauthorized},
	{accounts.ErrUnauthenticated, http.StatusUnauthorized},
	{accounts.ErrNotFound, http.StatusNotFound},
	{accounts.ErrExists, http.StatusConflict},
	{accounts.ErrLimit, http.StatusConflict},
	{accounts.ErrInUse, http.StatusConflict},
	{accounts.ErrProtected, http.StatusConflict},
	{accounts.ErrConflict, http.StatusConflict},
}

// storageRetry is when to ask again after storage did not answer.
const storageRetry = time.Second

// fail is the [web.FailFunc] of the surface.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, accounts.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		err = web.Unavailable(storageRetry, err)
	}
	if ground, ok := errors.AsType[*web.Error](err); ok {
		ground.AddHeader(w)
	}
	if challenge := authn.Challenge(err); challenge != "" {
		w.Header().Set("WWW-Authenticate", challenge)
	}
	said := publicOf(err)
	if said.Status == http.StatusConflict {
		w.Header().Set("X-Should-Retry", "false") // the clients would send it twice more
	}
	web.NoStore(w)
	web.EventFrom(r.Context()).SetErrorKind(said.Code)
	// A client that went away is the only error left here, and nobody hears of it.
	_ = web.WriteJSON(w, said.Status, said)
}

// publicOf finds the public side of an error. What it does not know is ours to hide.
func publicOf(err error) *refusal {
	refuse := func(status int, message string) *refusal { return &refusal{message, codes[status], status} }
	if known, ok := errors.AsType[*refusal](err); ok {
		return known
	}
	if ground, ok := errors.AsType[*web.Error](err); ok {
		return refuse(ground.Status, ground.Detail())
	}
	if broken, ok := errors.AsType[*accounts.InvalidError](err); ok {
		return refuse(http.StatusBadRequest, broken.Error())
	}
	if denied, ok := errors.AsType[*authz.DeniedError](err); ok {
		return refuse(http.StatusForbidden, denied.Error())
	}
	for _, known := range statuses {
		if errors.Is(err, known.target) {
			return refuse(known.status, specific(err, known.target))
		}
	}
	return refuse(http.StatusInternalServerError, "internal error")
}

// specific says what is absent, full or protected.
func specific(err, target error) string {
	if absent, ok := errors.AsType[*accounts.NotFoundError](err); ok {
		return absent.Error()
	}
	if limit, ok := errors.AsType[*accounts.LimitError](err); ok {
		return limit.Error()
	}
	if protected, ok := errors.AsType[*accounts.ProtectedError](err); ok {
		return protected.Error()
	}
	return target.Error()
}
