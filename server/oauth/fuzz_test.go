package oauth_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/internal/testenv"
)

// introspectSeeds are tokens that nobody issued.
var introspectSeeds = []string{
	"", ".", "..", "...", "a.b.c", strings.Repeat(".", 10_000), "....", "é.é.é", "\x00.\x00.\x00",
	`{"alg":"none"}`, "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.e30.",
	"eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.AAAA", strings.Repeat("A", 15_000) + ".e30.AAAA",
	"eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAA.AAAA.AAAA",
}

// FuzzIntrospectJWT sends text, and a real token changed at one place, to introspection:
// never an error of ours, and never active but for the token itself.
func FuzzIntrospectJWT(f *testing.F) {
	for i, seed := range introspectSeeds {
		f.Add(seed, i*17, byte(i+1))
	}
	if len(introspectSeeds) < 10 {
		f.Fatal("the seeds are gone")
	}
	env, bot := start(f, func(c *testenv.Config) { c.Limiter = generous{} })
	token := env.Token(f, bot.Login)
	wantActive(f, env, bot.Login, token, true)
	f.Fuzz(func(t *testing.T, text string, at int, flip byte) {
		mutated := []byte(token)
		mutated[max(at, -at-1)%len(mutated)] ^= flip
		for _, candidate := range []string{text, string(mutated), token + text, text + token, token[:max(at, -at-1)%len(token)]} {
			if candidate == token {
				continue
			}
			answer := env.Post(t, "/introspect", url.Values{"token": {candidate}}, bot.Basic())
			switch {
			case answer.Status == http.StatusOK && answer.Body == `{"active":false}`:
			case answer.Status == http.StatusBadRequest, answer.Status == http.StatusRequestEntityTooLarge:
			default:
				t.Fatalf("%d %s for %s", answer.Status, answer.Body, base64.StdEncoding.EncodeToString([]byte(candidate)))
			}
		}
	})
}
