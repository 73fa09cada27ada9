package e2e_test

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"testing"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/tokens"
)

// ordinaryUse makes a secret or a token at every door that shows one.
func ordinaryUse(t *testing.T, admin *api) machine {
	t.Helper()
	admin.makeAcme()
	body := `{"slug":"billing","name":"` + plantedName + `","roleSlug":"agent-standard"}`
	made := admin.post(http.StatusCreated, "/v2/orgs/acme/service-accounts", body,
		header("Idempotency-Key", "first"), header("X-Correlation-Id", plantedID))
	admin.post(http.StatusCreated, "/v2/orgs/acme/service-accounts", body, header("Idempotency-Key", "first"))
	m := machine{
		login: login{made.field(t, "clientId"), made.field(t, "clientSecret")},
		path:  "/v2/orgs/acme/service-accounts/billing", credential: made.field(t, "credentialId"),
	}
	if got, err := admin.ask(m.login); err != nil || got.status != http.StatusOK {
		t.Fatalf("status %d: %v", got.status, err)
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {m.ID}, "client_secret": {m.Secret}}
	got, err := admin.form("/token", form)
	if err != nil || got.status != http.StatusOK {
		t.Fatalf("client_secret_post: status %d: %v", got.status, err)
	}
	kept := got.field(t, "access_token")
	native := *admin
	native.bearer = ""
	native.post(http.StatusOK, m.path+"/token", `{"clientSecret":"`+m.Secret+`","expiresIn":60}`)
	admin.active(kept)
	if got, err := admin.form("/revoke", url.Values{"token": {kept}}, basic(m.login)); err != nil || got.status != http.StatusOK {
		t.Fatalf("revoke: status %d: %v", got.status, err)
	}
	second := admin.post(http.StatusCreated, m.path+"/credentials", `{"kind":"secret","name":"second"}`)
	added := admin.post(http.StatusCreated, m.path+"/credentials/"+m.credential+"/secrets", `{}`)
	admin.token(login{second.field(t, "clientId"), second.field(t, "clientSecret")})
	admin.token(login{m.ID, added.field(t, "clientSecret")})
	m.Secret = admin.post(http.StatusOK, m.path+"/rotate", `{"overlapSeconds":600}`).field(t, "clientSecret")
	admin.token(m.login)
	admin.post(http.StatusOK, "/v2/keys/rotate", `{"force":true}`)
	admin.token(m.login)
	return m
}

// hostileUse puts secrets and tokens where they do not belong, whole and damaged.
func hostileUse(t *testing.T, admin *api, m machine) {
	t.Helper()
	token := admin.token(m.login)
	nobody := *admin
	nobody.bearer = ""
	value := url.QueryEscape(m.Secret)
	form := header("Content-Type", "application/x-www-form-urlencoded")
	for _, sent := range []struct {
		method, path, body string
		options            []option
	}{
		{"POST", "/token?client_id=" + m.ID + "&client_secret=" + value, "grant_type=client_credentials", []option{form}},
		{"GET", "/token?client_secret=" + value, "", nil},
		{"POST", "/token", "grant_type=" + value + "&client_id=" + m.ID + "&client_secret=" + value, []option{form}},
		{"POST", "/token", "grant_type=client_credentials&scope=" + value + "&resource=" + value, []option{form, basic(m.login)}},
		{"POST", "/token", "grant_type=client_credentials&" + value + "=" + value, []option{form, basic(m.login)}},
		{"POST", "/token", "grant_type=client_credentials", []option{form, basic(login{m.Secret, m.ID})}},
		{"POST", "/token", "client_secret=" + value + "&client_secret=" + value, []option{form}},
		{"POST", "/token", `{"client_secret":"` + m.Secret + `"}`, nil},
		{"POST", "/token", "grant_type=client_credentials", []option{form, header("Authorization", "Bearer "+token)}},
		{"POST", "/token", "grant_type=client_credentials", []option{form, header("Authorization", "Basic "+m.Secret)}},
		{"POST", "/introspect", "token=" + token, []option{form, header("Authorization", "Bearer "+token+"x")}},
		{"POST", "/introspect?token=" + token, "", []option{form, basic(m.login)}},
		{"POST", "/introspect", "token=" + value, []option{form, basic(m.login)}},
		{"POST", "/revoke", "token=" + token[:len(token)-4] + "&token_type_hint=" + value, []option{form, basic(m.login)}},
		{"GET", "/v2/orgs/" + value, "", []option{header("Authorization", "Bearer "+m.Secret)}},
		{"GET", "/v2/orgs/acme/service-accounts/" + value, "", []option{header("Authorization", "Bearer "+admin.bearer)}},
		{"GET", "/v2/orgs/acme/service-accounts?search=" + value + "&token=" + token, "", []option{header("Authorization", "Bearer "+admin.bearer)}},
		{"DELETE", m.path + "/tokens/" + token, "", []option{header("Authorization", "Bearer "+admin.bearer)}},
		{"POST", m.path + "/token", `{"clientSecret":"` + m.Secret + `","` + m.Secret + `":1}`, nil},
		{"POST", m.path + "/token", `{"clientSecret":["` + m.Secret + `"]}`, nil},
		{"POST", m.path + "/token", `{"clientSecret":"` + m.Secret + `x"}`, nil},
		{"POST", "/v2/orgs", `{"slug":"` + m.Secret + `"`, []option{header("Authorization", "Bearer "+admin.bearer)}},
		{"PATCH", m.path, `{"roleSlug":"` + m.Secret + `","name":5}`, []option{header("Authorization", "Bearer "+admin.bearer)}},
		{"PATCH", m.path, `{"disabled":false}`, []option{header("Authorization", "Bearer "+admin.bearer), header("If-Match", m.Secret)}},
		{"POST", "/v2/keys/rotate", "", []option{header("Authorization", "Bearer "+admin.bearer), header("Idempotency-Key", token)}},
		{m.Secret, "/token", "", nil},
		{"GET", "/" + token, "", []option{header("X-Correlation-Id", m.Secret+".")}},
		{"GET", "/livez", "", []option{header("X-Forwarded-For", m.Secret), header("Cookie", token), header("Referer", m.Secret)}},
		{"GET", "/metrics", "", []option{header("Authorization", "Bearer "+token)}},
	} {
		got, err := nobody.try(sent.method, sent.path, sent.body, sent.options...)
		if err != nil || got.status >= http.StatusInternalServerError {
			t.Errorf("%.8s %.12s…: status %d: %v", sent.method, sent.path, got.status, err)
		}
	}
}

// readEverything asks for every list and object, the metrics and the audit events.
func readEverything(t *testing.T, admin *api, c *canary) {
	t.Helper()
	for _, org := range []string{"system", "acme"} {
		at := "/v2/orgs/" + org
		for _, path := range []string{"", "/roles", "/groups", "/service-accounts"} {
			admin.get(at + path)
		}
		c.look("audit events", admin.get(at+"/audit-events?limit=100").body)
	}
	account := "/v2/orgs/acme/service-accounts/billing"
	for _, path := range []string{
		"/v2/orgs", "/v2/keys", account, account + "/tokens", account + "/credentials", "/.well-known/jwks.json",
		"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", documentPath, "/readyz?verbose",
	} {
		admin.get(path)
	}
	var list struct{ Results []struct{ ID string } }
	admin.get(account+"/credentials").into(t, &list)
	for _, credential := range list.Results {
		admin.get(account + "/credentials/" + credential.ID)
		admin.get(account + "/credentials/" + credential.ID + "/secrets")
	}
	c.look("metrics", admin.get("/metrics").body)
}

// addSealed opens what the database keeps sealed, and searches for that too.
func addSealed(t *testing.T, p *place, c *canary, text string) {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	c.addBytes("the master key", raw)
	master, err := secret.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	var peppers, keys int
	db := openTruth(t, p)
	eachRow(t, db, "SELECT number, sealed FROM peppers", func(row []any) {
		plain, err := master.Open(accounts.PepperLabel(row[0].(int64)), row[1].([]byte))
		if err != nil {
			t.Fatal(err)
		}
		c.addBytes("a pepper", plain)
		peppers++
	})
	eachRow(t, db, "SELECT kid, sealed FROM signing_keys WHERE sealed IS NOT NULL", func(row []any) {
		plain, err := master.Open(tokens.KeyLabel(row[0].(string)), row[1].([]byte))
		if err != nil {
			t.Fatal(err)
		}
		c.addBytes("a private key", plain)
		parsed, err := x509.ParsePKCS8PrivateKey(plain)
		if err != nil {
			t.Fatal(err)
		}
		scalar, err := parsed.(*ecdsa.PrivateKey).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		c.addBytes("the number of a private key", scalar)
		keys++
	})
	if peppers < 1 || keys < 3 {
		t.Errorf("opened %d peppers and %d signing keys, want 1 and 3", peppers, keys)
	}
}

// addBytes remembers a binary secret under the ways to write it.
func (c *canary) addBytes(what string, raw []byte) {
	c.add(what, string(raw))
	c.add(what+" in hex", hex.EncodeToString(raw))
	c.add(what+" in base64", base64.RawStdEncoding.EncodeToString(raw))
	c.add(what+" in base64url", base64.RawURLEncoding.EncodeToString(raw))
}
