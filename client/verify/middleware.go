package verify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const defaultRetryAfter = 5 * time.Second

type contextKey struct{}

// FromContext returns the token that [Verifier.Middleware] verified.
func FromContext(ctx context.Context) (*Token, bool) {
	token, ok := ctx.Value(contextKey{}).(*Token)
	return token, ok
}

// Middleware passes requests with a good bearer token on, with the token in their
// context. Others get 401 with the challenge of RFC 6750, or 503 while the keys cannot
// be had. Tokens in the query or a body are not looked at.
func (v *Verifier) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := bearer(r.Header)
		if err != nil {
			challenge(w, http.StatusBadRequest, `error="invalid_request"`)
			return
		}
		if raw == "" {
			challenge(w, http.StatusUnauthorized, "")
			return
		}
		token, err := v.Verify(r.Context(), raw)
		if err != nil {
			answer(w, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, token)))
	})
}

// RequireScope answers 403 unless the token of [Verifier.Middleware], which has to run
// before, carries the permission.
func RequireScope(permission string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := FromContext(r.Context())
		switch {
		case !ok:
			challenge(w, http.StatusUnauthorized, "")
		case !token.HasScope(permission):
			parameters := `error="insufficient_scope"`
			if wellFormed(permission) {
				parameters += fmt.Sprintf(`, scope="%s"`, permission)
			}
			challenge(w, http.StatusForbidden, parameters)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

var errTwoTokens = errors.New("more than one Authorization header")

// bearer returns the token of the one Authorization header, or "" when there is none or it
// has another scheme. Two headers are refused, as servers differ in which one they read.
func bearer(header http.Header) (string, error) {
	values := header.Values("Authorization")
	if len(values) > 1 {
		return "", errTwoTokens
	}
	if len(values) == 0 {
		return "", nil
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", nil
	}
	return strings.TrimLeft(token, " "), nil
}

func answer(w http.ResponseWriter, err error) {
	if invalid, ok := errors.AsType[*InvalidError](err); ok {
		challenge(w, http.StatusUnauthorized, fmt.Sprintf(`error="invalid_token", error_description="%s"`, invalid.Reason))
		return
	}
	if unavailable, ok := errors.AsType[*UnavailableError](err); ok {
		after := unavailable.RetryAfter
		if after <= 0 {
			after = defaultRetryAfter
		}
		w.Header().Set("Retry-After", fmt.Sprint(int64((after+time.Second-1)/time.Second)))
		refuseRequest(w, http.StatusServiceUnavailable)
		return
	}
	refuseRequest(w, http.StatusInternalServerError)
}

func challenge(w http.ResponseWriter, status int, parameters string) {
	w.Header().Set("WWW-Authenticate", strings.TrimSpace("Bearer "+parameters))
	refuseRequest(w, status)
}

func refuseRequest(w http.ResponseWriter, status int) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, http.StatusText(status), status)
}
