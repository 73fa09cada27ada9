package nscale

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/server/authn"
	"github.com/signet-issuer/signet/server/web"
	"github.com/signet-issuer/signet/tokens"
)

// failure is an error in the words of Nscale. Its description never repeats what was sent.
type failure struct {
	status      int
	code        string
	description string
}

func (f *failure) Error() string { return f.description }

func invalidRequest(description string) *failure {
	return &failure{http.StatusBadRequest, "invalid_request", description}
}

func outOfScope(description string) *failure {
	return &failure{http.StatusBadRequest, "invalid_scope", description}
}

// body is a failure as it is sent.
type body struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	TraceID     string `json:"trace_id,omitzero"`
}

// codes names the statuses. Nscale defines no 429, and of its words this one says that the
// same request may succeed later. It stays a 429: a 503 would tell a balancer that the server is ill.
var codes = map[int]string{
	http.StatusBadRequest:            "invalid_request",
	http.StatusUnauthorized:          "access_denied",
	http.StatusForbidden:             "forbidden",
	http.StatusNotFound:              "not_found",
	http.StatusMethodNotAllowed:      "method_not_allowed",
	http.StatusConflict:              "conflict",
	http.StatusRequestEntityTooLarge: "request_entity_too_large",
	http.StatusTooManyRequests:       "server_error",
	http.StatusInternalServerError:   "server_error",
	http.StatusServiceUnavailable:    "server_error",
}

// statuses is the first match for what the domain answers. What is full or protected is a 403,
// which every operation documents.
var statuses = []struct {
	target error
	status int
}{
	{authn.ErrNoToken, http.StatusUnauthorized},
	{authn.ErrBadToken, http.StatusUnauthorized},
	{accounts.ErrUnauthenticated, http.StatusUnauthorized},
	{accounts.ErrLimit, http.StatusForbidden},
	{accounts.ErrProtected, http.StatusForbidden},
	{accounts.ErrNotFound, http.StatusNotFound},
	{accounts.ErrConflict, http.StatusConflict},
	{accounts.ErrExists, http.StatusConflict},
	{accounts.ErrInUse, http.StatusConflict},
}

// storageRetry is when to ask again after storage did not answer.
const storageRetry = time.Second

// fail is the [web.FailFunc] of the surface.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	err = grounded(err)
	if ground, ok := errors.AsType[*web.Error](err); ok {
		ground.AddHeader(w)
	}
	said := publicOf(err)
	if said.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer error="`+said.code+`",error_description="`+said.description+
			`",resource_metadata="`+a.metadataURL+`"`)
	}
	noCache(w)
	web.EventFrom(r.Context()).SetErrorKind(said.code)
	// A client that went away is the only error left here, and nobody hears of it.
	_ = web.WriteJSON(w, said.status, body{said.code, said.description, web.CorrelationID(r.Context())})
}

// grounded words what is a matter of the ground, and not of the domain, as web does.
func grounded(err error) error {
	if throttled, ok := errors.AsType[*tokens.ThrottledError](err); ok {
		return web.TooManyRequests(0, throttled.RetryAfter)
	}
	if errors.Is(err, accounts.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return web.Unavailable(storageRetry, err)
	}
	return err
}

// publicOf finds the public side of an error. What it does not know is ours to hide.
func publicOf(err error) *failure {
	if known, ok := errors.AsType[*failure](err); ok {
		return known
	}
	if ground, ok := errors.AsType[*web.Error](err); ok {
		status := ground.Status
		if ground.Kind == web.KindUnsupportedMediaType {
			status = http.StatusBadRequest // Nscale has no 415
		}
		return &failure{status, codes[status], ground.Detail()}
	}
	if broken, ok := errors.AsType[*accounts.InvalidError](err); ok {
		return invalidRequest(describe(broken))
	}
	if target, ok := errors.AsType[*tokens.TargetError](err); ok {
		return invalidRequest(target.Reason)
	}
	if errors.Is(err, authz.ErrScopeRefused) {
		return outOfScope("the organization is not in scope")
	}
	if denied, ok := errors.AsType[*authz.DeniedError](err); ok {
		return &failure{http.StatusForbidden, codes[http.StatusForbidden], denied.Error()}
	}
	// An organization that is not there looks like one that is not the caller's.
	if absent, ok := errors.AsType[*accounts.NotFoundError](err); ok && absent.What == accounts.WhatOrg {
		return &failure{http.StatusForbidden, codes[http.StatusForbidden], "the organization is not yours"}
	}
	for _, known := range statuses {
		if errors.Is(err, known.target) {
			return &failure{known.status, codes[known.status], specific(err, known.target)}
		}
	}
	return &failure{http.StatusInternalServerError, codes[http.StatusInternalServerError], "internal error"}
}

// specific says what is absent, full or protected. All the texts are ours.
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

// members are the domain's fields as they are called here.
var members = map[string]string{
	"name": "metadata.name", "description": "metadata.description", "tags": "metadata.tags",
	"groups": "spec.groupIDs", "roles": "spec.roleIDs", "members": "spec.serviceAccountIDs",
}

func describe(broken *accounts.InvalidError) string {
	parts := make([]string, len(broken.Fields))
	for i, field := range broken.Fields {
		name, ok := members[field.Field]
		if !ok {
			name = field.Field
		}
		parts[i] = name + " " + field.Message
	}
	return "the request body is invalid: " + strings.Join(parts, ": ")
}
