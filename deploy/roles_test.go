package deploy_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/internal/engines"
)

// apart is an installation with the roles of roles-apart.sql.
type apart struct {
	t        *testing.T
	server   *engines.Postgres
	address  string
	id, word string
}

func newApart(t *testing.T) *apart {
	t.Helper()
	server, err := engines.StartPostgres(t.Context(), t.TempDir())
	engines.Check(t, err)
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	password := "PASSWORD_FILE=" + setUp(t) + "/secrets/postgres_password"
	makeRoles(t, server, "postgres/roles-apart.sql", password, "OWNER_"+password)
	return &apart{t: t, server: server, address: freeAddress(t)}
}

func (a *apart) url(role string) string {
	return strings.Replace(a.server.URL("signet"), engines.Superuser+"@", role+"@", 1)
}

func (a *apart) as(role string, args ...string) *exec.Cmd {
	a.t.Helper()
	cmd := exec.CommandContext(a.t.Context(), program(a.t), args...)
	cmd.Dir = a.t.TempDir()
	cmd.Env = []string{
		"SIGNET_DATABASE_URL=" + a.url(role), "SIGNET_MASTER_KEY=" + masterKey(a.t),
		"SIGNET_MIGRATE_AT_START=false", "SIGNET_LISTEN=" + a.address,
	}
	return cmd
}

// The servers' own role may change no table and no audit event, and that is enough to serve.
func TestRolesApart(t *testing.T) {
	a := newApart(t)
	if text, err := a.as("signet", "serve").CombinedOutput(); err == nil || !strings.Contains(string(text), "signet migrate") {
		t.Errorf("serving without a schema: %v\n%s", err, text)
	}
	if text, err := a.as("signet", "migrate").CombinedOutput(); err == nil {
		t.Errorf("the servers' role may migrate:\n%s", text)
	}
	output(t, a.as("signet_owner", "migrate"))
	psql := installed(t, "psql")
	output(t, exec.CommandContext(t.Context(), psql, "-X", "-f", "postgres/audit-only-grows.sql", a.url("signet_owner")))
	for _, statement := range []string{"DELETE FROM audit_events", "UPDATE audit_events SET actor = ''", "CREATE TABLE t (x BIGINT)", "DROP TABLE audit_events"} {
		if text, err := exec.CommandContext(t.Context(), psql, "-X", "-c", statement, a.url("signet")).CombinedOutput(); err == nil {
			t.Errorf("the servers' role may %s:\n%s", statement, text)
		}
	}

	var made struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	if err := json.Unmarshal([]byte(output(t, a.as("signet", "bootstrap"))), &made); err != nil {
		t.Fatal(err)
	}
	a.id, a.word = made.ID, made.Secret
	serving := launch(t, a.as("signet", "serve"))
	eventually(t, func() bool { return answers("http://" + a.address + "/readyz") })
	a.administer()
	output(t, a.as("signet", "keys", "rotate", "--force"))
	output(t, a.as("signet", "keys", "rotate", "--pepper"))
	output(t, a.as("signet", "restored"))
	serving.stop(t)
}

// administer makes an organization with everything in it, and deletes it.
func (a *apart) administer() {
	a.t.Helper()
	bearer := a.call(http.MethodPost, "/token", "", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {a.id}, "client_secret": {a.word},
	}.Encode())["access_token"].(string)
	a.call(http.MethodPost, "/v2/orgs", bearer, `{"slug":"acme","name":"Acme"}`)
	a.call(http.MethodPost, "/v2/orgs/acme/roles", bearer, `{"slug":"reader","name":"Reader","permissions":["books:read"]}`)
	a.call(http.MethodPost, "/v2/orgs/acme/groups", bearer, `{"name":"Readers","roles":["reader"]}`)
	account := "/v2/orgs/acme/service-accounts"
	a.call(http.MethodPost, account, bearer, `{"slug":"robot","name":"Robot","roleSlug":"reader"}`)
	a.call(http.MethodPost, account+"/robot/rotate", bearer, `{"overlapSeconds":60}`)
	a.call(http.MethodDelete, account+"/robot/tokens", bearer, "")
	a.call(http.MethodPatch, account+"/robot", bearer, `{"disabled":true}`)
	a.call(http.MethodDelete, account+"/robot", bearer, "")
	a.call(http.MethodDelete, "/v2/orgs/acme", bearer, "")
}

// call demands that an endpoint does what it is asked for.
func (a *apart) call(method, path, bearer, content string) map[string]any {
	a.t.Helper()
	request, err := http.NewRequestWithContext(a.t.Context(), method, "http://"+a.address+path, strings.NewReader(content))
	if err != nil {
		a.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if bearer != "" {
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Authorization", "Bearer "+bearer)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode > 201 {
		a.t.Fatalf("%s %s answers %d %v: %v", method, path, response.StatusCode, answer["message"], err)
	}
	return answer
}
