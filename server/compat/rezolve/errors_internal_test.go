package rezolve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/server/authn"
	"github.com/signet-issuer/signet/server/web"
)

func TestRefusals(t *testing.T) {
	wrapped := func(err error) error { return fmt.Errorf("write: %w", err) }
	for _, tc := range []struct {
		err    error
		status int
		code   string
	}{
		{authn.ErrNoToken, 401, "UNAUTHORIZED"},
		{authn.ErrBadToken, 401, "UNAUTHORIZED"},
		{&authz.DeniedError{Permission: "orgs:roles:read"}, 403, "FORBIDDEN"},
		{&authz.DeniedError{Reason: "no"}, 403, "FORBIDDEN"},
		{wrapped(&accounts.NotFoundError{What: accounts.WhatOrg}), 403, "FORBIDDEN"},
		{wrapped(&accounts.NotFoundError{What: accounts.WhatAccount}), 404, "OAUTH_CLIENT_NOT_FOUND"},
		{accounts.ErrNotFound, 404, "OAUTH_CLIENT_NOT_FOUND"},
		{wrapped(&accounts.LimitError{What: "service accounts"}), 409, "SERVICE_ACCOUNT_LIMIT_REACHED"},
		{tooManySecrets, 409, "SECRET_LIMIT_REACHED"},
		{deleted(time.Now()), 409, "OAUTH_CLIENT_ALREADY_DELETED"},
		{accounts.ErrExists, 409, "CONFLICT"},
		{wrapped(accounts.ErrConflict), 409, "CONFLICT"},
		{&accounts.ProtectedError{What: "the last owner"}, 409, "CONFLICT"},
		{&accounts.InvalidError{Fields: []accounts.FieldError{{Field: "name", Message: "is bad"}}}, 400, "VALIDATION_ERROR"},
		{web.Invalid(web.FieldError{Message: "must be an object"}), 400, "VALIDATION_ERROR"},
		{invalidParameter("limit"), 400, "INVALID_PARAMETER"},
		{web.BadRequest("not JSON"), 400, "INVALID_REQUEST"},
		{web.PayloadTooLarge(1), 413, "PAYLOAD_TOO_LARGE"},
		{web.UnsupportedMediaType("application/json"), 415, "UNSUPPORTED_MEDIA_TYPE"},
		{web.NotFound(), 404, "NOT_FOUND"},
		{web.MethodNotAllowed("GET"), 405, "METHOD_NOT_ALLOWED"},
		{web.TooManyRequests(5, time.Second), 429, "RATE_LIMIT_EXCEEDED"},
		{web.Unavailable(time.Second, nil), 503, "SERVICE_UNAVAILABLE"},
		{&web.Error{Status: 403, Kind: web.KindInsecureTransport, Message: "TLS"}, 403, "FORBIDDEN"},
		{wrapped(accounts.ErrUnavailable), 503, "SERVICE_UNAVAILABLE"},
		{context.Canceled, 503, "SERVICE_UNAVAILABLE"},
		{context.DeadlineExceeded, 503, "SERVICE_UNAVAILABLE"},
		{web.Internal(errors.New("secret cause")), 500, "INTERNAL_ERROR"},
		{errors.New("secret cause"), 500, "INTERNAL_ERROR"},
	} {
		said := refuse(grounded(tc.err))
		if said.status != tc.status || said.Code != tc.code || said.Message == "" || said.Details == nil || said.Details == "" {
			t.Errorf("%v: %+v, want %d %s", tc.err, said, tc.status, tc.code)
		}
	}
}

func TestFailHeadersAndSilence(t *testing.T) {
	at := time.Date(2026, 11, 22, 14, 35, 0, 7e6, time.UTC)
	a := &api{Config{Now: func() time.Time { return at }}}
	for _, tc := range []struct {
		err  error
		want http.Header
	}{
		{web.TooManyRequests(5, 90*time.Second), http.Header{
			"Retry-After": {"90"}, "X-Ratelimit-Limit": {"5"}, "X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"1795358190"},
		}},
		{accounts.ErrUnavailable, http.Header{"Retry-After": {"1"}}},
		{web.Unavailable(3*time.Second, nil), http.Header{"Retry-After": {"3"}}},
		{&accounts.NotFoundError{What: accounts.WhatOrg}, http.Header{"Www-Authenticate": {`Bearer error="insufficient_scope"`}}},
		{web.MethodNotAllowed("GET, HEAD"), http.Header{"Allow": {"GET, HEAD"}}},
		{errors.New("secret cause"), nil},
	} {
		answer := httptest.NewRecorder()
		a.fail(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), tc.err)
		for name := range tc.want {
			if got := answer.Header()[name]; len(got) != 1 || got[0] != tc.want[name][0] {
				t.Errorf("%v: %s is %q, want %q", tc.err, name, got, tc.want[name])
			}
		}
		body := answer.Body.String()
		if strings.Contains(body, "secret cause") || !strings.HasSuffix(body, `"timestamp":"2026-11-22T14:35:00.007Z"}`) {
			t.Errorf("%v: %s", tc.err, body)
		}
	}
}

func TestFieldsInTheDialect(t *testing.T) {
	said := invalidFields([]accounts.FieldError{{Field: "allowedCidrs", Message: "a"}, {Field: "allowedCidrs", Message: "b"}, {Message: "c"}})
	details, _ := said.Details.(map[string]string)
	if details["ipWhitelist"] != "a; b" || details["body"] != "c" || len(details) != 2 {
		t.Errorf("details %v", said.Details)
	}
}

func TestMailboxes(t *testing.T) {
	for subject, want := range map[string]string{
		"sa:acme:ci": "ci@acme.sa.invalid", "signet:bootstrap": "bootstrap@signet.invalid", "operator": "operator@invalid",
	} {
		if got := mailbox(subject); got != want {
			t.Errorf("%s is %s, want %s", subject, got, want)
		}
	}
}
