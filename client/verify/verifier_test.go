package verify_test

import (
	"context"
	"crypto"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signet-issuer/signet/client/verify"
)

func TestRFC9068_4_GoodToken(t *testing.T) {
	v := newVerifier(t)
	for alg, s := range signers() {
		t.Run(alg, func(t *testing.T) {
			token, err := v.Verify(t.Context(), s.token(goodClaims()))
			if err != nil {
				t.Fatal(err)
			}
			if token.Subject != "sa:acme:builder" || token.ClientID != "c1" || token.Org != org || token.ID != "j1" {
				t.Errorf("token = %+v", token)
			}
			if !slices.Equal(token.Scopes, []string{"llm:*", "orgs:*:read"}) || !slices.Equal(token.Audience, []string{audience}) {
				t.Errorf("scopes %q, audience %q", token.Scopes, token.Audience)
			}
			if !token.IssuedAt.Equal(instant) || !token.ExpiresAt.Equal(instant.Add(15*time.Minute)) {
				t.Errorf("times %v, %v", token.IssuedAt, token.ExpiresAt)
			}
			if string(token.Payload) != asJSON(goodClaims()) {
				t.Errorf("payload = %s", token.Payload)
			}
		})
	}
}

func TestRFC9864_BothNamesOfEd25519(t *testing.T) {
	s := signers()["Ed25519"]
	for _, inKeySet := range []string{"Ed25519", "EdDSA"} {
		keys, err := verify.NewStaticKeySet(verify.Key{ID: s.kid, Alg: inKeySet, Public: s.private.Public()})
		if err != nil {
			t.Fatal(err)
		}
		v := newVerifier(t)
		v.Keys = keys
		for _, inToken := range []string{"Ed25519", "EdDSA"} {
			raw := s.sign(asJSON(with(s.header(), map[string]any{"alg": inToken})), asJSON(goodClaims()))
			if _, err := v.Verify(t.Context(), raw); err != nil {
				t.Errorf("key of %s, token of %s: %v", inKeySet, inToken, err)
			}
		}
	}
}

func TestRFC9068_4_Type(t *testing.T) {
	v, s := newVerifier(t), signers()["ES256"]
	tests := map[any]bool{
		"at+jwt": true, "AT+JWT": true, "application/at+jwt": true, "Application/At+Jwt": true,
		"": false, "JWT": false, "jwt": false, "at+jwt ": false, "application/": false, "application/jwt": false,
		"text/at+jwt": false, "application/application/at+jwt": false, "dpop+jwt": false,
		"client-authentication+jwt": false, "token-introspection+jwt": false, "id+jwt": false,
		nil: false, 7: false, true: false,
	}
	for typ, ok := range tests {
		raw := s.sign(asJSON(with(s.header(), map[string]any{"typ": typ})), asJSON(goodClaims()))
		if ok {
			if _, err := v.Verify(t.Context(), raw); err != nil {
				t.Errorf("typ %v: %v", typ, err)
			}
			continue
		}
		wantRefused(t, v, raw, verify.WrongType, verify.Malformed)
	}
	wantRefused(t, v, s.sign(`{"alg":"ES256","kid":"k-ES256","typ":null}`, asJSON(goodClaims())), verify.WrongType)
}

func TestHazard12_Hazard14_Claims(t *testing.T) {
	at := func(d time.Duration) int64 { return instant.Add(d).Unix() }
	tests := []struct {
		name   string
		change map[string]any
		want   verify.Reason // empty: accepted
	}{
		{"no iss", map[string]any{"iss": nil}, verify.BadClaim},
		{"iss of another", map[string]any{"iss": "https://evil.example"}, verify.WrongIssuer},
		{"iss with a slash more", map[string]any{"iss": issuer + "/"}, verify.WrongIssuer},
		{"iss in capitals", map[string]any{"iss": strings.ToUpper(issuer)}, verify.WrongIssuer},
		{"iss as array", map[string]any{"iss": []string{issuer}}, verify.BadClaim},
		{"no sub", map[string]any{"sub": nil}, verify.BadClaim},
		{"empty sub", map[string]any{"sub": ""}, verify.BadClaim},
		{"sub as number", map[string]any{"sub": 7}, verify.BadClaim},
		{"no client_id", map[string]any{"client_id": nil}, verify.BadClaim},
		{"no jti", map[string]any{"jti": nil}, verify.BadClaim},
		{"jti as number", map[string]any{"jti": 1}, verify.BadClaim},

		{"no aud", map[string]any{"aud": nil}, verify.BadClaim},
		{"empty aud", map[string]any{"aud": ""}, verify.BadClaim},
		{"no entry in aud", map[string]any{"aud": []string{}}, verify.BadClaim},
		{"empty entry in aud", map[string]any{"aud": []string{audience, ""}}, verify.BadClaim},
		{"number in aud", map[string]any{"aud": []any{audience, 7}}, verify.BadClaim},
		{"null in aud", map[string]any{"aud": []any{audience, nil}}, verify.BadClaim},
		{"aud as object", map[string]any{"aud": map[string]string{audience: audience}}, verify.BadClaim},
		{"aud in an array", map[string]any{"aud": []string{audience}}, ""},
		{"aud among others", map[string]any{"aud": []string{"https://other.example", audience}}, ""},
		{"aud of another", map[string]any{"aud": "https://other.example"}, verify.WrongAudience},
		{"only a part of aud", map[string]any{"aud": audience + "/v2"}, verify.WrongAudience},
		{"only a prefix of aud", map[string]any{"aud": audience[:len(audience)-1]}, verify.WrongAudience},
		{"aud with a comma", map[string]any{"aud": "x," + audience}, verify.WrongAudience},

		{"no org", map[string]any{"org": nil}, verify.WrongOrg},
		{"org of another", map[string]any{"org": "globex"}, verify.WrongOrg},
		{"org in capitals", map[string]any{"org": "ACME"}, verify.WrongOrg},
		{"org as number", map[string]any{"org": 1}, verify.BadClaim},

		{"no exp", map[string]any{"exp": nil}, verify.BadClaim},
		{"exp zero", map[string]any{"exp": 0}, verify.BadClaim},
		{"exp negative", map[string]any{"exp": -1}, verify.BadClaim},
		{"exp as text", map[string]any{"exp": "9999999999"}, verify.BadClaim},
		{"exp as fraction", map[string]any{"exp": 9999999999.5}, verify.BadClaim},
		{"exp out of range", map[string]any{"exp": int64(1) << 62}, verify.BadClaim},
		{"exp before iat", map[string]any{"exp": at(-time.Minute)}, verify.BadClaim},
		{"no iat", map[string]any{"iat": nil}, verify.BadClaim},
		{"iat as text", map[string]any{"iat": "1"}, verify.BadClaim},
		{"iat negative", map[string]any{"iat": -5}, verify.BadClaim},
		{"nbf as text", map[string]any{"nbf": "now"}, verify.BadClaim},
		{"nbf negative", map[string]any{"nbf": -1}, verify.BadClaim},

		{"last second of the leeway", map[string]any{"iat": at(-time.Hour), "exp": at(-59 * time.Second)}, ""},
		{"leeway is over", map[string]any{"iat": at(-time.Hour), "exp": at(-60 * time.Second)}, verify.Expired},
		{"issued a minute ahead", map[string]any{"iat": at(time.Minute)}, ""},
		{"issued more than a minute ahead", map[string]any{"iat": at(61 * time.Second)}, verify.NotYetValid},
		{"not before a minute", map[string]any{"nbf": at(time.Minute)}, ""},
		{"not before more than a minute", map[string]any{"nbf": at(61 * time.Second)}, verify.NotYetValid},

		{"no scope", map[string]any{"scope": nil}, ""},
		{"scope as array", map[string]any{"scope": []string{"a"}}, verify.BadClaim},
		{"claims that we do not know", map[string]any{"x": map[string]any{"y": []int{1}}}, ""},
	}
	v, s := newVerifier(t), signers()["ES256"]
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw := s.token(with(goodClaims(), tt.change))
			if tt.want != "" {
				wantRefused(t, v, raw, tt.want)
				return
			}
			if _, err := v.Verify(t.Context(), raw); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestHazard14_BadClaimIsNamed(t *testing.T) {
	v, s := newVerifier(t), signers()["ES256"]
	for _, name := range []string{"iss", "sub", "aud", "client_id", "jti", "exp", "iat"} {
		_, err := v.Verify(t.Context(), s.token(with(goodClaims(), map[string]any{name: nil})))
		if invalid, ok := errors.AsType[*verify.InvalidError](err); !ok || invalid.Claim != name {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

func TestLeeway(t *testing.T) {
	v, s := newVerifier(t), signers()["ES256"]
	tests := []struct {
		name        string
		leeway, ago time.Duration
		ok          bool
	}{
		{"default", 0, 59 * time.Second, true},
		{"default", 0, 60 * time.Second, false},
		{"none", -1, 0, false},
		{"none", -time.Hour, -time.Second, true},
		{"shorter", 10 * time.Second, 9 * time.Second, true},
		{"shorter", 10 * time.Second, 10 * time.Second, false},
		{"longer is cut", time.Hour, 60 * time.Second, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v.Leeway = tt.leeway
			raw := s.token(with(goodClaims(), map[string]any{
				"iat": instant.Add(-time.Hour).Unix(), "exp": instant.Add(-tt.ago).Unix(),
			}))
			if _, err := v.Verify(t.Context(), raw); (err == nil) != tt.ok {
				t.Errorf("expired %v ago under leeway %v: %v", tt.ago, tt.leeway, err)
			}
		})
	}
}

func TestZeroVerifierRefusesEverything(t *testing.T) {
	raw := signers()["ES256"].token(goodClaims())
	tests := map[string]func(*verify.Verifier){
		"zero value":          func(v *verify.Verifier) { *v = verify.Verifier{} },
		"no issuer":           func(v *verify.Verifier) { v.Issuer = "" },
		"no audience":         func(v *verify.Verifier) { v.Audience = "" },
		"no org":              func(v *verify.Verifier) { v.Org = "" },
		"no keys":             func(v *verify.Verifier) { v.Keys = nil },
		"org and no check":    func(v *verify.Verifier) { v.InsecureSkipOrgCheck = true },
		"no check, no issuer": func(v *verify.Verifier) { v.Org, v.InsecureSkipOrgCheck, v.Issuer = "", true, "" },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			v := newVerifier(t)
			change(v)
			if token, err := v.Verify(t.Context(), raw); !errors.Is(err, verify.ErrConfig) || token != nil {
				t.Errorf("Verify = %v, %v", token, err)
			}
		})
	}
	v := newVerifier(t)
	v.Keys = verify.StaticKeySet{}
	wantRefused(t, v, raw, verify.UnknownKey)
}

func TestHazard31_SkippingTheOrgCheckIsSpelledOut(t *testing.T) {
	v := newVerifier(t)
	v.Org, v.InsecureSkipOrgCheck = "", true
	token, err := v.Verify(t.Context(), signers()["ES256"].token(with(goodClaims(), map[string]any{"org": "globex"})))
	if err != nil || token.Org != "globex" {
		t.Errorf("Verify = %+v, %v", token, err)
	}
}

func TestClockDefaultsToNow(t *testing.T) {
	v := newVerifier(t)
	v.Now = nil
	now := time.Now()
	claims := map[string]any{"iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	if _, err := v.Verify(t.Context(), signers()["ES256"].token(with(goodClaims(), claims))); err != nil {
		t.Error(err)
	}
}

func TestKeySetErrors(t *testing.T) {
	v, raw := newVerifier(t), signers()["ES256"].token(goodClaims())
	outage := errors.New("database is down")
	tests := []struct {
		name    string
		err     error
		refused bool
	}{
		{"no such key", verify.ErrNoKey, true},
		{"wrapped no such key", errors.Join(verify.ErrNoKey, outage), true},
		{"an error of its own", outage, false},
		{"unavailable", &verify.UnavailableError{RetryAfter: time.Minute, Err: outage}, false},
		{"cancelled", context.Canceled, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v.Keys = keySetFunc(func(context.Context, string, string) (crypto.PublicKey, error) { return nil, tt.err })
			if tt.refused {
				wantRefused(t, v, raw, verify.UnknownKey)
				return
			}
			_, err := v.Verify(t.Context(), raw)
			if _, ok := errors.AsType[*verify.UnavailableError](err); !ok || !errors.Is(err, tt.err) {
				t.Errorf("Verify = %v, want an UnavailableError that wraps the cause", err)
			}
		})
	}
}

func TestVerifySignatureReturnsWhatWasSigned(t *testing.T) {
	s := signers()["ES256"]
	header, payload, err := verify.VerifySignature(t.Context(), s.sign(asJSON(s.header()), "any bytes"), allKeys(t))
	if err != nil || string(header) != asJSON(s.header()) || string(payload) != "any bytes" {
		t.Errorf("VerifySignature = %s, %s, %v", header, payload, err)
	}
	header, payload, err = verify.VerifySignature(t.Context(), s.token(goodClaims())+"x", allKeys(t))
	if err == nil || header != nil || payload != nil {
		t.Errorf("VerifySignature = %s, %s, %v", header, payload, err)
	}
}
