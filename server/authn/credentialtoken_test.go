package authn_test

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/testenv"
	"github.com/signet-issuer/signet/server/authn"
)

// holder makes an account of the role mixed whose only credential is a token: [testenv.Login.Secret] is the token.
func holder(t testing.TB, env *testenv.Env, slug string) testenv.Machine {
	t.Helper()
	return env.Machine(t, "acme", slug, "mixed", func(in *accounts.NewAccount) {
		in.Credential = &accounts.FirstCredential{Kind: accounts.KindToken}
	})
}

func TestPrincipalByTheTokenOfACredential(t *testing.T) {
	env := start(t)
	m := holder(t, env, "mixed")
	answer, refused := enter(t, env, testenv.Header("Authorization", "bearer "+m.Secret), testenv.Header("X-Correlation-Id", "request-1"))
	if refused != "" {
		t.Fatalf("%s", answer.Body)
	}
	want := map[string]any{
		"orgId": m.Account.OrgID.String(), "system": false, "account": m.Account.ID.String(), "subject": "sa:acme:mixed",
		"permissions": "orgs:tokens:*", "holds": "api:read orgs:tokens:*", "correlation": "request-1",
	}
	got := answer.JSON(t)
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %v, want %v", name, got[name], value)
		}
	}
	for name, scopes := range map[string]string{"orgs:tokens:read": "orgs:tokens:read", "api:read": ""} {
		made, err := env.Service.CreateCredential(t.Context(), testenv.Operator, m.At(), accounts.NewCredential{
			Kind: accounts.KindToken, Name: "narrow", Scopes: authz.MustSet(name),
		})
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := enter(t, env, testenv.Bearer(made.Secret.Reveal()))
		if got := answer.JSON(t)["permissions"]; got != scopes {
			t.Errorf("a ceiling of %s permits %v", name, got)
		}
	}
}

func TestPrincipalNamesItsCredential(t *testing.T) {
	env := start(t)
	m := holder(t, env, "bot")
	keeper := env.Machine(t, "acme", "keeper", "mixed")
	for token, want := range map[string]accounts.Credential{
		m.Secret: m.Credential, env.Token(t, keeper.Login, "resource", env.Issuer): keeper.Credential,
	} {
		bearer := bearerOf(t, env, token)
		principal, err := env.Bearers.Principal(request(t, token))
		if err != nil || principal.CredentialID != want.ID || bearer.ClientID != want.ClientID {
			t.Errorf("%+v, %+v, %v", principal, bearer, err)
		}
	}
}

func request(t testing.TB, token string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, whoami, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func bearerOf(t testing.TB, env *testenv.Env, token string) authn.Bearer {
	t.Helper()
	bearer, err := env.Bearers.FromRequest(request(t, token))
	if err != nil {
		t.Fatal(err)
	}
	return bearer
}

// What a bearer is worth does not depend on where it stood, nor on how it was made.
func TestBearerSaysWhatCallersNeed(t *testing.T) {
	env := start(t)
	env.Clock.Stop()
	m, keeper := holder(t, env, "bot"), env.Machine(t, "acme", "keeper", "mixed")
	issued := env.Token(t, keeper.Login, "resource", env.Issuer, "scope", "orgs:tokens:read")
	for token, want := range map[string]struct {
		subject, scope string
		lives          time.Duration
		named          bool
	}{
		m.Secret: {"sa:acme:bot", "orgs:tokens:*", accounts.DefaultTokenLife, false},
		issued:   {"sa:acme:keeper", "orgs:tokens:read", 15 * time.Minute, true},
	} {
		fromRequest := bearerOf(t, env, token)
		fromText, err := env.Bearers.FromText(request(t, "of no concern"), token)
		if err != nil {
			t.Fatal(err)
		}
		inspected, err := env.Bearers.Inspect(t.Context(), accounts.Standing{}, token)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range []authn.Bearer{fromRequest, fromText, inspected} {
			if b.Subject != want.subject || b.Scope.String() != want.scope || len(b.Audience) != 1 || b.Audience[0] != env.Issuer ||
				b.ExpiresAt.Sub(b.IssuedAt) != want.lives || (b.ID != "") != want.named || b.Standing.OrgSlug != "acme" {
				t.Errorf("%+v", b)
			}
		}
	}
}

// 15: no part of a token and no change of it is the token.
func TestHazard15_I4_OtherTextsThanTheToken(t *testing.T) {
	env := start(t, func(c *testenv.Config) { c.Limiter = generous{} })
	m := holder(t, env, "bot")
	refused := func(text string) {
		t.Helper()
		if _, err := env.Bearers.FromText(request(t, ""), text); !errors.Is(err, authn.ErrBadToken) {
			t.Fatalf("presented: %v", err)
		}
		if _, err := env.Bearers.Inspect(t.Context(), accounts.Standing{}, text); !errors.Is(err, authn.ErrBadToken) {
			t.Fatalf("asked about: %v", err)
		}
	}
	for i := range m.Secret {
		refused(m.Secret[:i])
		for _, c := range []byte{'A', 'b', '_', '-', '.', '=', 0, m.Secret[i] ^ 1} {
			if m.Secret[i] != c {
				refused(m.Secret[:i] + string([]byte{c}) + m.Secret[i+1:])
			}
		}
	}
	for _, text := range []string{m.Secret + "A", m.Secret + "=", m.Secret + ".", m.Secret + "." + m.Secret, " " + m.Secret, m.Secret + m.Secret} {
		refused(text)
	}
	bearerOf(t, env, m.Secret)
}

// Neither kind stands in for the other, and an issued token never for that of a credential.
func TestKindsAtTheDoors(t *testing.T) {
	env := start(t)
	m, keeper := holder(t, env, "bot"), env.Machine(t, "acme", "keeper", "mixed")
	wantRefused(t, env, keeper.Secret)
	claims := testenv.Payload(t, env.Token(t, keeper.Login, "resource", env.Issuer))
	for name, value := range map[string]any{
		"client_id": m.Credential.ClientID, "sub": "sa:acme:bot", "scope": "orgs:tokens:*", "gen": m.Account.Gen + m.Credential.Gen, "sec": 1,
	} {
		claims[name] = value
	}
	wantRefused(t, env, env.Forge(t, nil, claims))
	for _, path := range []string{"/token", "/oauth/token", "/oauth2/token"} {
		for _, id := range []string{m.ID, m.Account.ID.String(), "sa:acme:bot"} {
			answer := env.Post(t, path, testenv.Login{ID: id, Secret: m.Secret}.Form())
			if answer.Status != http.StatusUnauthorized || !strings.Contains(answer.Body, "invalid_client") {
				t.Errorf("%s as %s: %d %s", path, id, answer.Status, answer.Body)
			}
		}
	}
	if list, err := env.State.List(t.Context(), m.Account.ID); err != nil || len(list) != 0 {
		t.Errorf("issued %v, %v", list, err)
	}
}

func TestI9_I14_CutOffOfACredentialsToken(t *testing.T) {
	by := testenv.Operator
	for name, way := range map[string]struct {
		cut, back func(ctx context.Context, env *testenv.Env, m testenv.Machine) error
	}{
		"account disabled": {disableAccount(true), disableAccount(false)},
		"org disabled":     {disableOrg(true), disableOrg(false)},
		"credential disabled": {func(ctx context.Context, env *testenv.Env, m testenv.Machine) error {
			_, err := env.Service.UpdateCredential(ctx, by, m.At(), m.Credential.ID, accounts.CredentialPatch{Disabled: accounts.Some(true)})
			return err
		}, nil},
		"rotated": {func(ctx context.Context, env *testenv.Env, m testenv.Machine) error {
			_, err := env.Service.Rotate(ctx, by, m.At(), accounts.Rotation{})
			return err
		}, nil},
		"revoked with all others": {func(ctx context.Context, env *testenv.Env, m testenv.Machine) error {
			return env.Service.RevokeTokens(ctx, by, m.At())
		}, nil},
		"deleted": {func(ctx context.Context, env *testenv.Env, m testenv.Machine) error {
			return env.Service.DeleteCredential(ctx, by, m.At(), m.Credential.ID, nil)
		}, nil},
		"account deleted": {func(ctx context.Context, env *testenv.Env, m testenv.Machine) error {
			return env.Service.DeleteAccount(ctx, by, m.At(), nil)
		}, nil},
		"org deleted": {func(ctx context.Context, env *testenv.Env, _ testenv.Machine) error {
			return env.Service.DeleteOrg(ctx, by, accounts.BySlug("acme"), nil)
		}, nil},
		"expired": {func(_ context.Context, env *testenv.Env, _ testenv.Machine) error {
			env.Clock.Advance(accounts.DefaultTokenLife)
			return nil
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			env := start(t, func(c *testenv.Config) { c.Cache = true })
			m := holder(t, env, "bot")
			bearerOf(t, env, m.Secret)
			if err := way.cut(t.Context(), env, m); err != nil {
				t.Fatal(err)
			}
			wantRefused(t, env, m.Secret)
			if way.back != nil {
				if err := way.back(t.Context(), env, m); err != nil {
					t.Fatal(err)
				}
				wantRefused(t, env, m.Secret)
			}
		})
	}
}

func disableAccount(yes bool) func(context.Context, *testenv.Env, testenv.Machine) error {
	return func(ctx context.Context, env *testenv.Env, m testenv.Machine) error {
		_, err := env.Service.UpdateAccount(ctx, testenv.Operator, m.At(), accounts.AccountPatch{Disabled: accounts.Some(yes)})
		return err
	}
}

func disableOrg(yes bool) func(context.Context, *testenv.Env, testenv.Machine) error {
	return func(ctx context.Context, env *testenv.Env, _ testenv.Machine) error {
		_, err := env.Service.UpdateOrg(ctx, testenv.Operator, accounts.BySlug("acme"), accounts.OrgPatch{Disabled: accounts.Some(yes)})
		return err
	}
}

// Less power shows at once: a token says what its credential is allowed now.
func TestI1_TokenFollowsTheRole(t *testing.T) {
	env := start(t, func(c *testenv.Config) { c.Cache = true })
	m := holder(t, env, "bot")
	bearerOf(t, env, m.Secret)
	_, err := env.Service.UpdateAccount(t.Context(), testenv.Operator, m.At(), accounts.AccountPatch{Role: accounts.Some("member")})
	if err != nil {
		t.Fatal(err)
	}
	if bearer := bearerOf(t, env, m.Secret); !bearer.Scope.Empty() {
		t.Errorf("it still carries %v", bearer.Scope)
	}
}

func TestI11_UnknownTokenState(t *testing.T) {
	for _, cache := range []bool{true, false} {
		env := start(t, func(c *testenv.Config) { c.Cache = cache })
		m := holder(t, env, "bot")
		bearerOf(t, env, m.Secret)
		if err := env.DB.Close(); err != nil {
			t.Fatal(err)
		}
		env.Clock.Advance(2 * time.Second) // what one process remembers is true for a moment, also of tokens
		unknown := "sat_acme_" + strings.Repeat("A", 43)
		for _, token := range []string{m.Secret, unknown} {
			if answer, _ := enter(t, env, testenv.Bearer(token)); answer.Status != 503 || answer.Header.Get("Retry-After") != "1" {
				t.Errorf("cache %v: %d", cache, answer.Status)
			}
			if _, err := env.Bearers.Inspect(t.Context(), accounts.Standing{}, token); !errors.Is(err, accounts.ErrUnavailable) {
				t.Errorf("Inspect: %v", err)
			}
		}
	}
}

func TestTokenFromElsewhere(t *testing.T) {
	env := start(t, func(c *testenv.Config) { c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")} })
	m := holder(t, env, "bot")
	_, err := env.Service.UpdateCredential(t.Context(), testenv.Operator, m.At(), m.Credential.ID, accounts.CredentialPatch{
		AllowedCIDRs: accounts.Some([]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, refused := enter(t, env, testenv.Bearer(m.Secret), testenv.Header("X-Forwarded-For", "192.0.2.7")); refused != "" {
		t.Errorf("from an allowed address: %s", refused)
	}
	for _, from := range []string{"198.51.100.7", "::1"} {
		if _, refused := enter(t, env, testenv.Bearer(m.Secret), testenv.Header("X-Forwarded-For", from)); refused != "bad token" {
			t.Errorf("from %s: %q", from, refused)
		}
	}
	if _, err := env.Bearers.Inspect(t.Context(), accounts.Standing{}, m.Secret); err != nil {
		t.Errorf("whoever asks about it does not use it: %v", err)
	}
}

func TestI46_UsesOfATokenAreLastUses(t *testing.T) {
	env := start(t)
	m := holder(t, env, "bot")
	lastUse := func() accounts.LastUse {
		t.Helper()
		account, err := env.Service.Account(t.Context(), testenv.Operator, m.At())
		if err != nil {
			t.Fatal(err)
		}
		return account.LastUse
	}
	wantRefused(t, env, m.Secret+"A")
	if _, err := env.Bearers.Inspect(t.Context(), accounts.Standing{}, m.Secret); err != nil {
		t.Fatal(err)
	}
	if used := lastUse(); !used.At.IsZero() || used.Unknown {
		t.Errorf("a refusal and a question are uses: %+v", used)
	}
	before := env.Clock.Now().Add(-time.Millisecond)
	enter(t, env, testenv.Bearer(m.Secret), testenv.Header("User-Agent", "robot/1"))
	used := lastUse()
	if used.At.Before(before) || used.UserAgent != "robot/1" || used.Addr.String() != "127.0.0.1" {
		t.Errorf("used %+v", used)
	}
	secrets, err := env.Service.Secrets(t.Context(), testenv.Operator, m.At(), m.Credential.ID)
	if err != nil || len(secrets) != 1 || !secrets[0].LastUse.At.Equal(used.At) {
		t.Errorf("secrets %+v, %v", secrets, err)
	}
}

// countingStore counts the searches for a credential that were not answered from memory.
type countingStore struct {
	accounts.Store
	mu      sync.Mutex
	lookUps int
}

func (s *countingStore) StandingBySecret(ctx context.Context, hashes []accounts.Hash) (accounts.Standing, error) {
	standing, err := s.Store.StandingBySecret(ctx, hashes)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !standing.Remembered {
		s.lookUps++
	}
	return standing, err
}

func (s *countingStore) take() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.lookUps
	s.lookUps = 0
	return n
}

// A refusal costs one look-up, whatever its cause and whatever is remembered: the time tells
// no more than the answer.
func TestStandard23_I32_EqualWorkForTokens(t *testing.T) {
	for name, cache := range map[string]bool{"looked up": false, "remembered": true} {
		t.Run(name, func(t *testing.T) {
			store := &countingStore{}
			env := start(t, func(c *testenv.Config) {
				c.Limiter, c.Cache = generous{}, cache
				c.Store = func(real accounts.Store) accounts.Store { store.Store = real; return store }
			})
			for name, token := range refusedTokens(t, env) {
				for range 2 { // the second time a right token is remembered
					store.take()
					wantRefused(t, env, token)
					if n := store.take(); n != 1 {
						t.Errorf("%s, presented: %d look-ups", name, n)
					}
					if name == "another address" {
						continue // it is a good token to who asks about it
					}
					_, err := env.Bearers.Inspect(t.Context(), accounts.Standing{}, token)
					if n := store.take(); n != 1 || !errors.Is(err, authn.ErrBadToken) {
						t.Errorf("%s, asked about: %d look-ups, %v", name, n, err)
					}
				}
			}
			good := holder(t, env, "good")
			bearerOf(t, env, good.Secret)
			store.take()
			bearerOf(t, env, good.Secret)
			if n := store.take(); (n == 0) != cache {
				t.Errorf("a good token: %d look-ups", n)
			}
		})
	}
}

// refusedTokens makes every reason why a token that could be one is none, except what takes
// away its org.
func refusedTokens(t *testing.T, env *testenv.Env) map[string]string {
	t.Helper()
	ctx, by := t.Context(), testenv.Operator
	off, gone, rotated, expired, away := holder(t, env, "off"), holder(t, env, "gone"),
		holder(t, env, "rotated"), holder(t, env, "expired"), holder(t, env, "away")
	again := holder(t, env, "again")
	patch := func(m testenv.Machine, p accounts.CredentialPatch) error {
		_, err := env.Service.UpdateCredential(ctx, by, m.At(), m.Credential.ID, p)
		return err
	}
	_, err := env.Service.Rotate(ctx, by, rotated.At(), accounts.Rotation{})
	err = errors.Join(err, disableAccount(true)(ctx, env, off), env.Service.DeleteAccount(ctx, by, gone.At(), nil),
		disableAccount(true)(ctx, env, again), disableAccount(false)(ctx, env, again),
		patch(expired, accounts.CredentialPatch{ExpiresAt: accounts.Some(env.Clock.Now().Add(time.Minute))}),
		patch(away, accounts.CredentialPatch{AllowedCIDRs: accounts.Some([]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")})}))
	if err != nil {
		t.Fatal(err)
	}
	env.Clock.Advance(time.Minute)
	return map[string]string{
		"unknown": "sat_acme_" + strings.Repeat("A", 43), "of an unknown org": "sat_nobody_" + strings.Repeat("A", 43),
		"changed": strings.Replace(off.Secret, "sat_acme_", "sat_acm_", 1), "disabled": off.Secret, "deleted": gone.Secret,
		"rotated": rotated.Secret, "expired": expired.Secret, "enabled again": again.Secret, "another address": away.Secret,
	}
}
