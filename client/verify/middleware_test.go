package verify_test

import (
	"context"
	"crypto"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/signet-issuer/signet/client/verify"
)

// serve sends one request through the middleware to a handler that demands llm:chat.
func serve(t *testing.T, v *verify.Verifier, change func(*http.Request)) (response *httptest.ResponseRecorder, reached bool) {
	t.Helper()
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		token, ok := verify.FromContext(r.Context())
		reached = ok && token.Subject == "sa:acme:builder"
	})
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	change(request)
	response = httptest.NewRecorder()
	v.Middleware(verify.RequireScope("llm:chat", handler)).ServeHTTP(response, request)
	return response, reached
}

func TestStandard24_Middleware(t *testing.T) {
	v, s := newVerifier(t), signers()["ES256"]
	good := s.token(goodClaims())
	narrow := s.token(with(goodClaims(), map[string]any{"scope": "api:read"}))
	old := s.token(with(goodClaims(), map[string]any{"iat": 1, "exp": 2}))
	header := func(values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header["Authorization"] = values }
	}
	tests := []struct {
		name      string
		change    func(*http.Request)
		status    int
		challenge string
	}{
		{"good", header("Bearer " + good), 200, ""},
		{"scheme in capitals", header("BEARER " + good), 200, ""},
		{"two spaces", header("Bearer  " + good), 200, ""},
		{"no header", func(*http.Request) {}, 401, "Bearer"},
		{"empty header", header(""), 401, "Bearer"},
		{"no token", header("Bearer"), 401, "Bearer"},
		{"other scheme", header("Basic " + good), 401, "Bearer"},
		{"scheme without space", header("Bearer" + good), 401, "Bearer"},
		{"not a token", header("Bearer x"), 401, `Bearer error="invalid_token", error_description="malformed"`},
		{"expired", header("Bearer " + old), 401, `Bearer error="invalid_token", error_description="expired"`},
		{"two tokens in one", header("Bearer " + good + ", Bearer " + good), 401, `Bearer error="invalid_token", error_description="malformed"`},
		{"two headers", header("Bearer "+good, "Bearer "+good), 400, `Bearer error="invalid_request"`},
		{"in the query", func(r *http.Request) { r.URL.RawQuery = "access_token=" + good }, 401, "Bearer"},
		{"not enough scope", header("Bearer " + narrow), 403, `Bearer error="insufficient_scope", scope="llm:chat"`},
		{"a million dots", header("Bearer " + strings.Repeat(".", 1_000_000)), 401, `Bearer error="invalid_token", error_description="malformed"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, reached := serve(t, v, tt.change)
			if response.Code != tt.status || reached != (tt.status == 200) {
				t.Errorf("status %d, reached %t; want %d", response.Code, reached, tt.status)
			}
			if got := response.Header().Get("WWW-Authenticate"); got != tt.challenge {
				t.Errorf("challenge %s, want %s", got, tt.challenge)
			}
			if tt.status != 200 && response.Header().Get("Cache-Control") != "no-store" {
				t.Error("a refusal may be cached")
			}
		})
	}
}

func TestMiddlewareWithoutKeys(t *testing.T) {
	v, good := newVerifier(t), signers()["ES256"].token(goodClaims())
	authorize := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+good) }
	for after, want := range map[time.Duration]string{0: "5", time.Millisecond: "1", 1500 * time.Millisecond: "2", time.Minute: "60"} {
		v.Keys = keySetFunc(func(context.Context, string, string) (crypto.PublicKey, error) {
			return nil, &verify.UnavailableError{RetryAfter: after, Err: errors.New("down")}
		})
		response, reached := serve(t, v, authorize)
		if response.Code != http.StatusServiceUnavailable || reached {
			t.Errorf("status %d, reached %t", response.Code, reached)
		}
		if got := response.Header().Get("Retry-After"); got != want {
			t.Errorf("Retry-After %s after %v, want %s", got, after, want)
		}
		if response.Header().Get("WWW-Authenticate") != "" {
			t.Error("an outage challenges the client")
		}
	}
}

func TestMiddlewareUnconfiguredLetsNobodyIn(t *testing.T) {
	good := signers()["ES256"].token(goodClaims())
	response, reached := serve(t, &verify.Verifier{}, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+good) })
	if response.Code != http.StatusInternalServerError || reached {
		t.Errorf("status %d, reached %t", response.Code, reached)
	}
}

func TestRequireScopeAlone(t *testing.T) {
	reached := false
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true })
	for _, permission := range []string{"a", "", "a\"b\r\nX: y"} {
		recorder := httptest.NewRecorder()
		verify.RequireScope(permission, next).ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
		if recorder.Code != http.StatusUnauthorized || reached {
			t.Errorf("without the middleware: status %d, reached %t", recorder.Code, reached)
		}
	}
	v, good := newVerifier(t), signers()["ES256"].token(with(goodClaims(), map[string]any{"scope": "*"}))
	recorder := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	request.Header.Set("Authorization", "Bearer "+good)
	v.Middleware(verify.RequireScope(`a"b`, next)).ServeHTTP(recorder, request)
	if recorder.Code != http.StatusForbidden || reached || recorder.Header().Get("WWW-Authenticate") != `Bearer error="insufficient_scope"` {
		t.Errorf("a permission that is none: status %d, challenge %q", recorder.Code, recorder.Header().Get("WWW-Authenticate"))
	}
}
