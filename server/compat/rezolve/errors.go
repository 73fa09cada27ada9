package rezolve

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/server/authn"
	"github.com/signet-issuer/signet/server/web"
)

// failure is every answer that is an error. It never repeats what was sent.
type failure struct {
	Success   bool    `json:"success"`
	Error     refusal `json:"error"`
	Timestamp string  `json:"timestamp"`
}

// refusal is the public side of an error. Handlers may return one as it is.
type refusal struct {
	status  int
	Code    string `json:"code"`
	Message string `json:"message"`
	Details any    `json:"details"` // a text, or the fault of each field
}

func (r *refusal) Error() string { return r.Message }

func invalidParameter(details string) *refusal {
	return &refusal{http.StatusBadRequest, "INVALID_PARAMETER", "Invalid parameter", details}
}

func deleted(at time.Time) *refusal {
	return &refusal{
		http.StatusConflict, "OAUTH_CLIENT_ALREADY_DELETED", "OAuth client has already been deleted",
		"The OAuth client was deleted on " + wireTime(at),
	}
}

var tooManySecrets = &refusal{
	http.StatusConflict, "SECRET_LIMIT_REACHED", "Limit reached", "too many secrets of the client are in their grace period",
}

func invalidFields(fields []accounts.FieldError) *refusal {
	details := make(map[string]string, len(fields))
	for _, field := range fields {
		name := fieldName(field.Field)
		if said, ok := details[name]; ok {
			details[name] = said + "; " + field.Message
			continue
		}
		details[name] = field.Message
	}
	return &refusal{http.StatusBadRequest, "VALIDATION_ERROR", "Invalid request body", details}
}

// fieldName is what the dialect calls a field of the native API.
func fieldName(field string) string {
	switch field {
	case "allowedCidrs":
		return "ipWhitelist"
	case "":
		return "body"
	default:
		return field
	}
}

// words names the statuses.
var words = map[int]struct{ code, message string }{
	http.StatusBadRequest:            {"INVALID_REQUEST", "Invalid request"},
	http.StatusUnauthorized:          {"UNAUTHORIZED", "Authentication failed"},
	http.StatusForbidden:             {"FORBIDDEN", "Insufficient permissions"},
	http.StatusNotFound:              {"NOT_FOUND", "Resource not found"},
	http.StatusMethodNotAllowed:      {"METHOD_NOT_ALLOWED", "Method not allowed"},
	http.StatusConflict:              {"CONFLICT", "Conflict"},
	http.StatusRequestEntityTooLarge: {"PAYLOAD_TOO_LARGE", "Payload too large"},
	http.StatusUnsupportedMediaType:  {"UNSUPPORTED_MEDIA_TYPE", "Unsupported media type"},
	http.StatusTooManyRequests:       {"RATE_LIMIT_EXCEEDED", "Rate limit exceeded"},
	http.StatusInternalServerError:   {"INTERNAL_ERROR", "Internal server error"},
	http.StatusServiceUnavailable:    {"SERVICE_UNAVAILABLE", "Service unavailable"},
}

func plain(status int, details string) *refusal {
	return &refusal{status, words[status].code, words[status].message, details}
}

// refusals is the first match for what the domain answers.
var refusals = []struct {
	target error
	*refusal
}{
	{authn.ErrNoToken, plain(http.StatusUnauthorized, "Bearer token is missing, expired, or invalid")},
	{accounts.ErrUnauthenticated, plain(http.StatusUnauthorized, "Bearer token is missing, expired, or invalid")},
	{authn.ErrBadToken, plain(http.StatusUnauthorized, "Bearer token is missing, expired, or invalid")},
	{accounts.ErrNotFound, &refusal{http.StatusNotFound, "OAUTH_CLIENT_NOT_FOUND", "OAuth client not found", "this tenant has no OAuth client with the id"}},
	{accounts.ErrLimit, &refusal{http.StatusConflict, "SERVICE_ACCOUNT_LIMIT_REACHED", "Limit reached", "Maximum number of service accounts reached"}},
	{accounts.ErrExists, plain(http.StatusConflict, "already taken")},
	{accounts.ErrProtected, plain(http.StatusConflict, "the last enabled owner of the system organization is protected")},
	{accounts.ErrConflict, plain(http.StatusConflict, "changed by someone else meanwhile, try again")},
}

// storageRetry is when to ask again after storage did not answer.
const storageRetry = time.Second

// grounded gives an error the form that headers and texts are made of. A tenant that the caller
// may not know of reads as one that it may not administer, and so does one that does not exist.
func grounded(err error) error {
	missing, ok := errors.AsType[*accounts.NotFoundError](err)
	switch {
	case ok && missing.What == accounts.WhatOrg:
		return &authz.DeniedError{Reason: "the token administers no such tenant"}
	case errors.Is(err, accounts.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return web.Unavailable(storageRetry, err)
	default:
		return err
	}
}

// refuse finds the public side of an error. What it does not know is ours to hide.
func refuse(err error) *refusal {
	if said, ok := errors.AsType[*refusal](err); ok {
		return said
	}
	if ground, ok := errors.AsType[*web.Error](err); ok {
		if ground.Kind != web.KindInvalid {
			return plain(ground.Status, ground.Message)
		}
		fields := make([]accounts.FieldError, len(ground.Fields))
		for i, field := range ground.Fields {
			fields[i] = accounts.FieldError(field)
		}
		return invalidFields(fields)
	}
	if broken, ok := errors.AsType[*accounts.InvalidError](err); ok {
		return invalidFields(broken.Fields)
	}
	if denied, ok := errors.AsType[*authz.DeniedError](err); ok {
		return plain(http.StatusForbidden, denied.Error())
	}
	for _, known := range refusals {
		if errors.Is(err, known.target) {
			return known.refusal
		}
	}
	return plain(http.StatusInternalServerError, "an unexpected error on the server's side")
}

// fail is the [web.FailFunc] of the surface.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	err = grounded(err)
	if ground, ok := errors.AsType[*web.Error](err); ok {
		ground.AddHeader(w)
		if ground.Kind == web.KindTooManyRequests {
			a.rateHeaders(w.Header(), ground.Limit)
		}
	}
	if challenge := authn.Challenge(err); challenge != "" {
		w.Header().Set("WWW-Authenticate", challenge)
	}
	said := refuse(err)
	web.NoStore(w)
	web.EventFrom(r.Context()).SetErrorKind(said.Code)
	// A client that went away is the only error left here, and nobody hears of it.
	_ = web.WriteJSON(w, said.status, failure{Error: *said, Timestamp: wireTime(a.Now())})
}

// rateHeaders repeats Retry-After in the forms that clients of the dialect read.
func (a *api) rateHeaders(header http.Header, limit int) {
	seconds, err := strconv.ParseInt(header.Get("Retry-After"), 10, 32)
	if err != nil {
		seconds = 1
	}
	if limit > 0 {
		header.Set("X-RateLimit-Limit", strconv.Itoa(limit))
	}
	header.Set("X-RateLimit-Remaining", "0")
	header.Set("X-RateLimit-Reset", strconv.FormatInt(a.Now().Add(time.Duration(seconds)*time.Second).Unix(), 10))
}
