package admin_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/testenv"
)

const botCredentials = "/v2/orgs/acme/service-accounts/bot/credentials"

func TestCredentialOfKindToken(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	s.issued(t, "bot", "viewer")
	made := s.sys(t, "POST", botCredentials, `{"kind":"token","name":"laptop"}`, idempotencyKey("k")).wants(t, 201)
	token := made.text(t, "token")
	if !regexp.MustCompile(`^sat_acme_[A-Za-z0-9_-]{43}$`).MatchString(token) || strings.Contains(made.body, "clientSecret") {
		t.Errorf("made %s", made.body)
	}
	end, err := time.Parse(time.RFC3339, made.text(t, "expiresAt"))
	if left := end.Sub(s.Clock.Now()); err != nil || left > accounts.DefaultTokenLife || left < accounts.DefaultTokenLife-time.Minute {
		t.Errorf("it lives %v, %v", left, err)
	}
	again := s.sys(t, "POST", botCredentials, `{"kind":"token","name":"laptop"}`, idempotencyKey("k")).wants(t, 201)
	if strings.Contains(again.body, "sat_") || !strings.Contains(again.body, `"secretAlreadyShown":true`) {
		t.Errorf("again %s", again.body)
	}

	s.call(t, "GET", "/v2/orgs/acme/service-accounts", "", as(token)).wants(t, 200)
	s.call(t, "POST", "/v2/orgs/acme/roles", `{"slug":"x","name":"X"}`, as(token)).refused(t, 403, "ForbiddenError")
	s.call(t, "GET", "/v2/orgs/other/service-accounts", "", as(token)).refused(t, 404, "ObjectNotFound")
	s.call(t, "POST", "/v2/orgs/acme/service-accounts/bot/token", `{"clientSecret":"`+token+`"}`).refused(t, 401, "AuthenticationError")

	one := botCredentials + "/" + made.text(t, "id")
	shown := s.sys(t, "GET", one, "").wants(t, 200)
	if shown.text(t, "kind") != "token" || shown.object(t)["lastUsedAt"] == nil {
		t.Errorf("shown %s", shown.body)
	}
	secrets := s.sys(t, "GET", one+"/secrets", "").wants(t, 200)
	if got := secrets.results(t, "hint"); len(got) != 1 || !strings.HasSuffix(token, got[0]) {
		t.Errorf("secrets %s", secrets.body)
	}
	s.sys(t, "POST", one+"/secrets", "").refused(t, 404, "ObjectNotFound")
	s.sys(t, "DELETE", one+"/secrets/"+secrets.results(t, "id")[0], "").refused(t, 404, "ObjectNotFound")
	for _, bad := range []string{`{"expiresAt":null}`, `{"expiresAt":"2099-01-01T00:00:00Z"}`} {
		s.sys(t, "PATCH", one, bad).refused(t, 400, "BadParameters")
	}
	s.sys(t, "POST", botCredentials, `{"kind":"token","name":"x","expiresAt":"2099-01-01T00:00:00Z"}`).refused(t, 400, "BadParameters")
	s.sys(t, "PATCH", one, `{"disabled":true}`).wants(t, 200)
	s.call(t, "GET", "/v2/orgs/acme/service-accounts", "", as(token)).refused(t, 401, "AuthenticationError")
	s.sys(t, "PATCH", one, `{"disabled":false}`).wants(t, 200)
	s.call(t, "GET", "/v2/orgs/acme/service-accounts", "", as(token)).refused(t, 401, "AuthenticationError")
	s.sys(t, "DELETE", one, "").wants(t, 200)
}

// An account that another dialect made with a token is rotated as such.
func TestRotateAnAccountWithAToken(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	m := s.Machine(t, "acme", "bot", "viewer", func(in *accounts.NewAccount) {
		in.Credential = &accounts.FirstCredential{Kind: accounts.KindToken}
	})
	const rotate = "/v2/orgs/acme/service-accounts/bot/rotate"
	s.sys(t, "POST", rotate, `{"overlapSeconds":60}`).refused(t, 400, "BadParameters")
	s.call(t, "GET", "/v2/orgs/acme", "", as(m.Secret)).wants(t, 200)
	rotated := s.sys(t, "POST", rotate, "").wants(t, 200)
	if rotated.text(t, "clientId") != m.ID || rotated.object(t)["previousSecretExpiresAt"] != nil {
		t.Errorf("rotated %s", rotated.body)
	}
	s.call(t, "GET", "/v2/orgs/acme", "", as(m.Secret)).refused(t, 401, "AuthenticationError")
	s.call(t, "GET", "/v2/orgs/acme", "", as(rotated.text(t, "token"))).wants(t, 200)
	// No account rotates itself at this door.
	s.call(t, "POST", rotate, "", as(rotated.text(t, "token"))).refused(t, 403, "ForbiddenError")
}

// Whatever dialect made a credential, its answers are as documented.
func TestCredentialsOfEveryShape(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	for _, shape := range []accounts.Shape{accounts.Native, accounts.Alphanumeric, accounts.Prefixed} {
		m := s.Machine(t, "acme", string(shape), "viewer", func(in *accounts.NewAccount) { in.Credential = &accounts.FirstCredential{Shape: shape} })
		at := "/v2/orgs/acme/service-accounts/" + string(shape)
		s.sys(t, "GET", at+"/credentials/"+m.Credential.ID.String(), "").wants(t, 200)
		added := s.sys(t, "POST", at+"/credentials/"+m.Credential.ID.String()+"/secrets", "").wants(t, 201).text(t, "clientSecret")
		for _, secret := range []string{m.Secret, added} {
			s.call(t, "POST", at+"/token", `{"clientSecret":"`+secret+`"}`).wants(t, 200)
			s.Token(t, testenv.Login{ID: m.ID, Secret: secret})
		}
		s.sys(t, "GET", at+"/tokens", "").wants(t, 200)
		s.sys(t, "POST", at+"/rotate", "").wants(t, 200)
	}
}
