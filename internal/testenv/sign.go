package testenv

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/tokens"
	tokenstore "github.com/signet-issuer/signet/tokens/sqlstore"
)

// SigningKey takes the active key of access tokens out of the store.
func (e *Env) SigningKey(t testing.TB) (kid string, private crypto.Signer) {
	t.Helper()
	return e.SigningKeyOf(t, tokens.AccessTokens)
}

// SigningKeyOf takes the active key of a purpose out of the store.
func (e *Env) SigningKeyOf(t testing.TB, purpose tokens.Purpose) (kid string, private crypto.Signer) {
	t.Helper()
	set, err := tokenstore.New(e.DB).KeySet(t.Context())
	must(t, err)
	for _, key := range set.Keys {
		if key.State != tokens.Active || key.Purpose != purpose {
			continue
		}
		plain, err := e.master.Open(tokens.KeyLabel(key.KID), key.Sealed)
		must(t, err)
		parsed, err := x509.ParsePKCS8PrivateKey(plain)
		must(t, err)
		return key.KID, parsed.(crypto.Signer)
	}
	t.Fatal("no active key")
	return "", nil
}

// Forge signs any payload with the server's own key. Members of header replace those that the
// server writes.
func (e *Env) Forge(t testing.TB, header, payload map[string]any) string {
	t.Helper()
	kid, private := e.SigningKey(t)
	complete := map[string]any{"alg": "ES256", "typ": tokens.Type, "kid": kid}
	for name, value := range header {
		complete[name] = value
	}
	signed := Segment(t, complete) + "." + Segment(t, payload)
	digest := sha256.Sum256([]byte(signed))
	r, v, err := ecdsa.Sign(rand.Reader, private.(*ecdsa.PrivateKey), digest[:])
	must(t, err)
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	v.FillBytes(signature[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// Segment encodes a part of a JWT.
func Segment(t testing.TB, members map[string]any) string {
	t.Helper()
	text, err := json.Marshal(members)
	must(t, err)
	return base64.RawURLEncoding.EncodeToString(text)
}

// Payload decodes the claims of a token without a look at its signature. Numbers are json.Number's.
func Payload(t testing.TB, token string) map[string]any { return part(t, token, 1) }

// JOSEHeader decodes the header of a token.
func JOSEHeader(t testing.TB, token string) map[string]any { return part(t, token, 0) }

func part(t testing.TB, token string, index int) map[string]any {
	t.Helper()
	segments := strings.Split(token, ".")
	if len(segments) != 3 {
		t.Fatalf("a token has %d segments", len(segments))
	}
	text, err := base64.RawURLEncoding.DecodeString(segments[index])
	must(t, err)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var members map[string]any
	must(t, decoder.Decode(&members))
	return members
}
