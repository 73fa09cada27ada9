package admin_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/internal/testenv"
)

// cutoff is a way to end what a credential is good for.
type cutoff struct {
	name    string
	do      []write // {credential} {secret} {jti} are filled in
	undo    []write // what an administrator may try to bring it back
	refuses bool    // whether new tokens are refused, too
	back    bool    // whether the undoing lets new tokens be issued
}

const (
	cutOrg     = "/v2/orgs/acme"
	cutAccount = cutOrg + "/service-accounts/bot"
)

var cutoffs = []cutoff{
	{"account disabled", []write{{"PATCH", cutAccount, `{"disabled":true}`, "", ""}}, []write{{"PATCH", cutAccount, `{"disabled":false}`, "", ""}}, true, true},
	{"account deleted", []write{{"DELETE", cutAccount, "", "", ""}}, nil, true, false},
	{"rotated", []write{{"POST", cutAccount + "/rotate", "", "", ""}}, nil, true, false},
	{"credential disabled", []write{{"PATCH", cutAccount + "/credentials/{credential}", `{"disabled":true}`, "", ""}}, []write{{"PATCH", cutAccount + "/credentials/{credential}", `{"disabled":false}`, "", ""}}, true, true},
	{"credential deleted", []write{{"DELETE", cutAccount + "/credentials/{credential}", "", "", ""}}, nil, true, false},
	{"secret retired", []write{{"DELETE", cutAccount + "/credentials/{credential}/secrets/{secret}", "", "", ""}}, nil, true, false},
	{"org disabled", []write{{"PATCH", cutOrg, `{"disabled":true}`, "", ""}}, []write{{"PATCH", cutOrg, `{"disabled":false}`, "", ""}}, true, true},
	{"org deleted", []write{{"DELETE", cutOrg, "", "", ""}}, nil, true, false},
	{"tokens revoked", []write{{"DELETE", cutAccount + "/tokens", "", "", ""}}, nil, false, false},
	{"token revoked", []write{{"DELETE", cutAccount + "/tokens/{jti}", "", "", ""}}, nil, false, false},
	{"role lowered", []write{{"PATCH", cutAccount, `{"roleSlug":"member"}`, "", ""}}, nil, false, false},
	{"scopes narrowed", []write{{"PATCH", cutAccount, `{"scopes":["llm:*"]}`, "", ""}}, nil, false, false},
	{"credential narrowed", []write{{"PATCH", cutAccount + "/credentials/{credential}", `{"scopes":["llm:*"]}`, "", ""}}, nil, false, false},
}

// After the answer nothing works any more, through whichever door, and bringing the account
// back does not bring its tokens back.
func TestI9_I10_I12_I14_CutOffBitesAtOnce(t *testing.T) {
	for _, cached := range []bool{false, true} {
		for _, c := range cutoffs {
			name := c.name
			if cached {
				name += " with cache"
			}
			t.Run(name, func(t *testing.T) {
				c.check(t, start(t, func(config *testenv.Config) { config.Cache = cached }))
			})
		}
	}
}

func (c cutoff) check(t *testing.T, s *server) {
	t.Helper()
	s.Org(t, "acme")
	login := s.issued(t, "bot", "agent-standard")
	door := `{"clientSecret":"` + login.Secret + `"}`
	before := []string{
		s.Token(t, login),
		s.call(t, "POST", cutAccount+"/token", door).wants(t, 200).text(t, "accessToken"),
	}
	for _, token := range before {
		if !s.active(t, token) {
			t.Fatal("a fresh token is not active")
		}
	}
	fill := s.names(t, login, before[0])
	if strings.Contains(c.do[0].path, "{jti}") {
		before = before[:1]
	}
	s.apply(t, fill, c.do)
	s.wantDead(t, before)
	if c.refuses {
		s.wantRefused(t, login)
	}
	s.apply(t, fill, c.undo)
	s.wantDead(t, before)
	switch {
	case c.back, !c.refuses:
		if !s.active(t, s.Token(t, login)) {
			t.Error("a new token is not active")
		}
	default:
		s.wantRefused(t, login)
	}
}

// names finds what the paths of a cut-off speak of.
func (s *server) names(t *testing.T, login testenv.Login, token string) *strings.Replacer {
	t.Helper()
	list := s.sys(t, "GET", cutAccount+"/credentials", "").wants(t, 200)
	credential := list.results(t, "id")[0]
	if got := list.results(t, "clientId")[0]; got != login.ID {
		t.Fatalf("the first credential is %s", got)
	}
	secret := s.sys(t, "GET", cutAccount+"/credentials/"+credential+"/secrets", "").wants(t, 200).results(t, "id")[0]
	live := s.sys(t, "GET", cutAccount+"/tokens", "").wants(t, 200).results(t, "jti")
	jti := jtiOf(t, token)
	if len(live) != 2 || !slices.Contains(live, jti) {
		t.Fatalf("live tokens %v lack %s", live, jti)
	}
	return strings.NewReplacer("{credential}", credential, "{secret}", secret, "{jti}", jti)
}

func jtiOf(t *testing.T, token string) string {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct{ JTI string }
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims.JTI
}

func (s *server) apply(t *testing.T, fill *strings.Replacer, writes []write) {
	t.Helper()
	for _, w := range writes {
		s.sys(t, w.method, fill.Replace(w.path), w.body).wants(t, 200)
	}
}

func (s *server) active(t *testing.T, token string) bool {
	t.Helper()
	got := s.Post(t, "/introspect", url.Values{"token": {token}}, s.Admin.Basic())
	if got.Status != 200 {
		t.Fatalf("introspection: %d %s", got.Status, got.Body)
	}
	return got.JSON(t)["active"] == true
}

func (s *server) wantDead(t *testing.T, tokens []string) {
	t.Helper()
	for _, token := range tokens {
		if s.active(t, token) {
			t.Error("the token is still active")
		}
	}
}

func (s *server) wantRefused(t *testing.T, login testenv.Login) {
	t.Helper()
	if got := s.Post(t, "/token", login.Form()); got.Status != 401 {
		t.Errorf("/token answers %d %s", got.Status, got.Body)
	}
	s.call(t, "POST", cutAccount+"/token", `{"clientSecret":"`+login.Secret+`"}`).refused(t, 401, "AuthenticationError")
}

// What ends a machine's token ends an administrator's as well.
func TestI9_CutOffAdministratorsStopAtOnce(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	for _, w := range []write{
		{"PATCH", "/v2/orgs/acme/service-accounts/chief", `{"disabled":true}`, "", ""},
		{"DELETE", "/v2/orgs/acme/service-accounts/chief-2", "", "", ""},
		{"POST", "/v2/orgs/acme/service-accounts/chief-3/rotate", "", "", ""},
		{"DELETE", "/v2/orgs/acme/service-accounts/chief-4/tokens", "", "", ""},
		{"PATCH", "/v2/orgs/acme/service-accounts/chief-5", `{"roleSlug":"viewer"}`, "", ""},
		{"PATCH", "/v2/orgs/acme", `{"disabled":true}`, "", ""},
	} {
		slug := strings.Split(w.path+"////chief-6", "/")[5]
		if slug == "" {
			slug = "chief-6"
		}
		token := s.administrator(t, "acme", slug, "admin")
		s.call(t, "GET", "/v2/orgs/acme", "", as(token)).wants(t, 200)
		s.sys(t, w.method, w.path, w.body).wants(t, 200)
		s.call(t, "GET", "/v2/orgs/acme", "", as(token)).refused(t, 401, "AuthenticationError")
	}
}

// A dead account's slug is never given again, so that its sub never changes hands.
func TestI13_DeadSlugsStayDead(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	s.issued(t, "bot", "api")
	s.sys(t, "DELETE", cutAccount, "").wants(t, 200)
	s.sys(t, "POST", "/v2/orgs/acme/service-accounts", `{"slug":"bot","name":"b"}`).refused(t, 409, "AlreadyUsed")
	s.sys(t, "DELETE", cutOrg, "").wants(t, 200)
	s.sys(t, "POST", "/v2/orgs", `{"slug":"acme","name":"a"}`).refused(t, 409, "AlreadyUsed")
}
