package e2e_test

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
)

// TestStrangerFirstFiveMinutes pastes what "signet serve --dev" prints, to the byte, and goes on
// with nothing but curl and a verifier that is not ours.
func TestStrangerFirstFiveMinutes(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal("the test pastes commands of curl, which is not installed")
	}
	s := newPlace(t).serve(t, "--dev")
	commands := printedCommands(t, s.stdout.String())

	var token struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
	}
	paste(t, commands[0], &token)
	if token.AccessToken == "" || token.TokenType != "Bearer" || token.ExpiresIn <= 0 {
		t.Fatalf("the first command answered %+v", token)
	}

	var account struct{ UserID, ClientID, ClientSecret string }
	paste(t, commands[1], &account)
	if account.UserID != "sa:acme:invoicer" || account.ClientSecret == "" {
		t.Fatalf("the second command made %q", account.UserID)
	}
	own := "curl -s " + s.url + "/token -u '" + account.ClientID + ":" + account.ClientSecret + "' -d grant_type=client_credentials"
	paste(t, own, &token)

	keys := oidc.NewRemoteKeySet(t.Context(), s.url+"/.well-known/jwks.json")
	verifier := oidc.NewVerifier(s.url, keys, &oidc.Config{ClientID: s.url + "/orgs/acme", SupportedSigningAlgs: []string{oidc.ES256}})
	verified, err := verifier.Verify(t.Context(), token.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if verified.Subject != account.UserID {
		t.Errorf("the token's subject is %q, want %q", verified.Subject, account.UserID)
	}

	authorization := regexp.MustCompile(`-H "Authorization: [^\n]*\)"`).FindString(commands[1])
	disable := "curl -s -X PATCH " + s.url + "/v2/orgs/acme/service-accounts/invoicer " + authorization +
		` -H 'Content-Type: application/json' -d '{"disabled":true}'`
	var disabled struct{ Disabled bool }
	paste(t, disable, &disabled)
	if !disabled.Disabled {
		t.Error("the account is not disabled")
	}
	var refusal struct{ Error string }
	paste(t, own, &refusal)
	if refusal.Error != "invalid_client" {
		t.Errorf("a disabled account's token request answered %q, want invalid_client", refusal.Error)
	}
	var said struct{ Active *bool }
	paste(t, "curl -s "+s.url+"/introspect "+authorization+" -d token="+token.AccessToken, &said)
	if said.Active == nil || *said.Active {
		t.Error("introspection does not say that a disabled account's token is inactive")
	}
}

// printedCommands cuts the two curls out of the page, continuation lines included.
func printedCommands(t *testing.T, page string) []string {
	t.Helper()
	commands := regexp.MustCompile(`(?m)^  curl (?:.*\\\n)*.*$`).FindAllString(page, -1)
	if len(commands) != 2 {
		t.Fatalf("%d commands are printed, want 2:\n%s", len(commands), page)
	}
	return commands
}

// paste gives a command to a shell, as a terminal would.
func paste(t *testing.T, command string, into any) {
	t.Helper()
	shell := exec.CommandContext(t.Context(), "sh", "-c", command)
	var stderr strings.Builder
	shell.Stderr = &stderr
	answer, err := shell.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", command, err, stderr.String())
	}
	if err := json.Unmarshal(answer, into); err != nil {
		t.Fatalf("%s answered %s: %v", command, answer, err)
	}
}
