package verify_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/signet-issuer/signet/client/verify"
)

func TestHazard1_2_DotsAndSizeCostNothing(t *testing.T) {
	v := newVerifier(t)
	shapes := map[string]string{
		"a million dots":    strings.Repeat(".", 1_000_000),
		"dots up to size":   strings.Repeat(".", 16<<10),
		"letters and dots":  strings.Repeat("a.", 8<<10),
		"three huge parts":  strings.Repeat("a", 1<<20) + "." + strings.Repeat("b", 1<<20) + "." + strings.Repeat("c", 1<<20),
		"one huge part":     strings.Repeat("a", 10<<20),
		"one byte too many": strings.Repeat("a", 16<<10-3) + ".b.cc",
	}
	for name, raw := range shapes {
		wantRefused(t, v, raw, verify.Malformed)
		const runs = 100
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			_, _ = v.Verify(t.Context(), raw)
		}
		runtime.ReadMemStats(&after)
		allocated := (after.TotalAlloc - before.TotalAlloc) / runs
		if allocated > 1024 {
			t.Errorf("%s: %d bytes allocated", name, allocated)
		}
	}
}

func TestHazard3_ExpiredAndForgedIsForged(t *testing.T) {
	claims := with(goodClaims(), map[string]any{"iat": 1, "exp": 2})
	raw := signers()["ES256"].token(claims)
	wantRefused(t, newVerifier(t), raw, verify.Expired)
	forger := newES256("k-ES256")
	wantRefused(t, newVerifier(t), forger.token(claims), verify.BadSignature)
}

func TestHazard4_5_EncryptedTokensAreRefusedUnread(t *testing.T) {
	v := newVerifier(t)
	headers := []string{
		`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`,
		`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,"p2s":"AAAA"}`,
		`{"alg":"RSA-OAEP","enc":"A256GCM","typ":"at+jwt","kid":"k-RS256"}`,
	}
	for _, header := range headers {
		wantRefused(t, v, encode(header)+".AA.AA.AA.AA", verify.Malformed)
		wantRefused(t, v, encode(header)+".AA.AA", verify.WrongType, verify.WrongAlgorithm)
		typed := strings.Replace(header, "{", `{"typ":"at+jwt",`, 1)
		wantRefused(t, v, encode(typed)+".AA.AA", verify.WrongAlgorithm, verify.Malformed)
	}
}

func TestHazard7_PublicKeyIsNoSharedSecret(t *testing.T) {
	for _, alg := range []string{"RS256", "ES256", "Ed25519"} {
		s := signers()[alg]
		der, err := x509.MarshalPKIXPublicKey(s.private.Public())
		if err != nil {
			t.Fatal(err)
		}
		jwk, err := (&jose.JSONWebKey{Key: s.private.Public(), KeyID: s.kid, Algorithm: alg, Use: "sig"}).MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		secrets := map[string][]byte{"DER": der, "PEM": text, "PEM without newline": text[:len(text)-1], "JWK": jwk, "empty": {}}
		for name, shared := range secrets {
			for _, claimed := range []string{"HS256", "hs256", "HS384", alg} {
				signed := encode(asJSON(with(s.header(), map[string]any{"alg": claimed}))) + "." + encode(asJSON(goodClaims()))
				mac := hmac.New(sha256.New, shared)
				mac.Write([]byte(signed))
				t.Run(alg+" "+name+" "+claimed, func(t *testing.T) {
					wantRefused(t, newVerifier(t), signed+"."+encode(string(mac.Sum(nil))), verify.WrongAlgorithm, verify.BadSignature)
				})
			}
		}
	}
}

func TestHazard8_NoneAndForeignAlgorithms(t *testing.T) {
	v := newVerifier(t)
	payload := encode(asJSON(goodClaims()))
	for _, alg := range []any{"none", "None", "nOnE", "NONE", "", nil, "es256", "ES256K", "RS1", "RS384", "PS512", "HS256", "Ed448", 7, []string{"ES256"}} {
		header := asJSON(with(signers()["ES256"].header(), map[string]any{"alg": alg}))
		for _, signature := range []string{"", "AA", encode(strings.Repeat("x", 64))} {
			wantRefused(t, v, encode(header)+"."+payload+"."+signature, verify.WrongAlgorithm, verify.Malformed)
		}
		wantRefused(t, v, signers()["ES256"].sign(header, asJSON(goodClaims())), verify.WrongAlgorithm, verify.Malformed)
	}
	wantRefused(t, v, encode(asJSON(signers()["ES256"].header()))+"."+payload+".", verify.Malformed)
	wantRefused(t, v, encode(asJSON(signers()["ES256"].header()))+"."+payload, verify.Malformed)
}

// A key signs under one algorithm only, even when its type is good for another.
func TestHazard8_OneAlgorithmIsPinnedToEachKey(t *testing.T) {
	v := newVerifier(t)
	for claimed, signing := range map[string]string{"RS256": "PS256", "PS256": "RS256"} {
		method, other := signers()[claimed].method, signers()[signing]
		s := signer{kid: other.kid, alg: claimed, method: method, private: other.private}
		wantRefused(t, v, s.token(goodClaims()), verify.UnknownKey)
	}
	for name, s := range signers() {
		for alg := range signers() {
			if alg == name {
				continue
			}
			header := asJSON(with(s.header(), map[string]any{"alg": alg}))
			wantRefused(t, v, s.sign(header, asJSON(goodClaims())), verify.UnknownKey)
		}
	}
}

// A key set of someone else may be careless: the type of its answer is checked again.
func TestHazard8_CarelessKeySet(t *testing.T) {
	v := newVerifier(t)
	for name, s := range signers() {
		for answered, other := range signers() {
			v.Keys = keySetFunc(func(context.Context, string, string) (crypto.PublicKey, error) {
				return other.private.Public(), nil
			})
			if name == answered {
				continue
			}
			wantRefused(t, v, s.token(goodClaims()), verify.WrongAlgorithm, verify.BadSignature)
		}
		for _, key := range []crypto.PublicKey{nil, "text", []byte("secret"), (*ecdsa.PublicKey)(nil), (*rsa.PublicKey)(nil), s.private} {
			v.Keys = keySetFunc(func(context.Context, string, string) (crypto.PublicKey, error) { return key, nil })
			wantRefused(t, v, s.token(goodClaims()), verify.WrongAlgorithm)
		}
	}
}

func TestHazard9_KeysInTheHeaderAreIgnored(t *testing.T) {
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	defer server.Close()
	v, forger := newVerifier(t), newES256("k-ES256")
	jwk := jose.JSONWebKey{Key: forger.private.Public(), KeyID: forger.kid, Algorithm: "ES256"}
	members := map[string]any{
		"jwk": jwk, "jku": server.URL, "x5u": server.URL, "x5c": []string{"MIIB"}, "x5t": "AA", "x5t#S256": "AA",
	}
	forged := asJSON(with(forger.header(), members))
	wantRefused(t, v, forger.sign(forged, asJSON(goodClaims())), verify.BadSignature)
	stranger := asJSON(with(forger.header(), with(members, map[string]any{"kid": "mine"})))
	wantRefused(t, v, forger.sign(stranger, asJSON(goodClaims())), verify.UnknownKey)
	for name, value := range members {
		header := asJSON(with(forger.header(), map[string]any{name: value}))
		wantRefused(t, v, forger.sign(header, asJSON(goodClaims())), verify.BadSignature)
	}
	if calls.Load() != 0 {
		t.Errorf("%d requests were made", calls.Load())
	}
}

func TestRFC7515_4_1_11_CriticalHeadersAreRefused(t *testing.T) {
	v, s := newVerifier(t), signers()["ES256"]
	for _, crit := range []any{[]string{"exp"}, []string{"b64"}, []string{}, "x", 0, false} {
		header := asJSON(with(s.header(), map[string]any{"crit": crit, "b64": false, "exp": 1}))
		wantRefused(t, v, s.sign(header, asJSON(goodClaims())), verify.WrongAlgorithm)
	}
	wantRefused(t, v, s.sign(`{"typ":"at+jwt","alg":"ES256","kid":"k-ES256","crit":null}`, asJSON(goodClaims())), verify.WrongAlgorithm)
}

func TestHazard10_KidIsOnlyAName(t *testing.T) {
	v, s := newVerifier(t), signers()["ES256"]
	kids := []any{
		"../../dev/null", "' or 1=1--", "\x00", "k-ES256\x00", "K-ES256", " k-ES256", strings.Repeat("k", 257),
		strings.Repeat("k", 9000), "http://127.0.0.1/", "${jndi:ldap://x}", "", nil, 7,
		[]string{"k-ES256"},
	}
	for _, kid := range kids {
		raw := s.sign(asJSON(with(s.header(), map[string]any{"kid": kid})), asJSON(goodClaims()))
		wantRefused(t, v, raw, verify.UnknownKey, verify.Malformed)
	}
}

func TestHazard11_ZeroAndOutOfRangeSignatures(t *testing.T) {
	curves := map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}
	for alg, curve := range curves {
		s := signers()[alg]
		signed := encode(asJSON(s.header())) + "." + encode(asJSON(goodClaims()))
		size := (curve.Params().BitSize + 7) / 8
		order := curve.Params().N
		values := []*big.Int{
			new(big.Int), big.NewInt(1), order, new(big.Int).Sub(order, big.NewInt(1)), new(big.Int).Add(order, big.NewInt(1)),
			curve.Params().P, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(8*size)), big.NewInt(1)),
		}
		for _, r := range values {
			for _, z := range values {
				signature := append(r.FillBytes(make([]byte, size)), z.FillBytes(make([]byte, size))...)
				wantRefused(t, newVerifier(t), signed+"."+encode(string(signature)), verify.BadSignature)
			}
		}
		good := strings.Split(s.token(goodClaims()), ".")
		for _, size := range []int{1, 2 * size, 2*size - 1, 2*size + 1, 4 * size} {
			zeros := make([]byte, size)
			wantRefused(t, newVerifier(t), good[0]+"."+good[1]+"."+encode(string(zeros)), verify.BadSignature)
		}
	}
}

func TestHazard11_OtherSignatureFormsAreRefused(t *testing.T) {
	s := signers()["ES256"]
	signed := encode(asJSON(s.header())) + "." + encode(asJSON(goodClaims()))
	digest := sha256.Sum256([]byte(signed))
	asn1, err := s.private.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	wantRefused(t, newVerifier(t), signed+"."+encode(string(asn1)), verify.BadSignature)
	rs := signers()["RS256"]
	parts := strings.Split(rs.token(goodClaims()), ".")
	wantRefused(t, newVerifier(t), parts[0]+"."+parts[1]+"."+encode("\x00")+parts[2], verify.BadSignature, verify.Malformed)
}

func TestHazard13_KeysOfAnotherIssuer(t *testing.T) {
	foreign := newES256("k-foreign")
	wantRefused(t, newVerifier(t), foreign.token(goodClaims()), verify.UnknownKey)
	foreign.kid = "k-ES256"
	wantRefused(t, newVerifier(t), foreign.token(goodClaims()), verify.BadSignature)
}

func TestHazard17_StrictJSON(t *testing.T) {
	v, s := newVerifier(t), signers()["ES256"]
	claims, header := asJSON(goodClaims()), asJSON(s.header())
	member := func(object, text string) string { return strings.TrimSuffix(object, "}") + "," + text + "}" }
	headers := map[string]string{
		"duplicate alg": member(header, `"alg":"none"`), "duplicate kid": member(header, `"kid":"x"`),
		"duplicate unknown": member(header, `"x":1,"x":2`), "duplicate by escape": member(header, `"\u0061lg":"ES256"`),
		"duplicate inside": member(header, `"x":{"y":1,"y":2}`),
		"array":            "[" + header + "]", "text": `"at+jwt"`, "null": "null", "number": "7", "empty": "", "space": " ",
		"trailing value": header + "{}", "trailing text": header + "x", "broken": header[:len(header)-1],
		"broken UTF-8": member(header, "\"x\":\"\xff\""), "deep": member(header, `"x":`+strings.Repeat("[", 9000)+`"`),
		"capitals": strings.Replace(header, `"alg"`, `"ALG"`, 1), "comment": header + "/**/",
	}
	for name, text := range headers {
		t.Run("header "+name, func(t *testing.T) {
			wantRefused(t, v, s.sign(text, claims), verify.Malformed, verify.WrongAlgorithm)
		})
	}
	payloads := map[string]string{
		"duplicate aud": member(claims, `"aud":"x"`), "duplicate exp": member(claims, `"exp":9999999999`),
		"duplicate unknown": member(claims, `"x":1,"x":1`), "duplicate by escape": member(claims, `"is\u0073":"x"`),
		"array": "[" + claims + "]", "null": "null", "text": `"x"`, "not JSON": "x", "trailing value": claims + claims,
		"broken UTF-8": member(claims, "\"x\":\"\xff\""), "broken": claims[1:],
		"capitals": strings.Replace(claims, `"exp"`, `"EXP"`, 1), "long s": strings.Replace(claims, `"sub"`, `"ſub"`, 1),
	}
	for name, text := range payloads {
		t.Run("claims "+name, func(t *testing.T) { wantRefused(t, v, s.sign(header, text), verify.BadClaim) })
	}
}

func TestHazard6_CompactFormIsExact(t *testing.T) {
	v, s := newVerifier(t), signers()["ES256"]
	good := s.token(goodClaims())
	parts := strings.Split(good, ".")
	shapes := map[string]string{
		"empty": "", "a dot": ".", "two dots": "..", "two parts": parts[0] + "." + parts[1], "four parts": good + ".",
		"leading dot": "." + good, "space before": " " + good, "space after": good + " ", "newline after": good + "\n",
		"CR in signature":    parts[0] + "." + parts[1] + "." + parts[2][:10] + "\r" + parts[2][10:],
		"newline in payload": parts[0] + "." + parts[1][:8] + "\n" + parts[1][8:] + "." + parts[2],
		"newline in header":  parts[0][:8] + "\n" + parts[0][8:] + "." + parts[1] + "." + parts[2],
		"padding":            good + "==", "standard alphabet": parts[0] + "." + parts[1] + ".+/" + parts[2][2:],
		"NUL": good[:5] + "\x00" + good[6:], "not ASCII": "é" + good, "JSON form": `{"payload":"` + parts[1] + `"}`,
		"empty header": "." + parts[1] + "." + parts[2], "empty payload": parts[0] + ".." + parts[2],
		"parts swapped": parts[1] + "." + parts[0] + "." + parts[2], "Bearer in front": "Bearer " + good,
	}
	for name, raw := range shapes {
		t.Run(name, func(t *testing.T) { wantRefused(t, v, raw, verify.Malformed, verify.WrongType) })
	}
	for n := range good {
		wantRefused(t, v, good[:n])
		wantRefused(t, v, good[n+1:])
	}
}
