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

// MaxKeys is how many master keys may be in use at once: a rotation needs two.
const MaxKeys = 8

// ErrSealed reports that a sealed value does not open: wrong master key, wrong label, or damage.
var ErrSealed = errors.New("sealed value does not open under this master key")

// Key is a master key, or several: the first seals signing keys and peppers with
// XChaCha20-Poly1305, all open. It is safe for concurrent use and cannot print itself.
type Key struct {
	ring *[]cipher.AEAD // a pointer that fmt does not follow, as in [Text]; never empty
}

// NewKey makes a key of exactly [KeySize] bytes.
func NewKey(raw []byte) (Key, error) {
	aead, err := chacha20poly1305.NewX(raw)
	if err != nil {
		return Key{}, fmt.Errorf("a master key has %d bytes", KeySize)
	}
	return Key{ring: &[]cipher.AEAD{aead}}, nil
}

// ParseKey reads the base64 of a key, or of up to [MaxKeys], one a line: the first seals, all
// open. One final newline is allowed.
func ParseKey(text string) (Key, error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) > MaxKeys {
		return Key{}, fmt.Errorf("there are more than %d master keys", MaxKeys)
	}
	var ring []cipher.AEAD
	for _, line := range lines {
		key, err := parseLine(strings.TrimSuffix(line, "\r"))
		if err != nil {
			return Key{}, err
		}
		ring = append(ring, *key.ring...)
	}
	return Key{ring: &ring}, nil
}

func parseLine(line string) (Key, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(line)
	if err != nil || strings.Contains(line, "\r") { // which the decoder passes over
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

// Seal encrypts plaintext under the first key so that it opens only under that key and the same
// label. The label names purpose and id ("signing-key:…"), so that rows cannot be swapped.
func (k Key) Seal(random io.Reader, label string, plaintext []byte) ([]byte, error) {
	aead := (*k.ring)[0]
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plaintext)+aead.Overhead())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, fmt.Errorf("read random bytes: %w", err)
	}
	return aead.Seal(nonce, nonce, plaintext, []byte(label)), nil
}

// Open decrypts what [Key.Seal] made under any of the keys and the same label, or returns [ErrSealed].
func (k Key) Open(label string, sealed []byte) ([]byte, error) {
	if len(sealed) < chacha20poly1305.NonceSizeX {
		return nil, ErrSealed
	}
	nonce, box := sealed[:chacha20poly1305.NonceSizeX], sealed[chacha20poly1305.NonceSizeX:]
	for _, aead := range *k.ring {
		if plaintext, err := aead.Open(nil, nonce, box, []byte(label)); err == nil {
			return plaintext, nil
		}
	}
	return nil, ErrSealed
}

// Format implements [fmt.Formatter], so that no verb reaches the key.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements [slog.LogValuer].
func (k Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler].
func (k Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }
