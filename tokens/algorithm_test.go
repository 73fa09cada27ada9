package tokens_test

import (
	"crypto"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/signet-issuer/signet/tokens"
)

// edVerifier teaches go-jose the name of RFC 9864, which it does not know.
type edVerifier struct{ key ed25519.PublicKey }

func (v edVerifier) VerifyPayload(payload, signature []byte, alg jose.SignatureAlgorithm) error {
	if alg != tokens.Ed25519 || !ed25519.Verify(v.key, payload, signature) {
		return errors.New("invalid signature")
	}
	return nil
}

// verify checks a token with two libraries against what the key set publishes.
func verify(t *testing.T, keys *tokens.Keys, token string) {
	t.Helper()
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{"ES256", "ES384", "ES512", "RS256", "PS256", "Ed25519"})
	if err != nil {
		t.Fatal(err)
	}
	header := parsed.Signatures[0].Header
	published := publishedKey(t, keys, header.KeyID)
	if published.Algorithm != header.Algorithm {
		t.Fatalf("the header says %s and the key %s", header.Algorithm, published.Algorithm)
	}
	joseKey := published.Key
	if key, ok := published.Key.(ed25519.PublicKey); ok {
		joseKey = edVerifier{key}
	}
	if _, err := parsed.Verify(joseKey); err != nil {
		t.Errorf("go-jose: %v", err)
	}
	public, alg, ok := keys.PublicKey(header.KeyID)
	if !ok || alg != header.Algorithm {
		t.Fatalf("PublicKey has %s for %s, %v", alg, header.KeyID, ok)
	}
	method := jwt.GetSigningMethod(alg)
	if alg == tokens.Ed25519 {
		method = jwt.SigningMethodEdDSA
	}
	for _, key := range []crypto.PublicKey{public, published.Key} {
		if err := method.Verify(signingInput(token), parsed.Signatures[0].Signature, key); err != nil {
			t.Errorf("golang-jwt: %v", err)
		}
	}
}

func signingInput(token string) string { return token[:strings.LastIndexByte(token, '.')] }

func publishedKey(t *testing.T, keys *tokens.Keys, kid string) jose.JSONWebKey {
	t.Helper()
	var set jose.JSONWebKeySet
	unmarshal(t, keys.JWKS().Body, &set)
	found := set.Key(kid)
	if len(found) != 1 {
		t.Fatalf("%d published keys are %s", len(found), kid)
	}
	return found[0]
}

func TestEveryAlgorithmSignsAndVerifies(t *testing.T) {
	for _, alg := range tokens.Algorithms() {
		t.Run(alg, func(t *testing.T) {
			clock := newClock()
			keysConfig := newConfig(t, clock.Now)
			keysConfig.Algorithm = alg
			keys := openKeys(t, keysConfig)
			cfg, _ := newIssuerConfig(keys, clock.Now)
			token, err := newIssuer(t, cfg).Issue(t.Context(), newClient(t, newStanding(), clock.Now), tokens.Request{})
			if err != nil {
				t.Fatal(err)
			}
			header, _ := parts(t, token.Value.Reveal())
			if len(header) != 3 || header["alg"] != alg || header["typ"] != "at+jwt" {
				t.Errorf("RFC 9068 2.1: the header is %v", header)
			}
			verify(t, keys, token.Value.Reveal())
		})
	}
	if err := tokens.CheckAlgorithm("none"); err == nil || tokens.CheckAlgorithm("ES256") != nil {
		t.Error("CheckAlgorithm")
	}
}

func TestStandard53_Ed25519ByItsName(t *testing.T) {
	clock := newClock()
	keysConfig := newConfig(t, clock.Now)
	keysConfig.Algorithm = tokens.Ed25519
	keys := openKeys(t, keysConfig)
	cfg, _ := newIssuerConfig(keys, clock.Now)
	token, err := newIssuer(t, cfg).Issue(t.Context(), newClient(t, newStanding(), clock.Now), tokens.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if header, _ := parts(t, token.Value.Reveal()); header["alg"] != "Ed25519" {
		t.Errorf("the header says %v", header["alg"])
	}
	var set struct {
		Keys []struct{ Alg, Kty, Crv string }
	}
	unmarshal(t, keys.JWKS().Body, &set)
	if len(set.Keys) != 2 {
		t.Fatalf("%d keys are published", len(set.Keys))
	}
	for _, key := range set.Keys {
		if key.Alg != "Ed25519" || key.Kty != "OKP" || key.Crv != "Ed25519" {
			t.Errorf("a published key is %+v", key)
		}
	}
	if err := tokens.CheckAlgorithm("EdDSA"); err == nil {
		t.Error("the older name is accepted")
	}
}
