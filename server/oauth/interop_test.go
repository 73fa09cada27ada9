package oauth_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/signet-issuer/signet/client/verify"
	"github.com/signet-issuer/signet/internal/testenv"
)

func oauth2Client(env *testenv.Env, login testenv.Login, style oauth2.AuthStyle) *clientcredentials.Config {
	return &clientcredentials.Config{
		ClientID: login.ID, ClientSecret: login.Secret, TokenURL: env.URL + "/token",
		Scopes: []string{"api:read"}, AuthStyle: style,
	}
}

func TestStandard06_OAuth2Client(t *testing.T) {
	env, bot := start(t)
	byUserID := testenv.Login{ID: bot.Account.UserID(), Secret: bot.Secret} // colons, which the client encodes
	for name, style := range map[string]oauth2.AuthStyle{
		"header": oauth2.AuthStyleInHeader, "params": oauth2.AuthStyleInParams, "by trial": oauth2.AuthStyleAutoDetect,
	} {
		for _, login := range []testenv.Login{bot.Login, byUserID} {
			t.Run(name+" "+login.ID, func(t *testing.T) {
				token, err := oauth2Client(env, login, style).Token(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if token.Type() != "Bearer" || token.Extra("scope") != "api:read" || time.Until(token.Expiry) < 14*time.Minute {
					t.Errorf("type %s, scope %v, expiry %v", token.Type(), token.Extra("scope"), token.Expiry)
				}
				wantActive(t, env, bot.Login, token.AccessToken, true)
			})
		}
	}
}

// The client without a style sends a failing login twice; the limit counts both, so that
// such a client has half as many attempts, and its next right one is not refused.
func TestStandard11_OAuth2ClientTriesTwice(t *testing.T) {
	env, bot := start(t)
	env.Clock.Stop()
	bad := testenv.Login{ID: bot.ID, Secret: "sas_acme_wrong"}
	status := func(login testenv.Login) int {
		_, err := oauth2Client(env, login, oauth2.AuthStyleAutoDetect).Token(t.Context())
		refused, ok := errors.AsType[*oauth2.RetrieveError](err)
		if !ok {
			t.Fatalf("error %v", err)
		}
		return refused.Response.StatusCode
	}
	for attempt := range 15 {
		if got := status(bad); got != http.StatusUnauthorized {
			t.Fatalf("attempt %d: %d", attempt, got)
		}
	}
	if got := status(bad); got != http.StatusTooManyRequests {
		t.Errorf("attempt 16: %d", got)
	}
	if _, err := oauth2Client(env, bot.Login, oauth2.AuthStyleAutoDetect).Token(t.Context()); err != nil {
		t.Errorf("the right secret: %v", err)
	}
}

// A library that knows OpenID Connect only verifies our tokens by discovery.
func TestStandard50_OIDCLibrary(t *testing.T) {
	for _, path := range []string{"", "/auth"} {
		env, bot := start(t, func(c *testenv.Config) { c.IssuerPath = path })
		provider, err := oidc.NewProvider(t.Context(), env.Issuer)
		if err != nil {
			t.Fatal(err)
		}
		verifier := provider.Verifier(&oidc.Config{ClientID: env.Issuer + "/orgs/acme"})
		verified, err := verifier.Verify(t.Context(), env.Token(t, bot.Login))
		if err != nil {
			t.Fatal(err)
		}
		if verified.Subject != "sa:acme:bot" || verified.Issuer != env.Issuer {
			t.Errorf("verified %+v", verified)
		}
	}
}

func TestStandard52_OurOwnVerifier(t *testing.T) {
	env, bot := start(t)
	keys, err := verify.ParseJWKS([]byte(env.Do(t, "GET", "/.well-known/jwks.json", "").Body))
	if err != nil {
		t.Fatal(err)
	}
	if keys.Len() != 2 {
		t.Errorf("%d keys, want an active and a prepared one", keys.Len())
	}
	if _, _, err := verify.VerifySignature(t.Context(), env.Token(t, bot.Login), keys); err != nil {
		t.Error(err)
	}
}
