package tokens

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// Names of the algorithms that can sign access tokens (RFC 7518, section 3.1, and RFC 9864).
const (
	ES256   = "ES256"
	ES384   = "ES384"
	ES512   = "ES512"
	RS256   = "RS256"
	PS256   = "PS256"
	Ed25519 = "Ed25519"
)

const rsaBits = 2048

// algorithm is what the rest of the package needs to know of one.
type algorithm struct {
	name     string
	method   jwt.SigningMethod
	generate func(random io.Reader) (crypto.Signer, error)
	fits     func(public crypto.PublicKey) bool
}

var algorithms = []algorithm{
	{ES256, rfc6979{jwt.SigningMethodES256}, generateECDSA(elliptic.P256()), fitsCurve(elliptic.P256())},
	{ES384, rfc6979{jwt.SigningMethodES384}, generateECDSA(elliptic.P384()), fitsCurve(elliptic.P384())},
	{ES512, rfc6979{jwt.SigningMethodES512}, generateECDSA(elliptic.P521()), fitsCurve(elliptic.P521())},
	{RS256, jwt.SigningMethodRS256, generateRSA, fitsRSA},
	{PS256, jwt.SigningMethodPS256, generateRSA, fitsRSA},
	{Ed25519, jwt.SigningMethodEdDSA, generateEd25519, fitsEd25519},
}

// Algorithms lists the names that a configuration may choose from.
func Algorithms() []string {
	names := make([]string, len(algorithms))
	for i, a := range algorithms {
		names[i] = a.name
	}
	return names
}

// CheckAlgorithm returns an error that lists the known names unless name is one of them.
func CheckAlgorithm(name string) error {
	_, err := algorithmByName(name)
	return err
}

func algorithmByName(name string) (algorithm, error) {
	i := slices.IndexFunc(algorithms, func(a algorithm) bool { return a.name == name })
	if i < 0 {
		return algorithm{}, fmt.Errorf("signing algorithm %q: must be one of %s", name, strings.Join(Algorithms(), ", "))
	}
	return algorithms[i], nil
}

func generateECDSA(curve elliptic.Curve) func(io.Reader) (crypto.Signer, error) {
	return func(random io.Reader) (crypto.Signer, error) { return ecdsa.GenerateKey(curve, random) }
}

func generateRSA(random io.Reader) (crypto.Signer, error) { return rsa.GenerateKey(random, rsaBits) }

func generateEd25519(random io.Reader) (crypto.Signer, error) {
	_, private, err := ed25519.GenerateKey(random)
	return private, err
}

func fitsCurve(curve elliptic.Curve) func(crypto.PublicKey) bool {
	return func(public crypto.PublicKey) bool {
		key, ok := public.(*ecdsa.PublicKey)
		return ok && key.Curve == curve
	}
}

func fitsRSA(public crypto.PublicKey) bool {
	key, ok := public.(*rsa.PublicKey)
	return ok && key.N.BitLen() >= rsaBits
}

func fitsEd25519(public crypto.PublicKey) bool {
	_, ok := public.(ed25519.PublicKey)
	return ok
}
