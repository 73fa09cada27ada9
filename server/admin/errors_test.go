package admin

import (
	"context"
	"encoding/json"
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
	"github.com/signet-issuer/signet/tokens"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

type row struct {
	name   string
	err    error
	status int
	class  string
	text   string
	want   map[string]string // headers
	detail string            // JSON of details
}

var rows = []row{
	{"no token", authn.ErrNoToken, 401, "AuthenticationError", "Unauthenticated", map[string]string{"WWW-Authenticate": "Bearer"}, ""},
	{"bad token", authn.ErrBadToken, 401, "AuthenticationError", "Unauthenticated", map[string]string{"WWW-Authenticate": `Bearer error="invalid_token"`}, ""},
	{"bad secret", accounts.ErrUnauthenticated, 401, "AuthenticationError", "Unauthenticated", map[string]string{"WWW-Authenticate": "Bearer"}, ""},
	{"no permission", &authz.DeniedError{Permission: "orgs:roles:read"}, 403, "ForbiddenError", "Forbidden", map[string]string{"WWW-Authenticate": `Bearer error="insufficient_scope", scope="orgs:roles:read"`}, ""},
	{"never permitted", &authz.DeniedError{Reason: "no"}, 403, "ForbiddenError", "Forbidden", map[string]string{"WWW-Authenticate": `Bearer error="insufficient_scope"`}, ""},
	{"absent", accounts.ErrNotFound, 404, "ObjectNotFound", "object not found", nil, ""},
	{"taken", accounts.ErrExists, 409, "AlreadyUsed", "already taken", nil, ""},
	{"full", accounts.ErrLimit, 409, "LimitReached", "limit reached", nil, ""},
	{"full of what", &accounts.LimitError{What: "things"}, 409, "LimitReached", "the limit of things is reached", nil, ""},
	{"in use", accounts.ErrInUse, 409, "InUse", "still in use", nil, ""},
	{"protected", accounts.ErrProtected, 409, "Protected", "protected", nil, ""},
	{"protected what", &accounts.ProtectedError{What: "the thing"}, 409, "Protected", "the thing is protected", nil, ""},
	{"changed meanwhile", accounts.ErrConflict, 409, "Conflict", "changed by someone else meanwhile, read it again", nil, ""},
	{"key reused", accounts.ErrKeyReused, 409, "IdempotencyKeyReused", "the idempotency key belongs to another request", nil, ""},
	{"not ripe", &tokens.NotRipeError{RipeAt: noon}, 409, "KeyNotRipe", "the prepared key is not everywhere yet", nil, `{"ripeAt":"2026-01-31T12:00:00.000000Z"}`},
	{"stale", accounts.ErrStale, 412, "PreconditionFailed", "the version is not current", nil, ""},
	{"invalid", &accounts.InvalidError{Fields: []accounts.FieldError{{Field: "slug", Message: "is reserved"}}}, 400, "BadParameters", "the request is invalid", nil, `[{"field":"slug","message":"is reserved"}]`},
	{"no pattern", authz.ErrPattern, 400, "BadParameters", "the request is invalid", nil, ""},
	{"no scope left", authz.ErrScopeEmpty, 400, "BadParameters", "the request is invalid", nil, ""},
	{"scope refused", authz.ErrScopeRefused, 400, "BadParameters", "the request is invalid", nil, ""},
	{"scope too wide", authz.ErrScopeTooWide, 400, "BadParameters", authz.ErrScopeTooWide.Error(), nil, ""},
	{"no target", &tokens.TargetError{Reason: "x"}, 400, "BadParameters", "the request is invalid", nil, ""},
	{"storage", accounts.ErrUnavailable, 503, "ServiceUnavailable", "temporarily unavailable, try again", map[string]string{"Retry-After": "1"}, ""},
	{"too slow", context.DeadlineExceeded, 503, "ServiceUnavailable", "temporarily unavailable, try again", map[string]string{"Retry-After": "1"}, ""},
	{"gone away", context.Canceled, 503, "ServiceUnavailable", "temporarily unavailable, try again", map[string]string{"Retry-After": "1"}, ""},
	{"throttled", &tokens.ThrottledError{RetryAfter: 1500 * time.Millisecond}, 429, "TooManyRequests", "too many requests", map[string]string{"Retry-After": "2", "X-RateLimit-Limit": "", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1769860802"}, `{"retryAfter":2}`},
	{"unknown", errors.New("pq: relation missing"), 500, "Internal", "internal error", nil, ""},

	{"web malformed", web.BadRequest("bad"), 400, "BadParameters", "bad", nil, ""},
	{"web invalid", web.Invalid(web.FieldError{Field: "a[0]", Message: "must be a string"}), 400, "BadParameters", "the request body is invalid", nil, `[{"field":"a[0]","message":"must be a string"}]`},
	{"web too large", web.PayloadTooLarge(5), 413, "PayloadTooLarge", "the request body is larger than 5 bytes", nil, ""},
	{"web type", web.UnsupportedMediaType("application/json"), 415, "UnsupportedMediaType", "the request body must be application/json", nil, ""},
	{"web no route", web.NotFound(), 404, "NotFoundError", "no such resource", nil, ""},
	{"web method", web.MethodNotAllowed("GET, HEAD"), 405, "MethodNotAllowed", "this resource does not have that method", map[string]string{"Allow": "GET, HEAD"}, ""},
	{"web too many", web.TooManyRequests(30, 7*time.Second), 429, "TooManyRequests", "too many requests", map[string]string{"Retry-After": "7", "X-RateLimit-Limit": "30", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1769860807"}, `{"retryAfter":7}`},
	{"web unavailable", web.Unavailable(9*time.Second, errors.New("cause")), 503, "ServiceUnavailable", "temporarily unavailable", map[string]string{"Retry-After": "9"}, ""},
	{"web plain http", &web.Error{Status: 403, Kind: web.KindInsecureTransport, Message: "TLS only"}, 403, "InsecureTransport", "TLS only", map[string]string{"WWW-Authenticate": ""}, ""},
	{"web internal", web.Internal(errors.New("cause")), 500, "Internal", "internal error", nil, ""},
}

func TestEveryErrorHasItsAnswer(t *testing.T) {
	a := &api{now: func() time.Time { return noon }}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			for _, err := range []error{row.err, fmt.Errorf("wrapped: %w", row.err)} {
				w := httptest.NewRecorder()
				w.Header().Set("ETag", `"9"`)
				a.fail(w, httptest.NewRequestWithContext(t.Context(), "GET", "/v2/orgs", nil), err)
				row.check(t, w.Result())
			}
		})
	}
}

// reason is the text, but for a denial.
func (r row) reason() string {
	if denied, ok := errors.AsType[*authz.DeniedError](r.err); ok {
		return denied.Error()
	}
	return r.text
}

func (r row) check(t *testing.T, answer *http.Response) {
	t.Helper()
	defer func() { _ = answer.Body.Close() }()
	var body struct {
		Type, Title, Detail, Error, Message string
		Status                              int
		Details                             json.RawMessage
	}
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != r.status || body.Status != r.status || body.Title != http.StatusText(r.status) {
		t.Errorf("status %d, in the body %d %q, want %d", answer.StatusCode, body.Status, body.Title, r.status)
	}
	if body.Error != r.class || body.Message != r.text || body.Detail != r.reason() || string(body.Details) != r.detail {
		t.Errorf("got %+v, want %+v", body, r)
	}
	header := answer.Header
	if header.Get("Content-Type") != "application/problem+json" || header.Get("Cache-Control") != "no-store" || header.Get("ETag") != "" {
		t.Errorf("headers %v", header)
	}
	for name, want := range r.want {
		if got := header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// Every sentinel has a row of its own, and so has every kind of web.
func TestEveryErrorIsInTheTable(t *testing.T) {
	for _, known := range refusals {
		if !tested(func(err error) bool { return errors.Is(err, known.target) }) {
			t.Errorf("no row for %v", known.target)
		}
	}
	for kind := web.KindInternal; !strings.Contains(kind.String(), "internal") || kind == web.KindInternal; kind++ {
		if kinds[kind] == "" {
			t.Errorf("kind %s has no name", kind)
		}
		if !tested(func(err error) bool { refused, ok := errors.AsType[*web.Error](err); return ok && refused.Kind == kind }) {
			t.Errorf("no row for the kind %s", kind)
		}
	}
}

func tested(match func(error) bool) bool {
	for _, row := range rows {
		if match(row.err) {
			return true
		}
	}
	return false
}
