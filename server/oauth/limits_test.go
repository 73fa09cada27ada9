package oauth_test

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/signet-issuer/signet/internal/testenv"
	"github.com/signet-issuer/signet/server/web"
)

// behindProxy lets a test say which address a request comes from.
func behindProxy(c *testenv.Config) {
	c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
}

func from(addr string) func(*http.Request) { return testenv.Header("X-Forwarded-For", addr) }

// wrong tries a wrong secret for id.
func wrong(t *testing.T, env *testenv.Env, id, addr string) testenv.Answer {
	t.Helper()
	return env.Post(t, "/token", grant(), basic(id+":sas_acme_wrong"), from(addr))
}

func TestStandard11_FailuresPerClaim(t *testing.T) {
	env, bot := start(t, behindProxy)
	env.Clock.Stop()
	const attacker = "192.0.2.1"
	for range 30 {
		wantError(t, wrong(t, env, bot.ID, attacker), http.StatusUnauthorized, "invalid_client")
	}
	refused := wrong(t, env, bot.ID, attacker)
	wantError(t, refused, http.StatusTooManyRequests, "temporarily_unavailable")
	if seconds, err := strconv.Atoi(refused.Header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 60 {
		t.Errorf("Retry-After %q", refused.Header.Get("Retry-After"))
	}
	// Neither the owner nor anybody else suffers.
	wantToken(t, env.Post(t, "/token", grant(), bot.Basic(), from(attacker)))
	wantToken(t, env.Post(t, "/token", grant(), bot.Basic(), from("192.0.2.2")))
	wantError(t, wrong(t, env, bot.ID, "192.0.2.2"), http.StatusUnauthorized, "invalid_client")
	wantError(t, wrong(t, env, "someone-else", attacker), http.StatusUnauthorized, "invalid_client")
	env.Clock.Advance(time.Minute)
	wantError(t, wrong(t, env, bot.ID, attacker), http.StatusUnauthorized, "invalid_client")
}

func TestStandard11_FailuresPerSource(t *testing.T) {
	env, bot := start(t, behindProxy)
	env.Clock.Stop()
	const attacker = "192.0.2.1"
	for i := range 100 {
		wantError(t, wrong(t, env, "unknown-"+strconv.Itoa(i), attacker), http.StatusUnauthorized, "invalid_client")
	}
	wantError(t, wrong(t, env, "unknown-100", attacker), http.StatusTooManyRequests, "temporarily_unavailable")
	wantError(t, wrong(t, env, "unknown-100", "192.0.2.2"), http.StatusUnauthorized, "invalid_client")
	wantToken(t, env.Post(t, "/token", grant(), bot.Basic(), from(attacker)))
}

// One site has a whole IPv6 network to itself.
func TestStandard11_IPv6IsOneSource(t *testing.T) {
	env, bot := start(t, behindProxy)
	env.Clock.Stop()
	for i := range 30 {
		wantError(t, wrong(t, env, bot.ID, "2001:db8::"+strconv.Itoa(i+1)), http.StatusUnauthorized, "invalid_client")
	}
	wantError(t, wrong(t, env, bot.ID, "2001:db8::ffff"), http.StatusTooManyRequests, "temporarily_unavailable")
	wantError(t, wrong(t, env, bot.ID, "2001:db8:0:1::1"), http.StatusUnauthorized, "invalid_client")
}

// Spellings of one id, and ids that cannot exist, do not make more room.
func TestStandard11_SpellingsOfTheClaim(t *testing.T) {
	for name, spell := range map[string]func(bot testenv.Machine, i int) string{
		"case": func(bot testenv.Machine, i int) string {
			id := []byte(bot.ID)
			if c := id[i%26]; 'a' <= c && c <= 'z' {
				id[i%26] = c - 32
			}
			return string(id)
		},
		"garbage": func(_ testenv.Machine, i int) string { return "<" + strconv.Itoa(i) + ">" },
		"too long": func(_ testenv.Machine, i int) string {
			return strconv.Itoa(1000+i) + string(slices.Repeat([]byte("x"), 200))
		},
	} {
		t.Run(name, func(t *testing.T) {
			env, bot := start(t, behindProxy)
			env.Clock.Stop()
			for i := range 30 {
				wantError(t, wrong(t, env, spell(bot, i), "192.0.2.1"), http.StatusUnauthorized, "invalid_client")
			}
			wantError(t, wrong(t, env, spell(bot, 30), "192.0.2.1"), http.StatusTooManyRequests, "temporarily_unavailable")
		})
	}
}

// Without a listed proxy the header is an invention of the client's.
func TestStandard11_12_SourceCannotBeForged(t *testing.T) {
	env, bot := start(t)
	env.Clock.Stop()
	for i := range 30 {
		wantError(t, wrong(t, env, bot.ID, "192.0.2."+strconv.Itoa(i)), http.StatusUnauthorized, "invalid_client")
	}
	wantError(t, wrong(t, env, bot.ID, "192.0.2.200"), http.StatusTooManyRequests, "temporarily_unavailable")
}

// The limit is one for all endpoints that authenticate clients.
func TestStandard11_EveryEndpointCounts(t *testing.T) {
	env, bot := start(t)
	env.Clock.Stop()
	bad := basic(bot.ID + ":sas_acme_wrong")
	for range 10 {
		for _, path := range []string{"/token", "/introspect", "/revoke"} {
			wantError(t, env.Post(t, path, grant("token", "x"), bad), http.StatusUnauthorized, "invalid_client")
		}
	}
	for _, path := range []string{"/token", "/oauth/token", "/oauth2/token", "/introspect", "/revoke"} {
		wantError(t, env.Post(t, path, grant("token", "x"), bad), http.StatusTooManyRequests, "temporarily_unavailable")
	}
}

func TestStandard22_StorageFailure(t *testing.T) {
	env, bot := start(t)
	token := env.Token(t, bot.Login)
	admin := env.Token(t, env.Admin)
	if err := env.DB.Close(); err != nil {
		t.Fatal(err)
	}
	form := url.Values{"token": {token}}
	for name, answer := range map[string]testenv.Answer{
		"token":                env.Post(t, "/token", grant(), bot.Basic()),
		"wrong secret":         env.Post(t, "/token", grant(), basic(bot.ID+":x")),
		"introspect":           env.Post(t, "/introspect", form, bot.Basic()),
		"introspect by Bearer": env.Post(t, "/introspect", form, testenv.Bearer(admin)),
		"revoke":               env.Post(t, "/revoke", form, bot.Basic()),
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, answer, http.StatusServiceUnavailable, "temporarily_unavailable")
			if after := answer.Header.Get("Retry-After"); after != "1" {
				t.Errorf("Retry-After %q", after)
			}
		})
	}
	if answer := env.Do(t, "GET", "/.well-known/jwks.json", ""); answer.Status != http.StatusOK {
		t.Errorf("the key set needs the database: %d", answer.Status)
	}
}

func TestStandard22_Throttled(t *testing.T) {
	env, bot := start(t, func(c *testenv.Config) { c.PerOrgRate = 2 })
	env.Clock.Stop()
	env.Org(t, "other")
	neighbour := env.Machine(t, "other", "bot", "api")
	for range 20 {
		if answer := env.Post(t, "/token", grant(), bot.Basic()); answer.Status != http.StatusOK {
			wantError(t, answer, http.StatusTooManyRequests, "temporarily_unavailable")
			wantToken(t, env.Post(t, "/token", grant(), neighbour.Basic()))
			return
		}
	}
	t.Fatal("20 tokens at once and a rate of 2")
}

func TestObservedOutcomes(t *testing.T) {
	env, bot := start(t)
	env.Post(t, "/token", grant(), bot.Basic())
	env.Post(t, "/token", grant())
	env.Post(t, "/token", grant("scope", "other:thing"), bot.Basic())
	want := []struct {
		status        int
		outcome, kind string
	}{{200, "success", ""}, {401, "refused", "invalid_client"}, {400, "refused", "invalid_scope"}}
	finished := waitFor(t, env, len(want))
	for i, w := range want {
		if got := finished[i]; got.Status != w.status || got.Outcome != w.outcome || got.ErrorKind != w.kind || got.Surface != "oauth" || got.Route != "/token" {
			t.Errorf("request %d: %+v", i, got)
		}
	}
}

// waitFor waits for the summaries of n requests.
func waitFor(t *testing.T, env *testenv.Env, n int) []web.Summary {
	t.Helper()
	for range 500 {
		if finished := env.Finished(); len(finished) >= n {
			return finished
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Fatalf("%d summaries, want %d", len(env.Finished()), n)
	return nil
}

// I29: whatever happens, no secret and no token is logged, at any level.
func TestI29_NothingSecretIsLogged(t *testing.T) {
	env, bot := start(t)
	token := env.Token(t, bot.Login)
	env.Post(t, "/token?client_secret="+bot.Secret, bot.Form())
	env.Post(t, "/token", with(bot.Form(), "client_secret", bot.Secret))
	env.Post(t, "/token", grant("scope", bot.Secret), bot.Basic())
	env.Post(t, "/token", grant(), basic(bot.Secret+":"+bot.ID))
	env.Post(t, "/token", grant(), testenv.Header("Authorization", bot.Secret))
	env.Post(t, "/introspect", url.Values{"token": {token}}, testenv.Bearer(token), testenv.Header("User-Agent", bot.Secret))
	env.Post(t, "/revoke", url.Values{"token": {token}}, bot.Basic())
	env.Do(t, "GET", "/.well-known/"+token, "")
	if err := env.DB.Close(); err != nil {
		t.Fatal(err)
	}
	env.Post(t, "/revoke", url.Values{"token": {token}}, bot.Basic())
	waitFor(t, env, 10)
	logged := env.Logged()
	for _, text := range append(strings.Split(token, "."), bot.Secret, env.Admin.Secret) {
		if strings.Contains(logged, text) {
			t.Errorf("%d bytes of a secret are logged", len(text))
		}
	}
	if !strings.Contains(logged, bot.ID) {
		t.Error("the log does not even have the client id")
	}
}
