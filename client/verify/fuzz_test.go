package verify_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/client/verify"
)

func parseSeeds() []string {
	s := signers()["ES256"]
	good := s.token(goodClaims())
	parts := strings.Split(good, ".")
	return []string{
		"", "..", "...", "a.b.c", good, good + ".", good[:len(good)-1], parts[0] + "..",
		s.sign(asJSON(s.header()), "null"), s.sign(asJSON(s.header()), `{"aud":[]}`),
		s.sign(`{"typ":"at+jwt","alg":"none","kid":"k-ES256"}`, asJSON(goodClaims())),
		s.sign(`{"typ":"at+jwt","alg":"ES256","kid":"k-ES256","crit":["exp"]}`, asJSON(goodClaims())),
		signers()["RS256"].token(goodClaims()), signers()["Ed25519"].token(goodClaims()),
		encode(`{"alg":"dir","enc":"A256GCM"}`) + ".AA.AA.AA.AA",
	}
}

// Whatever the text is: no panic, one of the documented errors, and nothing beside an error.
func FuzzJWTParse(f *testing.F) {
	seeds := parseSeeds()
	if len(seeds) == 0 {
		f.Fatal("no seeds")
	}
	for _, seed := range seeds {
		f.Add(seed)
	}
	v := newVerifier(f)
	f.Fuzz(func(t *testing.T, raw string) {
		token, err := v.Verify(t.Context(), raw)
		if (token == nil) == (err == nil) {
			t.Fatalf("Verify = %v, %v", token, err)
		}
		if err != nil {
			if _, ok := errors.AsType[*verify.InvalidError](err); !ok {
				t.Fatalf("%v is no InvalidError", err)
			}
			return
		}
		if token.Subject == "" || token.ClientID == "" || token.ID == "" || token.Org != org || len(token.Payload) == 0 {
			t.Fatalf("accepted %+v", token)
		}
	})
}

// Claims are signed by the fuzzer itself, so that it reaches behind the signature.
func FuzzJWTClaims(f *testing.F) {
	seeds := []string{asJSON(goodClaims()), "{}", "null", `{"aud":["a",7]}`, `{"exp":1e400}`, `{"iss":"a","iss":"b"}`}
	for _, seed := range seeds {
		f.Add(seed)
	}
	v, s := newVerifier(f), signers()["Ed25519"]
	f.Fuzz(func(t *testing.T, claims string) {
		token, err := v.Verify(t.Context(), s.sign(asJSON(s.header()), claims))
		if (token == nil) == (err == nil) {
			t.Fatalf("Verify = %v, %v", token, err)
		}
		if err == nil && (string(token.Payload) != claims || token.Subject == "" || token.Org != org || !token.ExpiresAt.After(token.IssuedAt)) {
			t.Fatalf("accepted %s as %+v", claims, token)
		}
	})
}

// A token with any one byte changed, inserted or removed is not a token.
func FuzzJWTMutate(f *testing.F) {
	algs := []string{"ES256", "ES384", "ES512", "RS256", "PS256", "Ed25519"}
	tokens := map[string]string{}
	for _, alg := range algs {
		tokens[alg] = signers()[alg].token(goodClaims())
	}
	v := newVerifier(f)
	for i, alg := range algs {
		if _, err := v.Verify(f.Context(), tokens[alg]); err != nil {
			f.Fatal(err)
		}
		last := len(tokens[alg]) - 1
		for _, at := range []int{0, 10, last / 2, last - 1, last} {
			f.Add(uint8(i), uint(at), byte('A'), uint8(0))
			f.Add(uint8(i), uint(at), byte('\n'), uint8(1))
			f.Add(uint8(i), uint(at), byte('.'), uint8(2))
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, at uint, b byte, how uint8) {
		good := tokens[algs[int(which)%len(algs)]]
		i := int(at % uint(len(good)))
		tail := good[i+1:]
		switch how % 3 {
		case 1:
			tail = good[i:] // inserted
		case 2:
			tail = good[min(i+2, len(good)):] // two become one
		}
		if mutated := good[:i] + string(b) + tail; mutated != good {
			wantRefused(t, v, mutated)
		}
	})
}

// Every one of them, for one signature of each kind of encoding.
func TestEveryChangedByteIsRefused(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=.+/\n "
	v := newVerifier(t)
	for _, alg := range []string{"ES256", "Ed25519", "RS256"} {
		good := signers()[alg].token(goodClaims())
		for i := range good {
			wantRefused(t, v, good[:i]+"!"+good[i+1:])
			if i < len(good)-3 && i%17 != 0 {
				continue // all of them at each place of the end, where bits are unused, and here and there before
			}
			for _, b := range []byte(alphabet) {
				if b != good[i] {
					wantRefused(t, v, good[:i]+string(b)+good[i+1:])
				}
			}
		}
	}
}
