package accounts

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/internal/secret"
)

// Shape is how the client id and the secrets of a credential are spelled. A secret that
// comes later is spelled like the first. Each has at least 112 random bits, and nothing but
// letters, digits, "-" and "_".
type Shape string

// The shapes. Empty stands for Native. A token has a shape of its own, sat_{org}_ and 43
// characters of base64url, whatever its credential's.
const (
	Native       Shape = "native"       // 26 of [a-z2-7]; sas_{org}_{random UUID}
	Alphanumeric Shape = "alphanumeric" // 26 of [a-z2-7]; 64 of [A-Za-z0-9]
	Prefixed     Shape = "prefixed"     // sa_client_ and 12 hexadecimal digits; sa_secret_ and 20 of [A-Za-z0-9]
)

func (s Shape) orNative() Shape {
	if s == "" {
		return Native
	}
	return s
}

func (s Shape) known() bool { return s == Native || s == Alphanumeric || s == Prefixed }

const (
	tokenPrefix = "sat_"
	tokenBytes  = 32

	alphanumerics = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

// newClientID makes one of 128 random bits, or of 48 for [Prefixed], where it may be taken.
func (s *Service) newClientID(shape Shape) (string, error) {
	if shape == Prefixed {
		var random [6]byte
		if _, err := io.ReadFull(s.random, random[:]); err != nil {
			return "", fmt.Errorf("make a client id: %w", err)
		}
		return "sa_client_" + hex.EncodeToString(random[:]), nil
	}
	id, err := uuid.NewRandomFromReader(s.random)
	if err != nil {
		return "", fmt.Errorf("make a client id: %w", err)
	}
	return ShortID(id), nil
}

// newSecret makes what a credential of this kind and shape is proven by.
func (s *Service) newSecret(orgSlug string, credential Credential) (secret.Text, error) {
	text, err := s.secretText(orgSlug, credential)
	if err != nil {
		return secret.Text{}, fmt.Errorf("make a secret: %w", err)
	}
	return secret.New(text), nil
}

func (s *Service) secretText(orgSlug string, credential Credential) (string, error) {
	if credential.Kind == KindToken {
		random := make([]byte, tokenBytes)
		_, err := io.ReadFull(s.random, random)
		return tokenPrefix + orgSlug + "_" + base64.RawURLEncoding.EncodeToString(random), err
	}
	switch credential.Shape {
	case Alphanumeric:
		return s.alphanumeric(64)
	case Prefixed:
		text, err := s.alphanumeric(20)
		return "sa_secret_" + text, err
	default:
		random, err := uuid.NewRandomFromReader(s.random)
		return "sas_" + orgSlug + "_" + random.String(), err
	}
}

// alphanumeric makes n characters, each of 62 with the same probability.
func (s *Service) alphanumeric(n int) (string, error) {
	const fair = 256 - 256%len(alphanumerics)
	text := make([]byte, 0, n)
	random := make([]byte, n)
	for len(text) < n {
		if _, err := io.ReadFull(s.random, random); err != nil {
			return "", err
		}
		for _, b := range random {
			if int(b) < fair && len(text) < n {
				text = append(text, alphanumerics[int(b)%len(alphanumerics)])
			}
		}
	}
	return string(text), nil
}

// OpaqueToken reports whether text is spelled like the token of a credential of [KindToken].
// No JWT is.
func OpaqueToken(text string) bool {
	rest, ok := strings.CutPrefix(text, tokenPrefix)
	tail := base64.RawURLEncoding.EncodedLen(tokenBytes)
	slug := len(rest) - tail - 1
	if !ok || slug < 1 || rest[slug] != '_' || !ValidSlug(rest[:slug]) {
		return false
	}
	return !strings.ContainsFunc(rest[slug+1:], func(r rune) bool {
		return !strings.ContainsRune(alphanumerics+"-_", r)
	})
}
