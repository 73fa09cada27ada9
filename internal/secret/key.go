package secret

import (
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// KeySize is the size of a master key in bytes.
const KeySize = chacha20poly1305.KeySize

// ErrSealed reports that a sealed value does not open: wrong master key, wrong label, or damage.
var ErrSealed = errors.New("sealed value does not open under this master key")

// Key is a master key: it seals signing keys and peppers with XChaCha20-Poly1305.
// It is safe for concurrent use and cannot print itself.
type Key struct {
	aead *cipher.AEAD // a pointer that fmt does not follow, as in [Text]
}

// NewKey makes a key of exactly [KeySize] bytes.
func NewKey(raw []byte) (Key, error) {
	aead, err := chacha20poly1305.NewX(raw)
	if err != nil {
		return Key{}, fmt.Errorf("a master key has %d bytes", KeySize)
	}
	return Key{aead: &aead}, nil
}

// ParseKey reads the base64 of a key; one final newline is allowed.
func ParseKey(text string) (Key, error) {
	text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") { // which the decoder passes over
		return Key{}, fmt.Errorf("a master key is the base64 of %d bytes", KeySize)
	}
	return NewKey(raw)
}

// GenerateKey returns a new random key and its base64 form.
func GenerateKey(random io.Reader) (Key, Text, error) {
	raw := make([]byte, KeySize)
	if _, err := io.ReadFull(random, raw); err != nil {
		return Key{}, Text{}, fmt.Errorf("read random bytes: %w", err)
	}
	key, err := NewKey(raw)
	return key, New(base64.StdEncoding.EncodeToString(raw)), err
}

// Seal encrypts plaintext so that it opens only under the same key and label. The
// label names purpose and id ("signing-key:…"), so that rows cannot be swapped.
func (k Key) Seal(random io.Reader, label string, plaintext []byte) ([]byte, error) {
	aead := *k.aead
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plaintext)+aead.Overhead())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, fmt.Errorf("read random bytes: %w", err)
	}
	return aead.Seal(nonce, nonce, plaintext, []byte(label)), nil
}

// Open decrypts what [Key.Seal] made under the same label, or returns [ErrSealed].
func (k Key) Open(label string, sealed []byte) ([]byte, error) {
	aead := *k.aead
	if len(sealed) < aead.NonceSize() {
		return nil, ErrSealed
	}
	nonce, box := sealed[:aead.NonceSize()], sealed[aead.NonceSize():]
	plaintext, err := aead.Open(nil, nonce, box, []byte(label))
	if err != nil {
		return nil, ErrSealed
	}
	return plaintext, nil
}

// Format implements [fmt.Formatter], so that no verb reaches the key.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements [slog.LogValuer].
func (k Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler].
func (k Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }
