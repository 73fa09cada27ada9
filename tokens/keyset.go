package tokens

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/signet-issuer/signet/internal/secret"
)

// JWKS is the published key set, ready to send (RFC 7517, section 5).
type JWKS struct {
	Body   []byte // shared: do not change it
	ETag   string
	MaxAge time.Duration // whole seconds
}

// published is one version of the key set as this process uses it. It never changes.
type published struct {
	version int64
	public  map[string]publicKey
	signer  *signer
	jwks    []byte
	etag    string
	maxAge  time.Duration // longest that this set may be cached
	ripeAt  time.Time     // of the active key
}

type publicKey struct {
	key crypto.PublicKey
	alg string
}

// publish makes a key set ready for use. It takes the signer over from the previous one
// when the active key is still the same.
func publish(version int64, keys []StoredKey, master secret.Key, previous *published) (*published, error) {
	p := &published{version: version, public: map[string]publicKey{}}
	document := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, key := range keys {
		public, kind, err := openPublic(key)
		if err != nil {
			return nil, err
		}
		p.public[key.KID] = publicKey{key: public, alg: key.Alg}
		document.Keys = append(document.Keys, jose.JSONWebKey{Key: public, KeyID: key.KID, Algorithm: key.Alg, Use: "sig"})
		switch key.State {
		case Prepared:
			p.maxAge = key.MaxAge
		case Active:
			p.ripeAt = key.RipeAt
			if p.signer, err = newSigner(key, kind, master, previous); err != nil {
				return nil, err
			}
		}
	}
	if p.signer == nil {
		return nil, errors.New("the key set has no active key")
	}
	var err error
	if p.jwks, err = json.Marshal(document); err != nil {
		return nil, fmt.Errorf("encode key set: %w", err)
	}
	sum := sha256.Sum256(p.jwks)
	p.etag = `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	return p, nil
}

// signer signs tokens with the active key.
type signer struct {
	kid     string
	header  string // encoded
	method  jwt.SigningMethod
	private crypto.Signer
	longest time.Duration // no token may live longer
}

// tokenType is the typ header of what keys of the purpose sign.
func (p Purpose) tokenType() string {
	if p == Passports {
		return PassportType
	}
	return Type
}

func newSigner(key StoredKey, kind algorithm, master secret.Key, previous *published) (*signer, error) {
	if previous != nil && previous.signer.kid == key.KID {
		same := *previous.signer
		same.longest = key.Longest
		return &same, nil
	}
	private, err := openPrivate(key, master)
	if err != nil {
		return nil, err
	}
	header, err := json.Marshal(struct {
		Alg  string `json:"alg"`
		Type string `json:"typ"`
		KID  string `json:"kid"`
	}{key.Alg, key.Purpose.tokenType(), key.KID})
	if err != nil {
		return nil, fmt.Errorf("encode header: %w", err)
	}
	return &signer{
		kid: key.KID, method: kind.method, private: private, longest: key.Longest,
		header: base64.RawURLEncoding.EncodeToString(header),
	}, nil
}

// sign returns the compact form (RFC 7515, section 7.1).
func (s *signer) sign(payload []byte) (string, error) {
	input := s.header + "." + base64.RawURLEncoding.EncodeToString(payload)
	signature, err := s.method.Sign(input, s.private)
	if err != nil {
		return "", fmt.Errorf("sign with key %s: %w", s.kid, err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
