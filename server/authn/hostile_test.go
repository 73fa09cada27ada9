package authn_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/testenv"
	"github.com/signet-issuer/signet/server/authn"
)

// Rows 1 and 2: dots cost nothing, however many.
func TestHazard01_02_ManyDots(t *testing.T) {
	env := start(t)
	for _, raw := range []string{strings.Repeat(".", 1_000_000), strings.Repeat("a.", 500_000), strings.Repeat("A", 1_000_000)} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, whoami, nil)
		r.Header.Set("Authorization", "Bearer "+raw)
		var before, after runtime.MemStats
		const rounds = 20
		runtime.ReadMemStats(&before)
		began := time.Now()
		for range rounds {
			if _, err := env.Bearers.FromRequest(r); !errors.Is(err, authn.ErrBadToken) {
				t.Fatal(err)
			}
		}
		took := time.Since(began) / rounds
		runtime.ReadMemStats(&after)
		if bytes := (after.TotalAlloc - before.TotalAlloc) / rounds; bytes > 64<<10 {
			t.Errorf("%d bytes for one token", bytes)
		}
		if took > 10*time.Millisecond {
			t.Errorf("%v for one token", took)
		}
	}
	// What fits the header of a request.
	wantRefused(t, env, strings.Repeat(".", 14<<10))
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// hostile makes tokens that none of our keys has signed, out of one that it has.
func hostile(t *testing.T, env *testenv.Env, listener string) map[string]string {
	t.Helper()
	genuine := env.Token(t, env.Admin)
	segments := strings.Split(genuine, ".")
	claims := testenv.Payload(t, genuine)
	kid, private := env.SigningKey(t)
	made := map[string]string{}
	unsigned := func(name string, header map[string]any, signature string) {
		made[name] = testenv.Segment(t, header) + "." + segments[1] + "." + signature
	}

	// 3: several things wrong at once.
	expired := testenv.Payload(t, genuine)
	expired["iat"], expired["exp"] = 1, 2
	made["03 expired and badly signed"] = segments[0] + "." + testenv.Segment(t, expired) + "." + segments[2]
	// 4, 5: encrypted.
	made["04 five parts"] = genuine + ".AAAA.AAAA"
	made["04 JWE"] = encode([]byte(`{"alg":"dir","enc":"A256GCM","zip":"DEF","typ":"at+jwt"}`)) + "..AAAA.AAAA.AAAA"
	made["05 PBES2"] = encode([]byte(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,"p2s":"AA"}`)) + ".AAAA.AAAA.AAAA.AAAA"
	// 7: our public key as the key of an HMAC.
	for name, key := range publicForms(t, env, private.Public()) {
		for _, alg := range []string{"HS256", "ES256"} {
			signed := testenv.Segment(t, map[string]any{"alg": alg, "typ": "at+jwt", "kid": kid}) + "." + segments[1]
			mac := hmac.New(sha256.New, key)
			mac.Write([]byte(signed))
			made["07 HMAC under "+name+" as "+alg] = signed + "." + encode(mac.Sum(nil))
		}
	}
	// 8: no algorithm, or another one.
	for _, alg := range []any{"none", "None", "NONE", "nOnE", "", nil, "ES384", "RS256", "EdDSA", "es256", 7} {
		header := map[string]any{"alg": alg, "typ": "at+jwt", "kid": kid}
		unsigned("08 signed, alg "+jsonText(t, alg), header, segments[2])
		unsigned("08 unsigned, alg "+jsonText(t, alg), header, "")
	}
	unsigned("08 no alg", map[string]any{"typ": "at+jwt", "kid": kid}, segments[2])
	// 9: a key that the token brings along.
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := own.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	jwk := map[string]any{"kty": "EC", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:]), "kid": "mine"}
	for name, extra := range map[string]map[string]any{
		"jwk": {"jwk": jwk, "kid": "mine"}, "jku": {"jku": listener, "kid": "mine"}, "x5u": {"x5u": listener, "kid": kid},
		"x5c": {"x5c": []string{"AAAA"}, "kid": kid}, "crit": {"crit": []string{"exp"}, "kid": kid},
	} {
		header := map[string]any{"alg": "ES256", "typ": "at+jwt"}
		for member, value := range extra {
			header[member] = value
		}
		signed := testenv.Segment(t, header) + "." + testenv.Segment(t, claims)
		signature, err := jwt.SigningMethodES256.Sign(signed, own)
		if err != nil {
			t.Fatal(err)
		}
		made["09 "+name] = signed + "." + encode(signature)
	}
	// 10: what a key id could do to a look-up.
	for _, id := range []any{
		"../../dev/null", "/dev/null", "' or 1=1--", "\x00", strings.Repeat("k", 4<<10), "", nil, 1, []string{kid}, kid + "\x00", strings.ToLower(kid),
	} {
		text := jsonText(t, id)
		unsigned("10 kid "+text[:min(len(text), 20)], map[string]any{"alg": "ES256", "typ": "at+jwt", "kid": id}, segments[2])
	}
	// 11: signatures that are no numbers of the curve.
	for name, b := range map[string]byte{"zero": 0, "all ones": 0xff} {
		made["11 "+name] = segments[0] + "." + segments[1] + "." + encode([]byte(strings.Repeat(string([]byte{b}), 64)))
	}
	return made
}

func jsonText(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func publicForms(t *testing.T, env *testenv.Env, public crypto.PublicKey) map[string][]byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"DER": der,
		"PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
		"JWK": env.Keys.JWKS().Body,
	}
}

// None is honoured, none makes the server ask anywhere, not even its database, which is
// closed here, and none is repeated in the log.
func TestHazard03_11_HostileTokens(t *testing.T) {
	var asked atomic.Int64
	listener := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(listener.Close)
	env := start(t, func(c *testenv.Config) { c.Limiter = generous{} })
	genuine := env.Token(t, env.Admin)
	tokens := hostile(t, env, listener.URL)
	if len(tokens) < 40 {
		t.Fatalf("only %d tokens", len(tokens))
	}
	if answer, _ := enter(t, env, testenv.Bearer(genuine)); answer.Status != 200 {
		t.Fatalf("the genuine one: %d", answer.Status)
	}
	// A key that nobody has is looked for once in a moment, which begins here and does not end.
	env.Clock.Stop()
	if err := errors.Join(env.Keys.Confirm(t.Context()), env.DB.Close()); err != nil {
		t.Fatal(err)
	}
	for name, token := range tokens {
		t.Run(name, func(t *testing.T) { wantRefused(t, env, token) })
	}
	if asked.Load() != 0 {
		t.Error("a token made the server fetch something")
	}
	for _, secret := range append(strings.Split(genuine, "."), env.Admin.Secret) {
		if strings.Contains(env.Logged(), secret) {
			t.Error("a token or secret is in the log")
		}
	}
}

// 15: no part of a token and no change of it is the token.
func TestHazard15_EveryChangedByte(t *testing.T) {
	env := start(t, func(c *testenv.Config) { c.Limiter = generous{} })
	token := env.Token(t, env.Admin)
	refused := func(changed string) {
		if _, err := env.Bearers.Read(t.Context(), accounts.Standing{}, changed); !errors.Is(err, authn.ErrBadToken) {
			t.Fatalf("%v", err)
		}
	}
	for i := range len(token) {
		refused(token[:i])
		for _, c := range []byte{'A', 'b', '_', '.', '=', 0} {
			if token[i] != c {
				refused(token[:i] + string(c) + token[i+1:])
			}
		}
	}
	refused(token + "=")
	refused(token + "A")
	refused(" " + token)
}

// generous limits nothing.
type generous struct{}

func (generous) Allow(context.Context, string, int, time.Duration) (bool, time.Duration) {
	return true, 0
}
