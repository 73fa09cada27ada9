package verify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"

	"github.com/golang-jwt/jwt/v5"
)

const (
	minRSABits = 2048
	maxRSABits = 8192 // verifying with a larger key costs milliseconds
)

// algorithm ties a JWS algorithm to the only kind of key that it may be used with.
type algorithm struct {
	method jwt.SigningMethod
	fits   func(crypto.PublicKey) bool
}

var algorithms = map[string]algorithm{
	"ES256":   {jwt.SigningMethodES256, onCurve(elliptic.P256())},
	"ES384":   {jwt.SigningMethodES384, onCurve(elliptic.P384())},
	"ES512":   {jwt.SigningMethodES512, onCurve(elliptic.P521())},
	"RS256":   {jwt.SigningMethodRS256, isRSA},
	"PS256":   {jwt.SigningMethodPS256, isRSA},
	"Ed25519": {jwt.SigningMethodEdDSA, isEd25519},
}

// canonicalAlg maps the older name of Ed25519 (RFC 9864, section 2.2).
func canonicalAlg(alg string) string {
	if alg == "EdDSA" {
		return "Ed25519"
	}
	return alg
}

func onCurve(curve elliptic.Curve) func(crypto.PublicKey) bool {
	return func(key crypto.PublicKey) bool {
		k, ok := key.(*ecdsa.PublicKey)
		return ok && k != nil && k.Curve == curve
	}
}

func isRSA(key crypto.PublicKey) bool {
	k, ok := key.(*rsa.PublicKey)
	return ok && k != nil && k.N != nil && k.N.BitLen() >= minRSABits && k.N.BitLen() <= maxRSABits
}

func isEd25519(key crypto.PublicKey) bool {
	k, ok := key.(ed25519.PublicKey)
	return ok && len(k) == ed25519.PublicKeySize
}
