package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// serveFloor prints its URL and serves the least that can be called a token endpoint.
func serveFloor(out io.Writer) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	socket, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // the process ends with it
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "http://%s\n", socket.Addr()); err != nil {
		return err
	}
	server := &http.Server{Handler: floor(key), ReadHeaderTimeout: 5 * time.Second}
	return server.Serve(socket)
}

func floor(key *ecdsa.PrivateKey) http.Handler {
	claims := jwt.MapClaims{
		"iss": "https://id.example.com", "sub": "sa:acme:billing", "aud": "https://id.example.com/orgs/acme",
		"client_id": "abcdefghijklmnopqrstuvwxyz", "iat": 1700000000, "exp": 1700000900,
		"jti": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "scope": "llm:* tools:*", "org": "acme", "gen": 3,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.PostForm.Get("grant_type") != "client_credentials" {
			http.Error(w, "not a token request", http.StatusBadRequest)
			return
		}
		token, err := jwt.NewWithClaims(jwt.SigningMethodES256, claims).SignedString(key)
		if err != nil {
			http.Error(w, "no token", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{ // to a client that may be gone
			"access_token": token, "token_type": "Bearer", "expires_in": 900, "scope": "llm:* tools:*",
		})
	})
}
