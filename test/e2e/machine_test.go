package e2e_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/signet-issuer/signet/client/verify"
)

// TestMachineAndAPI is the main job: an operator makes an administrator, who makes a machine,
// whose token an API takes.
func TestMachineAndAPI(t *testing.T) {
	p := newPlace(t)
	root := p.bootstrap(t)
	s := p.serve(t)
	admin := s.api(t).as(root)
	admin.makeAcme()
	m := admin.machine("billing")

	audience := s.url + "/orgs/acme"
	api := &verify.Verifier{
		Issuer: s.url, Audience: audience, Org: "acme",
		Keys: &verify.RemoteKeySet{URL: s.url + "/.well-known/jwks.json"},
	}
	for style, authStyle := range map[string]oauth2.AuthStyle{"header": oauth2.AuthStyleInHeader, "params": oauth2.AuthStyleInParams} {
		t.Run(style, func(t *testing.T) {
			ctx := context.WithValue(t.Context(), oauth2.HTTPClient, admin.http)
			source := clientcredentials.Config{
				ClientID: m.ID, ClientSecret: m.Secret, TokenURL: s.url + "/token", AuthStyle: authStyle, Scopes: []string{"llm:*"},
			}
			token, err := source.Token(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if token.Type() != "Bearer" || !token.Valid() || token.Extra("scope") != "llm:*" {
				t.Errorf("type %q, expires %v, scope %v", token.Type(), token.Expiry, token.Extra("scope"))
			}
			accepted, err := api.Verify(ctx, token.AccessToken)
			if err != nil {
				t.Fatal(err)
			}
			if accepted.Subject != "sa:acme:billing" || accepted.ClientID != m.ID || !slices.Equal(accepted.Scopes, []string{"llm:*"}) {
				t.Errorf("accepted %+v", accepted)
			}
			if !admin.active(token.AccessToken) {
				t.Error("introspection says that the token is inactive")
			}
			wrong := source
			wrong.ClientSecret += "x"
			_, err = wrong.Token(ctx)
			if refused, ok := errors.AsType[*oauth2.RetrieveError](err); !ok || refused.ErrorCode != "invalid_client" {
				t.Errorf("a wrong secret answered %v, want invalid_client", err)
			}
		})
	}
}

// TestBootstrapPrintsOneObject: scripts read it, and a secret is not printed by accident twice.
func TestBootstrapPrintsOneObject(t *testing.T) {
	p := newPlace(t, "SIGNET_LISTEN=127.0.0.1:8099")
	stdout := p.must(t, "bootstrap", "--output", "json")
	var made map[string]string
	if err := json.Unmarshal([]byte(stdout), &made); err != nil {
		t.Fatalf("stdout is not one JSON object: %v", err)
	}
	if len(made) != 3 || made["issuer"] != "http://127.0.0.1:8099" || made["client_id"] == "" || made["client_secret"] == "" {
		t.Errorf("the object has other members than issuer, client_id and client_secret")
	}
	second := p.run(t, "bootstrap")
	if second.code != 1 || second.stdout != "" || !strings.Contains(second.stderr, "hint: run signet bootstrap --new") {
		t.Errorf("a second run: code %d, stdout %q, stderr %q", second.code, second.stdout, second.stderr)
	}
	another := p.bootstrap(t, "--new")
	if another.ID == made["client_id"] || another.Secret == made["client_secret"] {
		t.Error("--new printed the first administrator again")
	}
	api := p.serve(t).api(t)
	first := login{made["client_id"], made["client_secret"]}
	for _, who := range []login{first, another} {
		api.as(who).get("/v2/orgs")
	}
}

// TestEveryAlgorithmVerifies holds tokens of every configurable algorithm against a JOSE
// library and our own verifier.
func TestEveryAlgorithmVerifies(t *testing.T) {
	for _, alg := range []string{"ES256", "ES384", "ES512", "RS256", "PS256", "Ed25519"} {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, "SIGNET_SIGNING_ALG="+alg)
			root := p.bootstrap(t)
			s := p.serve(t)
			api := s.api(t)
			token := api.token(root)

			kid := joseVerify(t, api, token, alg)
			if kid == "" {
				t.Error("the token has no kid")
			}
			ours := &verify.Verifier{
				Issuer: s.url, Audience: s.url, Org: "system",
				Keys: &verify.RemoteKeySet{URL: s.url + "/.well-known/jwks.json"},
			}
			if _, err := ours.Verify(t.Context(), token); err != nil {
				t.Errorf("our verifier: %v", err)
			}
		})
	}
}

// jwks reads the published keys with a library that is not ours.
func jwks(t testing.TB, a *api) jose.JSONWebKeySet {
	t.Helper()
	var set jose.JSONWebKeySet
	a.get("/.well-known/jwks.json").into(t, &set)
	return set
}

// joseVerify checks a token's signature with go-jose alone and returns its kid.
func joseVerify(t testing.TB, a *api, token, alg string) string {
	t.Helper()
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		t.Fatal(err)
	}
	kid := signed.Signatures[0].Header.KeyID
	set := jwks(t, a)
	published := set.Key(kid)
	if len(published) != 1 {
		t.Fatalf("%d keys are published as %q, want 1", len(published), kid)
	}
	if published[0].Algorithm != alg || published[0].Use != "sig" || !published[0].IsPublic() {
		t.Errorf("the published key has alg %q, use %q", published[0].Algorithm, published[0].Use)
	}
	if public, ok := published[0].Key.(ed25519.PublicKey); ok {
		// The library does not know the algorithm by the name that RFC 9864 gave it.
		input := token[:strings.LastIndex(token, ".")]
		if !ed25519.Verify(public, []byte(input), signed.Signatures[0].Signature) {
			t.Error("the signature is wrong")
		}
	} else if _, err := signed.Verify(published[0]); err != nil {
		t.Errorf("go-jose: %v", err)
	}
	return kid
}
