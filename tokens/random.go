package tokens

import (
	"fmt"
	"io"
	"strings"
)

// Key ids and token ids have the form of crypto/rand.Text: 26 characters of base32, 130 bits.
const (
	textAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	textLen      = 26
)

func randomText(random io.Reader) (string, error) {
	var text [textLen]byte
	if _, err := io.ReadFull(random, text[:]); err != nil {
		return "", fmt.Errorf("read random bytes: %w", err)
	}
	for i, b := range text {
		text[i] = textAlphabet[b%byte(len(textAlphabet))]
	}
	return string(text[:]), nil
}

// ValidID reports whether text has the form of a token's jti.
func ValidID(text string) bool {
	return len(text) == textLen && strings.Trim(text, textAlphabet) == ""
}
