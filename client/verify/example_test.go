package verify_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/signet-issuer/signet/client/verify"
)

func ExampleVerifier_Middleware() {
	key := newES256("2026-11")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, jwks(key))
	}))
	defer server.Close()
	defer http.DefaultClient.CloseIdleConnections()

	verifier := &verify.Verifier{
		Issuer:   server.URL,
		Audience: "https://api.example",
		Org:      "acme",
		Keys:     &verify.RemoteKeySet{URL: server.URL + "/.well-known/jwks.json"},
	}
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := verify.FromContext(r.Context())
		_, _ = fmt.Fprintf(w, "hello %s", token.Subject)
	})
	api := verifier.Middleware(verify.RequireScope("llm:chat", hello))

	now := time.Now()
	token := key.token(with(goodClaims(), map[string]any{
		"iss": server.URL, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}))
	for _, authorization := range []string{"Bearer " + token, "Bearer " + token[1:], ""} {
		request := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", http.NoBody)
		if authorization != "" {
			request.Header.Set("Authorization", authorization)
		}
		response := httptest.NewRecorder()
		api.ServeHTTP(response, request)
		fmt.Println(response.Code, response.Header().Get("WWW-Authenticate"), response.Body.String())
	}
	// Output:
	// 200  hello sa:acme:builder
	// 401 Bearer error="invalid_token", error_description="malformed" Unauthorized
	//
	// 401 Bearer Unauthorized
}

func ExampleVerifier_Verify() {
	verifier := &verify.Verifier{
		Issuer:   "https://signet.example",
		Audience: "https://api.example",
		Org:      "acme",
		Keys:     &verify.RemoteKeySet{URL: "https://signet.example/.well-known/jwks.json"},
	}
	_, err := verifier.Verify(context.Background(), "not a token")
	if invalid, ok := errors.AsType[*verify.InvalidError](err); ok {
		fmt.Println("answer 401:", invalid.Reason)
	}
	if unavailable, ok := errors.AsType[*verify.UnavailableError](err); ok {
		fmt.Println("answer 503, try again after", unavailable.RetryAfter)
	}
	// Output: answer 401: malformed
}
