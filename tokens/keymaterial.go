package tokens

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"

	"github.com/signet-issuer/signet/internal/secret"
)

// KeyLabel is what the private part of a key is sealed under.
func KeyLabel(kid string) string { return "signing-key:" + kid }

// newKey makes a key that is in no state yet.
func newKey(purpose Purpose, alg string, master secret.Key, random io.Reader) (StoredKey, error) {
	kind, err := algorithmByName(alg)
	if err != nil {
		return StoredKey{}, err
	}
	kid, err := randomText(random)
	if err != nil {
		return StoredKey{}, err
	}
	private, err := kind.generate(random)
	if err != nil {
		return StoredKey{}, fmt.Errorf("generate %s key: %w", alg, err)
	}
	public, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return StoredKey{}, fmt.Errorf("encode %s key: %w", alg, err)
	}
	plain, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return StoredKey{}, fmt.Errorf("encode %s key: %w", alg, err)
	}
	sealed, err := master.Seal(random, KeyLabel(kid), plain)
	clear(plain)
	if err != nil {
		return StoredKey{}, err
	}
	return StoredKey{KID: kid, Purpose: purpose, Alg: alg, Public: public, Sealed: sealed}, nil
}

// openPublic returns the public part and the algorithm that it is bound to.
func openPublic(key StoredKey) (crypto.PublicKey, algorithm, error) {
	kind, err := algorithmByName(key.Alg)
	if err != nil {
		return nil, algorithm{}, fmt.Errorf("signing key %s: %w", key.KID, err)
	}
	public, err := x509.ParsePKIXPublicKey(key.Public)
	if err != nil {
		return nil, algorithm{}, fmt.Errorf("signing key %s: %w", key.KID, err)
	}
	if !kind.fits(public) {
		return nil, algorithm{}, fmt.Errorf("signing key %s is not a key for %s", key.KID, key.Alg)
	}
	return public, kind, nil
}

// openPrivate returns the private part, which must belong to the public one.
func openPrivate(key StoredKey, master secret.Key) (crypto.Signer, error) {
	plain, err := master.Open(KeyLabel(key.KID), key.Sealed)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", key.KID, err)
	}
	defer clear(plain)
	parsed, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		// The parser's error could repeat what it read.
		return nil, fmt.Errorf("signing key %s: its private part is damaged", key.KID)
	}
	private, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("signing key %s cannot sign", key.KID)
	}
	public, _, err := openPublic(key)
	if err != nil {
		return nil, err
	}
	if twin, ok := public.(interface{ Equal(crypto.PublicKey) bool }); !ok || !twin.Equal(private.Public()) {
		return nil, fmt.Errorf("signing key %s: its private part belongs to another key", key.KID)
	}
	return private, nil
}

// errMasterKey explains why no private part can be read.
var errMasterKey = errors.New("the master key is not the one that this database was made with")

// checkMaster returns an error that wraps [secret.ErrSealed] unless every private part opens.
func checkMaster(keys []StoredKey, master secret.Key) error {
	for _, key := range keys {
		if _, err := openPrivate(key, master); err != nil {
			if errors.Is(err, secret.ErrSealed) {
				return fmt.Errorf("%w: %w", errMasterKey, err)
			}
			return err
		}
	}
	return nil
}
