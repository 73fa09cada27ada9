package verify_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/signet-issuer/signet/client/verify"
)

const (
	issuer   = "https://signet.example"
	audience = "https://api.example"
	org      = "acme"
)

var instant = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func clock() time.Time { return instant }

// signer is a key of the issuer.
type signer struct {
	kid, alg string
	method   jwt.SigningMethod
	private  crypto.Signer
}

func newSigner(kid, alg string, method jwt.SigningMethod, private crypto.Signer, err error) signer {
	if err != nil {
		panic(err)
	}
	return signer{kid: kid, alg: alg, method: method, private: private}
}

func newES256(kid string) signer {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return newSigner(kid, "ES256", jwt.SigningMethodES256, private, err)
}

// signers has one key of each algorithm, named k- and the algorithm. Keys are made once:
// RSA takes its time.
var signers = sync.OnceValue(func() map[string]signer {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	all := []signer{newES256("k-ES256"), newSigner("k-Ed25519", "Ed25519", jwt.SigningMethodEdDSA, ed, err)}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	all = append(all, newSigner("k-ES384", "ES384", jwt.SigningMethodES384, p384, err))
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	all = append(all, newSigner("k-ES512", "ES512", jwt.SigningMethodES512, p521, err))
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	all = append(all, newSigner("k-RS256", "RS256", jwt.SigningMethodRS256, rs, err))
	ps, err := rsa.GenerateKey(rand.Reader, 2048)
	all = append(all, newSigner("k-PS256", "PS256", jwt.SigningMethodPS256, ps, err))
	byAlg := map[string]signer{}
	for _, s := range all {
		byAlg[s.alg] = s
	}
	return byAlg
})

func (s signer) key() verify.Key {
	return verify.Key{ID: s.kid, Alg: s.alg, Public: s.private.Public()}
}

func (s signer) header() map[string]any {
	return map[string]any{"typ": "at+jwt", "alg": s.alg, "kid": s.kid}
}

// sign makes a compact JWS of any header and payload text.
func (s signer) sign(header, payload string) string {
	signed := encode(header) + "." + encode(payload)
	signature, err := s.method.Sign(signed, s.private)
	if err != nil {
		panic(err)
	}
	return signed + "." + encode(string(signature))
}

func (s signer) token(claims map[string]any) string {
	return s.sign(asJSON(s.header()), asJSON(claims))
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// with returns a copy of m with changes; a nil value removes its name.
func with(m, changes map[string]any) map[string]any {
	m = maps.Clone(m)
	for name, value := range changes {
		if value == nil {
			delete(m, name)
		} else {
			m[name] = value
		}
	}
	return m
}

func goodClaims() map[string]any {
	return map[string]any{
		"iss": issuer, "sub": "sa:acme:builder", "aud": audience, "client_id": "c1", "jti": "j1",
		"iat": instant.Unix(), "exp": instant.Add(15 * time.Minute).Unix(),
		"org": org, "scope": "llm:* orgs:*:read", "gen": 7,
	}
}

func allKeys(t testing.TB) verify.StaticKeySet {
	t.Helper()
	var keys []verify.Key
	for _, s := range signers() {
		keys = append(keys, s.key())
	}
	set, err := verify.NewStaticKeySet(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func newVerifier(t testing.TB) *verify.Verifier {
	t.Helper()
	return &verify.Verifier{Issuer: issuer, Audience: audience, Org: org, Keys: allKeys(t), Now: clock}
}

// wantRefused checks the error and that nothing comes with it.
func wantRefused(t *testing.T, v *verify.Verifier, raw string, reasons ...verify.Reason) {
	t.Helper()
	token, err := v.Verify(t.Context(), raw)
	invalid, ok := errors.AsType[*verify.InvalidError](err)
	if !ok || token != nil {
		t.Errorf("Verify = %v, %v; want an InvalidError alone", token, err)
		return
	}
	for _, reason := range reasons {
		if invalid.Reason == reason {
			return
		}
	}
	if len(reasons) > 0 {
		t.Errorf("refused as %q, want %q", invalid.Reason, reasons)
	}
	if len(raw) > 20 && strings.Contains(err.Error(), raw) {
		t.Errorf("the error repeats the token")
	}
}

// keySetFunc lets a test answer as any key set could.
type keySetFunc func(ctx context.Context, kid, alg string) (crypto.PublicKey, error)

func (f keySetFunc) Key(ctx context.Context, kid, alg string) (crypto.PublicKey, error) {
	return f(ctx, kid, alg)
}
