package tokens_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/tokens"
)

// issuing is an issuer with everything around it.
type issuing struct {
	*tokens.Issuer
	clock    *clock
	keys     *tokens.Keys
	recorder *recorder
}

func newIssuing(t testing.TB, change func(*tokens.IssuerConfig)) issuing {
	t.Helper()
	clock := newClock()
	keys := openKeys(t, newConfig(t, clock.Now))
	cfg, recorder := newIssuerConfig(keys, clock.Now)
	if change != nil {
		change(&cfg)
	}
	return issuing{newIssuer(t, cfg), clock, keys, recorder}
}

func (i issuing) issue(t testing.TB, standing accounts.Standing, req tokens.Request) (tokens.Token, error) {
	t.Helper()
	return i.Issue(t.Context(), newClient(t, standing, i.clock.Now), req)
}

func (i issuing) mustIssue(t testing.TB, standing accounts.Standing, req tokens.Request) tokens.Token {
	t.Helper()
	token, err := i.issue(t, standing, req)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestRFC9068_2_2_Claims(t *testing.T) {
	i := newIssuing(t, nil)
	i.clock.advance(300 * time.Millisecond)
	standing := newStanding()
	token := i.mustIssue(t, standing, tokens.Request{Scope: authz.MustSet("api:read", "llm:*")})
	_, payload := parts(t, token.Value.Reveal())
	iat := float64(i.clock.Now().Unix())
	want := map[string]any{
		"iss": issuerURL, "sub": "sa:acme:bot", "aud": issuerURL + "/orgs/acme", "client_id": standing.ClientID,
		"iat": iat, "exp": iat + 900, "jti": token.Claims.ID, "scope": "api:read", "org": "acme", "gen": 7.0, "sec": 3.0,
	}
	if diff := cmp.Diff(want, payload); diff != "" {
		t.Error("I2:", diff)
	}
	if !tokens.ValidID(token.Claims.ID) || token.Lifetime != 15*time.Minute {
		t.Errorf("jti %q, lifetime %s", token.Claims.ID, token.Lifetime)
	}
	if text := token.Value.String(); strings.Contains(text, ".") {
		t.Error("I29: a token prints itself")
	}
}

func TestClaimsThatMayBeAbsent(t *testing.T) {
	i := newIssuing(t, nil)
	standing := newStanding()
	standing.RolePermissions, standing.SecretSeq = authz.Set{}, 0
	_, payload := parts(t, i.mustIssue(t, standing, tokens.Request{}).Value.Reveal())
	for _, name := range []string{"scope", "sec"} {
		if value, ok := payload[name]; ok {
			t.Errorf("%s is %v and must be absent", name, value)
		}
	}
}

func TestTTLEdgeCases(t *testing.T) {
	const longest = time.Hour
	i := newIssuing(t, nil)
	now := i.clock.Now()
	for _, test := range []struct {
		name                       string
		requested, account, expiry time.Duration
		want                       time.Duration
	}{
		{"nothing said", 0, 0, 0, 15 * time.Minute},
		{"the request is shorter", time.Minute, 0, 0, time.Minute},
		{"the request is longer than the default", 40 * time.Minute, 0, 0, 40 * time.Minute},
		{"the request is over the maximum", 48 * time.Hour, 0, 0, longest},
		{"the largest number", 1<<63 - 1, 0, 0, longest},
		{"the smallest number", -1 << 63, 0, 0, time.Second},
		{"negative", -time.Minute, 0, 0, time.Second},
		{"under a second", time.Millisecond, 0, 0, time.Second},
		{"parts of a second", 90*time.Second + 999*time.Millisecond, 0, 0, 90 * time.Second},
		{"the account is shorter", 0, 5 * time.Minute, 0, 5 * time.Minute},
		{"the account caps the request", 30 * time.Minute, 5 * time.Minute, 0, 5 * time.Minute},
		{"the request is within the account's", 2 * time.Minute, 5 * time.Minute, 0, 2 * time.Minute},
		{"the account is over the maximum", 0, 1<<63 - 1, 0, longest},
		{"the credential ends soon", 0, 0, 100 * time.Second, 100 * time.Second},
		{"the credential ends now", 0, 0, time.Millisecond, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			standing := newStanding()
			standing.TokenLifetime = test.account
			if test.expiry != 0 {
				standing.SecretExpiresAt = now.Add(test.expiry)
			}
			token := i.mustIssue(t, standing, tokens.Request{Lifetime: test.requested})
			got := token.Claims.ExpiresAt.Sub(token.Claims.IssuedAt)
			if got != test.want || token.Lifetime != test.want {
				t.Errorf("exp - iat is %s and the lifetime %s, want %s", got, token.Lifetime, test.want)
			}
		})
	}
}

func TestI2_LifetimeIsAlwaysInRange(t *testing.T) {
	i := newIssuing(t, nil)
	rapid.Check(t, func(rt *rapid.T) {
		standing := newStanding()
		standing.TokenLifetime = max(0, time.Duration(rapid.Int64().Draw(rt, "account")))
		if rapid.Bool().Draw(rt, "expires") {
			standing.CredentialExpiresAt = i.clock.Now().Add(1 + time.Duration(rapid.Int64Range(0, 1e13).Draw(rt, "expiry")))
		}
		token := i.mustIssue(t, standing, tokens.Request{Lifetime: time.Duration(rapid.Int64().Draw(rt, "request"))})
		if d := token.Claims.ExpiresAt.Sub(token.Claims.IssuedAt); d < time.Second || d > time.Hour || d%time.Second != 0 {
			rt.Fatalf("exp - iat is %s", d)
		}
	})
}

// A replica that was configured for longer tokens must not use that before the key's own record says so.
func TestI23_LifetimeIsBoundedByKey(t *testing.T) {
	clock := newClock()
	short := newConfig(t, clock.Now)
	short.MaxLifetime, short.JWKSMaxAge = time.Minute, time.Minute
	long := short
	long.MaxLifetime, long.JWKSMaxAge = time.Hour, time.Hour
	keys, other := openKeys(t, long), openKeys(t, short)
	cfg, _ := newIssuerConfig(keys, clock.Now)
	issuer := newIssuer(t, cfg)
	if err := other.Rotate(t.Context(), root, tokens.RotateRequest{Force: true}); err != nil {
		t.Fatal(err)
	}
	clock.advance(2 * time.Hour)
	standing := newStanding()
	standing.KeySetVersion = other.Version()
	issue := func() time.Duration {
		token, err := issuer.Issue(t.Context(), newClient(t, standing, clock.Now), tokens.Request{Lifetime: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		return token.Lifetime
	}
	if got, age := issue(), keys.JWKS().MaxAge; got != time.Minute || age != time.Minute {
		t.Errorf("lifetime %s and max-age %s under keys that are recorded for a minute", got, age)
	}
	tick(t, keys)
	if got, age := issue(), keys.JWKS().MaxAge; got != time.Hour || age != time.Hour {
		t.Errorf("lifetime %s and max-age %s once an hour is recorded", got, age)
	}
}

func TestI1_ScopeNeverExceedsWhatIsAllowed(t *testing.T) {
	i := newIssuing(t, func(cfg *tokens.IssuerConfig) { cfg.PerOrgRate = 1_000_000 })
	segment := rapid.SampledFrom([]string{"orgs", "api", "llm", "read", "*"})
	set := rapid.Custom(func(rt *rapid.T) authz.Set {
		patterns := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) string {
			return strings.Join(rapid.SliceOfN(segment, 1, 3).Draw(rt, "pattern"), ":")
		}), 0, 4).Draw(rt, "set")
		return authz.MustSet(patterns...)
	})
	rapid.Check(t, func(rt *rapid.T) {
		standing := newStanding()
		standing.RolePermissions = set.Draw(rt, "role")
		standing.AccountScopes = set.Draw(rt, "account")
		standing.CredentialScopes = set.Draw(rt, "credential")
		req := tokens.Request{Scope: set.Draw(rt, "request"), PreferIssuer: rapid.Bool().Draw(rt, "prefer issuer")}
		token, err := i.issue(t, standing, req)
		if err != nil {
			if !errors.Is(err, authz.ErrScopeEmpty) || req.Scope.Empty() {
				rt.Fatal(err)
			}
			return
		}
		granted := token.Claims.Scope
		if !standing.RolePermissions.Contains(granted) || !standing.Allowed().Contains(granted) ||
			(!req.Scope.Empty() && (granted.Empty() || !req.Scope.Contains(granted))) {
			rt.Fatalf("granted %q of %q when %q was requested", granted, standing.Allowed(), req.Scope)
		}
		forIssuer := token.Claims.Audience[0] == issuerURL
		if forIssuer && !granted.Empty() && !granted.Administrative() {
			rt.Fatalf("a token for the issuer carries %q", granted)
		}
		if !forIssuer && granted.WithoutAdministrative().Len() != granted.Len() {
			rt.Fatalf("a token for %s carries %q", token.Claims.Audience, granted)
		}
	})
}

func TestRecord(t *testing.T) {
	i := newIssuing(t, nil)
	i.clock.advance(123456 * time.Microsecond)
	standing := newStanding()
	req := tokens.Request{From: netip.MustParseAddr("192.0.2.7"), UserAgent: strings.Repeat("ä", 100)}
	token := i.mustIssue(t, standing, req)
	wantToken := tokens.LiveToken{
		JTI: token.Claims.ID, AccountID: standing.AccountID, CredentialID: standing.CredentialID,
		ClientID: standing.ClientID, Scope: "api:read api:write", Audience: token.Claims.Audience,
		IssuedAt: token.Claims.IssuedAt, ExpiresAt: token.Claims.ExpiresAt, Gen: 7, SecretSeq: 3,
	}
	wantUse := accounts.Use{
		AccountID: standing.AccountID, CredentialID: standing.CredentialID, SecretID: standing.SecretID,
		At: i.clock.Now(), Addr: req.From, UserAgent: req.UserAgent, // accounts.Service cuts it
	}
	if diff := cmp.Diff([]tokens.LiveToken{wantToken}, i.recorder.tokens); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]accounts.Use{wantUse}, i.recorder.uses, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error("I46:", diff)
	}
	standing.SecretID, standing.SecretSeq = uuid.Nil, 0
	i.mustIssue(t, standing, tokens.Request{})
	if got := i.recorder.uses[1].SecretID; got != standing.CredentialID {
		t.Errorf("a credential without secrets is used under the id %s", got)
	}
}

func TestI7_FailureRecordsNothing(t *testing.T) {
	i := newIssuing(t, func(cfg *tokens.IssuerConfig) { cfg.StrictScopes = true })
	broken := newIssuing(t, func(cfg *tokens.IssuerConfig) { cfg.Random = iotest.ErrReader(errors.New("no entropy")) })
	ahead := newStanding()
	ahead.KeySetVersion = i.keys.Version() + 1
	for name, call := range map[string]func() error{
		"scope": func() error {
			_, err := i.issue(t, newStanding(), tokens.Request{Scope: authz.MustSet("tools:run")})
			return err
		},
		"target": func() error {
			_, err := i.issue(t, newStanding(), tokens.Request{Resources: []string{"https://other.example"}})
			return err
		},
		"key set":   func() error { _, err := i.issue(t, ahead, tokens.Request{}); return err },
		"nobody":    func() error { _, err := i.Issue(t.Context(), accounts.Client{}, tokens.Request{}); return err },
		"no random": func() error { _, err := broken.issue(t, newStanding(), tokens.Request{}); return err },
	} {
		if err := call(); err == nil {
			t.Errorf("%s: a token was issued", name)
		}
	}
	if n := len(i.recorder.tokens) + len(i.recorder.uses) + len(broken.recorder.tokens) + len(broken.recorder.uses); n != 0 {
		t.Errorf("failures left %d records", n)
	}
	if _, err := i.issue(t, ahead, tokens.Request{}); !errors.Is(err, accounts.ErrUnavailable) {
		t.Errorf("a key set that is not there answers %v", err)
	}
}

func TestClientWhoseTimeIsOver(t *testing.T) {
	i := newIssuing(t, nil)
	standing := newStanding()
	standing.SecretExpiresAt = i.clock.Now().Add(time.Minute)
	client := newClient(t, standing, i.clock.Now)
	i.clock.advance(time.Minute)
	if _, err := i.Issue(t.Context(), client, tokens.Request{}); !errors.Is(err, accounts.ErrUnauthenticated) {
		t.Errorf("a client that expired after its proof gets %v", err)
	}
	if _, err := i.Issue(t.Context(), accounts.Client{}, tokens.Request{}); !errors.Is(err, accounts.ErrUnauthenticated) {
		t.Errorf("I3: a client that nobody authenticated gets %v", err)
	}
}

func TestIssueFollowsRotationOfAnotherReplica(t *testing.T) {
	clock := newClock()
	shared := newConfig(t, clock.Now)
	keys, other := openKeys(t, shared), openKeys(t, shared)
	cfg, _ := newIssuerConfig(keys, clock.Now)
	if err := other.Drop(t.Context(), root, inState(t, other, tokens.Active).KID); err != nil {
		t.Fatal(err)
	}
	standing := newStanding()
	standing.KeySetVersion = other.Version()
	token, err := newIssuer(t, cfg).Issue(t.Context(), newClient(t, standing, clock.Now), tokens.Request{})
	if err != nil {
		t.Fatal(err)
	}
	header, _ := parts(t, token.Value.Reveal())
	if want := inState(t, other, tokens.Active).KID; header["kid"] != want {
		t.Errorf("I26: signed with %v after it was dropped, want %s", header["kid"], want)
	}
}

func TestI40_OneOrgDoesNotStarveAnother(t *testing.T) {
	i := newIssuing(t, func(cfg *tokens.IssuerConfig) { cfg.PerOrgRate = 10 })
	greedy, modest := newStanding(), newStanding()
	for range 10 {
		i.mustIssue(t, greedy, tokens.Request{})
	}
	_, err := i.issue(t, greedy, tokens.Request{})
	if throttled, ok := errors.AsType[*tokens.ThrottledError](err); !ok || throttled.RetryAfter <= 0 || throttled.RetryAfter > time.Second {
		t.Fatalf("over its rate an org gets %v", err)
	}
	i.mustIssue(t, modest, tokens.Request{})
	i.clock.advance(100 * time.Millisecond)
	i.mustIssue(t, greedy, tokens.Request{})
	if _, err := i.issue(t, greedy, tokens.Request{}); err == nil {
		t.Error("a tenth of a second refills more than a tenth of the rate")
	}
	i.clock.advance(-time.Hour)
	i.mustIssue(t, modest, tokens.Request{})
}

func TestNewIssuerRefuses(t *testing.T) {
	keys := openKeys(t, newConfig(t, newClock().Now))
	for name, change := range map[string]func(*tokens.IssuerConfig){
		"no issuer":                  func(cfg *tokens.IssuerConfig) { cfg.Issuer = "" },
		"a final slash":              func(cfg *tokens.IssuerConfig) { cfg.Issuer += "/" },
		"no default lifetime":        func(cfg *tokens.IssuerConfig) { cfg.DefaultLifetime = 0 },
		"a default over the maximum": func(cfg *tokens.IssuerConfig) { cfg.DefaultLifetime = 2 * time.Hour },
	} {
		cfg, _ := newIssuerConfig(keys, time.Now)
		change(&cfg)
		if _, err := tokens.NewIssuer(cfg); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// nothing is a Live and Usage that costs nothing.
type nothing struct{ tokens.Live }

func (nothing) Add(tokens.LiveToken) {}
func (nothing) Touch(accounts.Use)   {}

func BenchmarkIssueES256(b *testing.B) {
	keys := openKeys(b, newConfig(b, time.Now))
	issuer := newIssuer(b, tokens.IssuerConfig{
		Keys: keys, Issuer: issuerURL, Live: nothing{}, Usage: nothing{}, PerOrgRate: 1_000_000_000,
		DefaultLifetime: 15 * time.Minute, MaxLifetime: time.Hour, Now: time.Now, Random: rand.Reader,
	})
	client := newClient(b, newStanding(), time.Now)
	req := tokens.Request{Scope: authz.MustSet("api:read"), UserAgent: "bench"}
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := issuer.Issue(ctx, client, req); err != nil {
			b.Fatal(err)
		}
	}
}
