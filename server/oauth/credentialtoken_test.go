package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/testenv"
)

// holder makes an account of acme whose only credential is a token: [testenv.Login.Secret] is the token.
func holder(t testing.TB, env *testenv.Env, slug, role string) testenv.Machine {
	t.Helper()
	return env.Machine(t, "acme", slug, role, func(in *accounts.NewAccount) {
		in.Credential = &accounts.FirstCredential{Kind: accounts.KindToken}
	})
}

func TestStandard31_MembersOfACredentialsToken(t *testing.T) {
	env, _ := start(t)
	env.Clock.Stop()
	env.Role(t, "acme", "mixed", "orgs:tokens:read", "api:read")
	m := holder(t, env, "nscale", "mixed")
	body := introspect(t, env, env.Admin, m.Secret)
	issued := env.Clock.Now()
	want := map[string]any{
		"active": true, "scope": "orgs:tokens:read", "client_id": m.ID, "sub": "sa:acme:nscale", "aud": env.Issuer, "iss": env.Issuer,
		"iat": float64(issued.Unix()), "exp": float64(issued.Add(accounts.DefaultTokenLife).Unix()), "token_type": "Bearer", "org": "acme",
	}
	for name, value := range want {
		if body[name] != value {
			t.Errorf("%s is %v, want %v", name, body[name], value)
		}
	}
	if len(body) != len(want) {
		t.Errorf("members %v", body)
	}
}

func TestStandard29_WhoSeesACredentialsToken(t *testing.T) {
	env, bot := start(t)
	env.Org(t, "other")
	m, viewer := holder(t, env, "bearer", "viewer"), env.Machine(t, "acme", "viewer", "viewer")
	foreign := env.Machine(t, "other", "viewer", "viewer")
	ask := func(token string, caller func(*http.Request)) any {
		t.Helper()
		answer := env.Post(t, "/introspect", url.Values{"token": {token}}, caller)
		if answer.Status != http.StatusOK {
			t.Fatalf("%d %s", answer.Status, answer.Body)
		}
		return answer.JSON(t)["active"]
	}
	for name, tc := range map[string]struct {
		caller func(*http.Request)
		want   bool
	}{
		"itself":                              {testenv.Bearer(m.Secret), true},
		"another account":                     {bot.Basic(), false},
		"who reads its org's resource server": {viewer.Basic(), false}, // the token is for the issuer
		"another org":                         {foreign.Basic(), false},
		"a system account":                    {env.Admin.Basic(), true},
	} {
		if got := ask(m.Secret, tc.caller); got != tc.want {
			t.Errorf("%s: active %v", name, got)
		}
	}
	// And as who asks it sees what its role lets it see.
	if got := ask(env.Token(t, bot.Login), testenv.Bearer(m.Secret)); got != true {
		t.Errorf("a viewer by its token sees %v", got)
	}
	if got := ask(env.Token(t, bot.Login), testenv.Bearer(holder(t, env, "weak", "member").Secret)); got != false {
		t.Errorf("a member by its token sees %v", got)
	}
}

func TestI10_I12_I14_CutOffOfACredentialsToken(t *testing.T) {
	by := testenv.Operator
	for name, way := range map[string]struct {
		cut, back func(t *testing.T, env *testenv.Env, m testenv.Machine) error
	}{
		"disabled": {disabled(true), disabled(false)},
		"rotated": {func(t *testing.T, env *testenv.Env, m testenv.Machine) error {
			_, err := env.Service.Rotate(t.Context(), by, m.At(), accounts.Rotation{Kind: accounts.KindToken})
			return err
		}, nil},
		"all tokens revoked": {func(t *testing.T, env *testenv.Env, m testenv.Machine) error {
			return env.Service.RevokeTokens(t.Context(), by, m.At())
		}, nil},
		"credential deleted": {func(t *testing.T, env *testenv.Env, m testenv.Machine) error {
			return env.Service.DeleteCredential(t.Context(), by, m.At(), m.Credential.ID, nil)
		}, nil},
		"account deleted": {func(t *testing.T, env *testenv.Env, m testenv.Machine) error {
			return env.Service.DeleteAccount(t.Context(), by, m.At(), nil)
		}, nil},
		"org deleted": {func(t *testing.T, env *testenv.Env, _ testenv.Machine) error {
			return env.Service.DeleteOrg(t.Context(), by, accounts.BySlug("acme"), nil)
		}, nil},
		"expired": {func(_ *testing.T, env *testenv.Env, _ testenv.Machine) error {
			env.Clock.Advance(accounts.DefaultTokenLife)
			return nil
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			env, _ := start(t, func(c *testenv.Config) { c.Cache = true })
			m := holder(t, env, "bearer", "viewer")
			wantActive(t, env, env.Admin, m.Secret, true)
			if err := way.cut(t, env, m); err != nil {
				t.Fatal(err)
			}
			wantActive(t, env, env.Admin, m.Secret, false)
			if way.back == nil {
				return
			}
			if err := way.back(t, env, m); err != nil {
				t.Fatal(err)
			}
			wantActive(t, env, env.Admin, m.Secret, false)
		})
	}
}

func disabled(yes bool) func(*testing.T, *testenv.Env, testenv.Machine) error {
	return func(t *testing.T, env *testenv.Env, m testenv.Machine) error {
		_, err := env.Service.UpdateAccount(t.Context(), testenv.Operator, m.At(), accounts.AccountPatch{Disabled: accounts.Some(yes)})
		return err
	}
}

func TestStandard30_InactiveSaysNothingOfACredentialsToken(t *testing.T) {
	env, bot := start(t)
	m, gone := holder(t, env, "bearer", "viewer"), holder(t, env, "gone", "viewer")
	if err := env.Service.DeleteAccount(t.Context(), testenv.Operator, gone.At(), nil); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{
		m.Secret, gone.Secret, m.Secret[:len(m.Secret)-1], m.Secret + "A", "sat_acme_" + strings.Repeat("A", 43), bot.Secret, "sat_",
	} {
		wantActive(t, env, bot.Login, token, false)
	}
	for _, token := range []string{gone.Secret, m.Secret[:len(m.Secret)-1], bot.Secret} {
		wantError(t, env.Post(t, "/introspect", url.Values{"token": {token}}, testenv.Bearer(token)), 401, "invalid_token")
	}
}

func TestI11_UnknownStateOfACredentialsToken(t *testing.T) {
	env, _ := start(t)
	m := holder(t, env, "bearer", "viewer")
	admin := testenv.Bearer(env.Token(t, env.Admin))
	wantActive(t, env, env.Admin, m.Secret, true)
	if err := env.DB.Close(); err != nil {
		t.Fatal(err)
	}
	form := url.Values{"token": {m.Secret}}
	wantError(t, env.Post(t, "/introspect", form, admin), 503, "temporarily_unavailable")
	wantError(t, env.Post(t, "/introspect", form, testenv.Bearer(m.Secret)), 503, "temporarily_unavailable")
}

// Only rotating, deleting and disabling end it: a client that revokes what it was issued does not.
func TestRevocationIsForIssuedTokens(t *testing.T) {
	env, _ := start(t)
	keeper := env.Machine(t, "acme", "keeper", "viewer")
	second, err := env.Service.Rotate(t.Context(), testenv.Operator, keeper.At(), accounts.Rotation{Kind: accounts.KindToken})
	if err != nil {
		t.Fatal(err)
	}
	revoke(t, env, keeper.Login, second.Secret.Reveal())
	wantActive(t, env, keeper.Login, second.Secret.Reveal(), true)
}
