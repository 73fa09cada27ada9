package verify_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/signet-issuer/signet/client/verify"
)

// jwks renders keys as the server publishes them.
func jwks(signers ...signer) string {
	entries := make([]string, len(signers))
	for i, s := range signers {
		entries[i] = jwkOf(s.private.Public(), s.kid, s.alg)
	}
	return `{"keys":[` + strings.Join(entries, ",") + `]}`
}

func jwkOf(key any, kid, alg string) string {
	text, err := (&jose.JSONWebKey{Key: key, KeyID: kid, Algorithm: alg, Use: "sig"}).MarshalJSON()
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestStaticKeySet(t *testing.T) {
	set := allKeys(t)
	if set.Len() != 6 {
		t.Errorf("Len = %d", set.Len())
	}
	for alg, s := range signers() {
		key, err := set.Key(t.Context(), s.kid, alg)
		if err != nil || !s.private.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(key) {
			t.Errorf("%s: %v, %v", alg, key, err)
		}
		for _, name := range [][2]string{{"x", alg}, {s.kid, "x"}, {"", alg}, {s.kid, ""}, {strings.ToLower(s.kid), alg}} {
			if key, err := set.Key(t.Context(), name[0], name[1]); !errors.Is(err, verify.ErrNoKey) || key != nil {
				t.Errorf("%q: %v, %v", name, key, err)
			}
		}
	}
}

func TestStandard42_NewStaticKeySetRefuses(t *testing.T) {
	good := signers()["ES256"].key()
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(*verify.Key)) []verify.Key {
		key := good
		f(&key)
		return []verify.Key{key}
	}
	tests := map[string][]verify.Key{
		"no id":          change(func(k *verify.Key) { k.ID = "" }),
		"long id":        change(func(k *verify.Key) { k.ID = strings.Repeat("k", 257) }),
		"no algorithm":   change(func(k *verify.Key) { k.Alg = "" }),
		"none":           change(func(k *verify.Key) { k.Alg = "none" }),
		"symmetric":      change(func(k *verify.Key) { k.Alg = "HS256" }),
		"other curve":    change(func(k *verify.Key) { k.Alg = "ES384" }),
		"other type":     change(func(k *verify.Key) { k.Alg = "RS256" }),
		"no key":         change(func(k *verify.Key) { k.Public = nil }),
		"private key":    change(func(k *verify.Key) { k.Public = signers()["ES256"].private }),
		"bytes":          change(func(k *verify.Key) { k.Public = []byte("secret") }),
		"small RSA":      change(func(k *verify.Key) { k.Alg, k.Public = "RS256", small.Public() }),
		"small curve":    change(func(k *verify.Key) { k.Public = p224.Public() }),
		"the same twice": {good, good},
	}
	for name, keys := range tests {
		t.Run(name, func(t *testing.T) {
			if set, err := verify.NewStaticKeySet(keys...); err == nil || set.Len() != 0 {
				t.Errorf("accepted: %d, %v", set.Len(), err)
			}
		})
	}
}

func TestRFC7517_5_UnusableKeysArePassedOver(t *testing.T) {
	s := signers()["ES256"]
	good := jwkOf(s.private.Public(), s.kid, s.alg)
	private := jwkOf(s.private, "private", "ES256")
	rs := signers()["RS256"].private.Public()
	unusable := map[string]string{
		"unknown kty":        `{"kty":"AKP","kid":"x","alg":"ML-DSA-44","pub":"AAAA"}`,
		"unknown curve":      `{"kty":"EC","kid":"x","crv":"secp256k1","x":"AA","y":"AA"}`,
		"no kty":             `{"kid":"x"}`,
		"symmetric":          `{"kty":"oct","kid":"x","alg":"HS256","k":"c2VjcmV0"}`,
		"private":            private,
		"for encryption":     strings.Replace(jwkOf(s.private.Public(), "x", "ES256"), `"sig"`, `"enc"`, 1),
		"no kid":             jwkOf(s.private.Public(), "", "ES256"),
		"alg of another key": jwkOf(s.private.Public(), "x", "RS256"),
		"encryption alg":     jwkOf(rs, "x", "RSA-OAEP"),
		"RSA without alg":    jwkOf(rs, "x", ""),
		"not on the curve":   `{"kty":"EC","kid":"x","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}`,
		"point of zeros":     `{"kty":"EC","kid":"x","crv":"P-256","x":"","y":""}`,
		"broken base64":      `{"kty":"OKP","kid":"x","crv":"Ed25519","x":"!!"}`,
		"short Ed25519":      `{"kty":"OKP","kid":"x","crv":"Ed25519","x":"AAAA"}`,
		"X25519":             `{"kty":"OKP","kid":"x","crv":"X25519","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`,
		"small RSA":          `{"kty":"RSA","kid":"x","alg":"RS256","n":"AQAB","e":"AQAB"}`,
		"null":               "null", "number": "7", "text": `"x"`, "array": "[]", "empty": "{}",
	}
	for name, entry := range unusable {
		for _, document := range []string{entry + "," + good, good + "," + entry} {
			t.Run(name, func(t *testing.T) {
				set, err := verify.ParseJWKS([]byte(`{"keys":[` + document + `],"more":1}`))
				if err != nil || set.Len() != 1 {
					t.Fatalf("%d keys, %v", set.Len(), err)
				}
				if _, err := set.Key(t.Context(), s.kid, "ES256"); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestParseJWKS(t *testing.T) {
	for alg, s := range signers() {
		set, err := verify.ParseJWKS([]byte(jwks(s)))
		if err != nil || set.Len() != 1 {
			t.Errorf("%s: %d keys, %v", alg, set.Len(), err)
		}
		without := `{"keys":[` + jwkOf(s.private.Public(), s.kid, "") + `]}`
		set, err = verify.ParseJWKS([]byte(without))
		wantKeys := 1
		if strings.HasSuffix(alg, "S256") && alg != "ES256" {
			wantKeys = 0 // RSA
		}
		if err != nil || set.Len() != wantKeys {
			t.Errorf("%s without alg: %d keys, %v", alg, set.Len(), err)
		}
	}
	first, second := newES256("same"), newES256("same")
	set, err := verify.ParseJWKS([]byte(jwks(first, second)))
	key, keyErr := set.Key(t.Context(), "same", "ES256")
	if err != nil || keyErr != nil || !first.private.Public().(*ecdsa.PublicKey).Equal(key) {
		t.Errorf("the second key of one id took the place of the first: %v, %v", err, keyErr)
	}
	if set, err := verify.ParseJWKS([]byte(`{"keys":[]}`)); err != nil || set.Len() != 0 {
		t.Errorf("an empty set: %v", err)
	}
	for _, text := range []string{"", "{}", "null", "[]", `{"keys":null}`, `{"keys":{}}`, `{"keys":"x"}`, "<html>", `{"keys":[]}{}`, `{"KEYS":[]}`, `{"keys":[],"keys":[]}`} {
		if set, err := verify.ParseJWKS([]byte(text)); err == nil || set.Len() != 0 {
			t.Errorf("%s is a key set", fmt.Sprintf("%q", text))
		}
	}
}
