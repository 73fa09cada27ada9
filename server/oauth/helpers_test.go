package oauth_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/signet-issuer/signet/internal/testenv"
)

// allowedInDescription is RFC 6749, section 5.2: no quotes, no backslash.
var allowedInDescription = regexp.MustCompile(`^[\x20-\x21\x23-\x5B\x5D-\x7E]+$`)

// wantError checks everything that each error of the surface has in common.
func wantError(t testing.TB, answer testenv.Answer, status int, code string) {
	t.Helper()
	if answer.Status != status {
		t.Fatalf("status %d, want %d: %s", answer.Status, status, answer.Body)
	}
	body := answer.JSON(t)
	if body["error"] != code {
		t.Errorf("error %v, want %s: %v", body["error"], code, body["error_description"])
	}
	description, _ := body["error_description"].(string)
	if len(body) != 2 || !allowedInDescription.MatchString(description) {
		t.Errorf("the body is %s", answer.Body)
	}
	wantNoStore(t, answer)
	if got := answer.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
	if challenge := answer.Header.Get("Www-Authenticate"); (status == http.StatusUnauthorized) != (challenge != "") {
		t.Errorf("WWW-Authenticate %q with status %d", challenge, status)
	}
	retry := status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
	if after := answer.Header.Get("Retry-After"); retry != (after != "") {
		t.Errorf("Retry-After %q with status %d", after, status)
	}
}

func wantNoStore(t testing.TB, answer testenv.Answer) {
	t.Helper()
	if answer.Header.Get("Cache-Control") != "no-store" || answer.Header.Get("Pragma") != "no-cache" {
		t.Errorf("Cache-Control %q, Pragma %q", answer.Header.Get("Cache-Control"), answer.Header.Get("Pragma"))
	}
}

// wantToken checks an answer of the token endpoint and returns its body.
func wantToken(t testing.TB, answer testenv.Answer) map[string]any {
	t.Helper()
	if answer.Status != http.StatusOK {
		t.Fatalf("status %d: %s", answer.Status, answer.Body)
	}
	wantNoStore(t, answer)
	body := answer.JSON(t)
	if token, _ := body["access_token"].(string); strings.Count(token, ".") != 2 || body["token_type"] != "Bearer" {
		t.Fatalf("the body is %s", answer.Body)
	}
	return body
}

// with copies a form and adds to it.
func with(form url.Values, parameters ...string) url.Values {
	changed := url.Values{}
	for name, values := range form {
		changed[name] = append([]string(nil), values...)
	}
	for i := 0; i+1 < len(parameters); i += 2 {
		changed.Add(parameters[i], parameters[i+1])
	}
	return changed
}

// grant is the form of a token request that authenticates elsewhere.
func grant(parameters ...string) url.Values {
	return with(url.Values{"grant_type": {"client_credentials"}}, parameters...)
}

// start runs a server with an org "acme" and a machine "bot" that has the role api.
func start(t testing.TB, change ...func(*testenv.Config)) (*testenv.Env, testenv.Machine) {
	t.Helper()
	env := testenv.Start(t, change...)
	env.Org(t, "acme")
	return env, env.Machine(t, "acme", "bot", "api")
}

// generous limits nothing.
type generous struct{}

func (generous) Allow(context.Context, string, int, time.Duration) (bool, time.Duration) {
	return true, 0
}
