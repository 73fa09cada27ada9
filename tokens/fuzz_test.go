package tokens

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/signet-issuer/signet/authz"
)

func FuzzClaims(f *testing.F) {
	for _, seed := range []string{
		`{"iss":"i","sub":"s","aud":"a","client_id":"c","iat":1,"exp":2,"jti":"ABCDEFGHIJKLMNOPQRSTUVWXYZ","org":"acme","gen":0}`,
		`{"iss":"i","sub":"s","aud":["a","b"],"client_id":"c","iat":1,"exp":2,"jti":"ABCDEFGHIJKLMNOPQRSTUVWXYZ","scope":"a b:*","org":"acme","gen":7,"sec":3}`,
		`{"iss":null}`,
	} {
		f.Add([]byte(seed))
	}
	same := cmp.Comparer(authz.Set.Equal)
	f.Fuzz(func(t *testing.T, text []byte) {
		claims, err := ParseClaims(text)
		if err != nil {
			if !errors.Is(err, ErrClaims) || !cmp.Equal(claims, Claims{}, same) {
				t.Fatalf("an error with claims: %+v, %v", claims, err)
			}
			return
		}
		written, err := claims.marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseClaims(written)
		if err != nil || !cmp.Equal(claims, again, same) {
			t.Fatalf("%s was read as %+v and written as %s", text, claims, written)
		}
	})
}
