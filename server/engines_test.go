package server_test

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/internal/engines"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/internal/testenv"
	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/redisstate"
)

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }

// arrival is how long what a server notes may take to be in Redis.
const arrival = 5 * time.Second

// TestWholeLifeOnPostgresAndRedis lets one machine be made, used and cut off over HTTP.
func TestWholeLifeOnPostgresAndRedis(t *testing.T) {
	const prefix = "whole-life"
	env := testenv.Start(t, func(c *testenv.Config) {
		c.Database, c.Redis, c.Prefix = engines.Database(t), engines.RedisURL(t), prefix
	})
	expect(t, env.Do(t, http.MethodGet, "/readyz?verbose", ""), http.StatusOK, "serving: ok\ndatabase: ok\nredis: ok\nok\n")
	admin := testenv.Bearer(env.Token(t, env.Admin))
	call := func(method, path, body string, want int) map[string]any {
		t.Helper()
		answer := env.Do(t, method, path, body, admin, testenv.Header("Content-Type", "application/json"))
		if answer.Status != want {
			t.Fatalf("%s %s answers %d %s", method, path, answer.Status, answer.Body)
		}
		return answer.JSON(t)
	}
	active := func(token string) any {
		t.Helper()
		return env.Post(t, "/introspect", url.Values{"token": {token}}, env.Admin.Basic()).JSON(t)["active"]
	}

	const account = "/v2/orgs/acme/service-accounts/bot"
	call(http.MethodPost, "/v2/orgs", `{"slug":"acme","name":"Acme"}`, http.StatusCreated)
	made := call(http.MethodPost, "/v2/orgs/acme/service-accounts", `{"slug":"bot","name":"Bot","roleSlug":"api"}`, http.StatusCreated)
	if used := made["lastUsedAt"]; used != nil {
		t.Errorf("nobody has used the account, but it was at %v", used)
	}
	login := testenv.Login{ID: made["clientId"].(string), Secret: made["clientSecret"].(string)}
	before := time.Now().Add(-time.Second)
	token := env.Token(t, login, "scope", "api:read")
	if got := active(token); got != true {
		t.Errorf("a new token is active: %v", got)
	}
	jti := testenv.Payload(t, token)["jti"].(string)
	results := call(http.MethodGet, account+"/tokens", "", http.StatusOK)["results"].([]any)
	if len(results) != 1 || results[0].(map[string]any)["jti"] != jti {
		t.Errorf("the account's tokens are %v, want %v", results, jti)
	}
	used := call(http.MethodGet, account, "", http.StatusOK)["lastUsedAt"]
	if at, err := time.Parse(time.RFC3339Nano, used.(string)); err != nil || at.Before(before) || at.After(time.Now()) {
		t.Errorf("last used at %v: %v", used, err)
	}
	wantInRedis(t, env, prefix, tokens.LiveToken{JTI: jti, AccountID: uuid.MustParse(made["id"].(string))})

	call(http.MethodPatch, account, `{"disabled":true}`, http.StatusOK)
	refused := env.Post(t, "/token", login.Form())
	if refused.Status != http.StatusUnauthorized || !strings.Contains(refused.Body, "invalid_client") {
		t.Errorf("a disabled account gets %d %s", refused.Status, refused.Body)
	}
	if got := active(token); got != false {
		t.Errorf("a token of a disabled account is active: %v", got)
	}
}

// wantInRedis looks for a token as another replica does.
func wantInRedis(t *testing.T, env *testenv.Env, prefix string, want tokens.LiveToken) {
	t.Helper()
	replica, err := redisstate.Open(t.Context(), redisstate.Config{URL: secret.New(engines.RedisURL(t)), Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := replica.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	for deadline := time.Now().Add(arrival); ; {
		live, err := replica.List(t.Context(), want.AccountID)
		if err == nil && len(live) == 1 && live[0].JTI == want.JTI {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("another replica sees %v, %v; the server logged\n%s", live, err, env.Logged())
		}
		time.Sleep(arrival / 500)
	}
}
