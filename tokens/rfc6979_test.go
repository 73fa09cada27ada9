package tokens

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// RFC 6979, appendix A.2.5: P-256 with SHA-256.
func TestRFC6979_A_2_5_Vectors(t *testing.T) {
	private := new(big.Int)
	private.SetString("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721", 16)
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), private.FillBytes(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	for message, want := range map[string]string{
		"sample": "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716" +
			"F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
		"test": "F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367" +
			"019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083",
	} {
		signature, err := rfc6979{jwt.SigningMethodES256}.Sign(message, key)
		if err != nil || strings.ToUpper(hex.EncodeToString(signature)) != want {
			t.Errorf("%s: %x, %v", message, signature, err)
		}
	}
}

// Many signatures, so that some have a number that begins with zeros.
func TestRFC7518_3_4_SignaturesHaveFixedWidth(t *testing.T) {
	for _, test := range []struct {
		curve  elliptic.Curve
		method *jwt.SigningMethodECDSA
		size   int
	}{
		{elliptic.P256(), jwt.SigningMethodES256, 64},
		{elliptic.P384(), jwt.SigningMethodES384, 96},
		{elliptic.P521(), jwt.SigningMethodES512, 132},
	} {
		key, err := ecdsa.GenerateKey(test.curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		short := 0
		for n := range 600 {
			input := fmt.Sprintf("e30.%d", n)
			signature, err := rfc6979{test.method}.Sign(input, key)
			if err != nil || len(signature) != test.size {
				t.Fatalf("%s: %d bytes, %v", test.method.Name, len(signature), err)
			}
			if signature[0] == 0 || signature[test.size/2] == 0 {
				short++
			}
			if err := test.method.Verify(input, signature, &key.PublicKey); err != nil {
				t.Fatalf("%s: golang-jwt: %v", test.method.Name, err)
			}
		}
		if short == 0 {
			t.Errorf("%s: no number was short", test.method.Name)
		}
	}
}

func TestRFC6979_RefusesOtherKeys(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []any{other, *other, &other.PublicKey, nil, jose.JSONWebKey{}} {
		if signature, err := (rfc6979{jwt.SigningMethodES256}).Sign("x", key); err == nil {
			t.Errorf("%T signs: %x", key, signature)
		}
	}
	for _, der := range []string{"", "3000", "30060201010201", "3006020101020101ff", "30060201ff020101", "300902010102010102010"} {
		raw, _ := hex.DecodeString(der)
		if signature, err := fixedWidth(raw, 32); err == nil {
			t.Errorf("%s is read as %x", der, signature)
		}
	}
}
