package oauth_test

import (
	"database/sql"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/testenv"
)

func revoke(t testing.TB, env *testenv.Env, asking testenv.Login, token string) {
	t.Helper()
	answer := env.Post(t, "/revoke", url.Values{"token": {token}}, asking.Basic())
	if answer.Status != http.StatusOK || answer.Body != "" {
		t.Fatalf("revoke: %d %q", answer.Status, answer.Body)
	}
	wantNoStore(t, answer)
}

func TestStandard26_28_RevokeOwn(t *testing.T) {
	env, bot := start(t)
	token, sibling := env.Token(t, bot.Login), env.Token(t, bot.Login)
	wantError(t, env.Post(t, "/revoke", url.Values{"token": {token}}), 401, "invalid_client")
	revoke(t, env, bot.Login, token)
	wantActive(t, env, bot.Login, token, false)
	wantActive(t, env, env.Admin, token, false)
	wantActive(t, env, bot.Login, sibling, true)
	revoke(t, env, bot.Login, token) // again
	if rows := revocations(t, env); len(rows) != 1 {
		t.Errorf("revocations %v", rows)
	}
	wantActive(t, env, bot.Login, token, false)
	live, err := env.State.List(t.Context(), bot.Account.ID)
	if err != nil || len(live) != 1 || live[0].JTI != testenv.Payload(t, sibling)["jti"] {
		t.Errorf("live tokens %v: %v", live, err)
	}
}

// Whose token it is decides, and nobody learns anything about another's.
func TestStandard26_I33_RevokeForeign(t *testing.T) {
	env, bot := start(t)
	env.Org(t, "other")
	neighbour, foreign := env.Machine(t, "acme", "neighbour", "api"), env.Machine(t, "other", "bot", "api")
	token := env.Token(t, bot.Login)
	for _, asking := range []testenv.Login{neighbour.Login, foreign.Login, env.Admin} {
		revoke(t, env, asking, token)
		wantActive(t, env, bot.Login, token, true)
	}
	if rows := revocations(t, env); len(rows) != 0 {
		t.Errorf("rows are written for another's token: %v", rows)
	}
	for _, text := range []string{"nothing", "a.b.c", token + "x", strings.Repeat(".", 15<<10), "\u00e9"} {
		revoke(t, env, bot.Login, text)
	}
	wantActive(t, env, bot.Login, token, true)
}

// revocations lists the ids of all revoked tokens, whosever they are.
func revocations(t *testing.T, env *testenv.Env) []string {
	t.Helper()
	var ids []string
	err := env.DB.Each(t.Context(), func(rows *sql.Rows) error {
		var id string
		defer func() { ids = append(ids, id) }()
		return rows.Scan(&id)
	}, "SELECT jti FROM revoked_tokens")
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// I12: what was revoked stays so. A token that is inactive for a reason that may pass is
// revoked all the same.
func TestI12_RevocationIsPermanent(t *testing.T) {
	env, bot := start(t)
	token := env.Token(t, bot.Login)
	role := func(slug string) {
		patch := accounts.AccountPatch{Role: accounts.Some(slug)}
		if _, err := env.Service.UpdateAccount(t.Context(), testenv.Operator, bot.At(), patch); err != nil {
			t.Fatal(err)
		}
	}
	role("member")
	wantActive(t, env, bot.Login, token, false)
	revoke(t, env, bot.Login, token)
	role("api")
	wantActive(t, env, bot.Login, token, false)
	if err := env.State.Erase(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	wantActive(t, env, bot.Login, token, false)
	wantActive(t, env, bot.Login, env.Token(t, bot.Login), true)
}

// A token that another replica has signed with a newer key is known before it is judged, at
// either endpoint.
func TestStandard26_KeyOfAnotherReplica(t *testing.T) {
	for name, introspectFirst := range map[string]bool{"introspected first": true, "revoked first": false} {
		t.Run(name, func(t *testing.T) {
			env, bot := start(t, func(c *testenv.Config) { c.Cache = true })
			replica, err := env.OpenKeys(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			claims := testenv.Payload(t, env.Token(t, bot.Login))
			for range 2 {
				kid, _ := env.SigningKey(t)
				if err := replica.Drop(t.Context(), testenv.Operator, kid); err != nil {
					t.Fatal(err)
				}
			}
			token := env.Forge(t, nil, claims)
			if introspectFirst {
				wantActive(t, env, bot.Login, token, true)
			}
			revoke(t, env, bot.Login, token)
			wantActive(t, env, bot.Login, token, false)
		})
	}
}

func TestRevokedTokenIsNoBearer(t *testing.T) {
	env, bot := start(t)
	env.Role(t, "acme", "auditor", "orgs:tokens:read")
	auditor := env.Machine(t, "acme", "auditor", "auditor")
	token, bearer := env.Token(t, bot.Login), env.Token(t, auditor.Login)
	ask := func() testenv.Answer {
		return env.Post(t, "/introspect", url.Values{"token": {token}}, testenv.Bearer(bearer))
	}
	if answer := ask(); answer.JSON(t)["active"] != true {
		t.Fatalf("before: %s", answer.Body)
	}
	revoke(t, env, auditor.Login, bearer)
	wantError(t, ask(), 401, "invalid_token")
}
