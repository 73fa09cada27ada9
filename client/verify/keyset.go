package verify

import (
	"context"
	"crypto"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// KeySet finds the public key that is pinned to both kid and alg. Alg is Ed25519 for
// tokens that say EdDSA. The error is [ErrNoKey] when there is surely none, anything else
// means that nobody knows. A KeySet is safe for concurrent use.
type KeySet interface {
	Key(ctx context.Context, kid, alg string) (crypto.PublicKey, error)
}

// Key is a public key: *[crypto/ecdsa.PublicKey], *[crypto/rsa.PublicKey] or [crypto/ed25519.PublicKey].
type Key struct {
	ID     string
	Alg    string // the only JWS algorithm that it verifies
	Public crypto.PublicKey
}

type keyName struct{ kid, alg string }

// StaticKeySet is a KeySet that never changes. The zero value has no keys.
type StaticKeySet struct{ keys map[keyName]crypto.PublicKey }

// NewStaticKeySet refuses a key without id, an algorithm that is unknown or does not fit
// its key, and two keys of one id and algorithm.
func NewStaticKeySet(keys ...Key) (StaticKeySet, error) {
	set := StaticKeySet{keys: make(map[keyName]crypto.PublicKey, len(keys))}
	for i, key := range keys {
		if err := set.add(key); err != nil {
			return StaticKeySet{}, fmt.Errorf("key %d: %w", i, err)
		}
	}
	return set, nil
}

func (s StaticKeySet) add(key Key) error {
	name := keyName{kid: key.ID, alg: canonicalAlg(key.Alg)}
	algorithm, known := algorithms[name.alg]
	switch {
	case key.ID == "" || len(key.ID) > maxKIDBytes:
		return fmt.Errorf("its id has 1 to %d bytes", maxKIDBytes)
	case !known:
		return errors.New("its algorithm is not supported")
	case !algorithm.fits(key.Public):
		return errors.New("it does not fit its algorithm")
	}
	if _, taken := s.keys[name]; taken {
		return errors.New("its id is taken")
	}
	s.keys[name] = key.Public
	return nil
}

// Key implements [KeySet].
func (s StaticKeySet) Key(_ context.Context, kid, alg string) (crypto.PublicKey, error) {
	key, ok := s.keys[keyName{kid: kid, alg: canonicalAlg(alg)}]
	if !ok {
		return nil, ErrNoKey
	}
	return key, nil
}

// Len is the number of keys.
func (s StaticKeySet) Len() int { return len(s.keys) }

// ParseJWKS reads a JWK Set (RFC 7517). Keys that are private, symmetric, not for
// signatures, unknown, damaged or open to more than one algorithm are passed over.
func ParseJWKS(data []byte) (StaticKeySet, error) {
	var document struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(data, &document); err != nil {
		return StaticKeySet{}, errors.New("not a JWK Set")
	}
	if document.Keys == nil {
		return StaticKeySet{}, errors.New("not a JWK Set: it has no keys member")
	}
	set := StaticKeySet{keys: make(map[keyName]crypto.PublicKey, len(document.Keys))}
	for _, raw := range document.Keys {
		if key, ok := parseJWK(raw); ok {
			_ = set.add(key) // a key that is not usable is passed over (RFC 7517, section 5)
		}
	}
	return set, nil
}

func parseJWK(raw jsontext.Value) (Key, bool) {
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(raw); err != nil || !jwk.Valid() || !jwk.IsPublic() {
		return Key{}, false
	}
	if jwk.Use != "" && jwk.Use != "sig" {
		return Key{}, false
	}
	key := Key{ID: jwk.KeyID, Alg: jwk.Algorithm, Public: jwk.Key}
	if key.Alg == "" {
		key.Alg = onlyAlg(key.Public)
	}
	return key, key.Alg != ""
}

// onlyAlg names the algorithm of a key that is good for exactly one. An RSA key is good for several.
func onlyAlg(key crypto.PublicKey) string {
	var only string
	for name, algorithm := range algorithms {
		if !algorithm.fits(key) {
			continue
		}
		if only != "" {
			return ""
		}
		only = name
	}
	return only
}
