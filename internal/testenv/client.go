package testenv

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

// Login is a client id and its secret.
type Login struct{ ID, Secret string }

// Basic authenticates a request by the header, encoded as RFC 6749, section 2.3.1 says.
func (l Login) Basic() func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(url.QueryEscape(l.ID), url.QueryEscape(l.Secret)) }
}

// Form returns the parameters of a token request by client_secret_post.
func (l Login) Form() url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "client_id": {l.ID}, "client_secret": {l.Secret}}
}

// Bearer authenticates a request by a token.
func Bearer(token string) func(*http.Request) { return Header("Authorization", "Bearer "+token) }

// Header adds a header line.
func Header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Add(name, value) }
}

// Machine is a service account with its primary credential.
type Machine struct {
	Login
	Account    accounts.ServiceAccount
	Credential accounts.Credential
}

// At names the account to the service.
func (m Machine) At() accounts.AccountRef {
	return accounts.AccountRef{Org: accounts.ByID(m.Account.OrgID), Account: accounts.ByID(m.Account.ID)}
}

// Org makes an organization, which change may alter beforehand.
func (e *Env) Org(t testing.TB, slug string, change ...func(*accounts.NewOrg)) accounts.Org {
	t.Helper()
	in := accounts.NewOrg{Slug: slug, Name: slug}
	for _, apply := range change {
		apply(&in)
	}
	org, _, err := e.Service.CreateOrg(t.Context(), Operator, in)
	must(t, err)
	return org
}

// Machine makes a service account of an org, which change may alter beforehand.
func (e *Env) Machine(t testing.TB, org, slug, role string, change ...func(*accounts.NewAccount)) Machine {
	t.Helper()
	in := accounts.NewAccount{Slug: slug, Name: slug, Role: role, Credential: &accounts.FirstCredential{}}
	for _, apply := range change {
		apply(&in)
	}
	made, err := e.Service.CreateAccount(t.Context(), Operator, accounts.BySlug(org), in)
	must(t, err)
	return Machine{
		Login:   Login{ID: made.Credential.ClientID, Secret: made.Secret.Reveal()},
		Account: made.Account, Credential: made.Credential,
	}
}

// Role makes a role of the permissions in an org.
func (e *Env) Role(t testing.TB, org, slug string, permissions ...string) accounts.Role {
	t.Helper()
	role, _, err := e.Service.CreateRole(t.Context(), Operator, accounts.BySlug(org), accounts.NewRole{
		Slug: slug, Name: slug, Permissions: authz.MustSet(permissions...),
	})
	must(t, err)
	return role
}

// Answer is an answer with its body read.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// JSON reads the body as an object.
func (a Answer) JSON(t testing.TB) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(a.Body), &object); err != nil {
		t.Fatalf("the body is no JSON object: %v: %s", err, a.Body)
	}
	return object
}

// Do sends a request to a path of the server, or to another URL.
func (e *Env) Do(t testing.TB, method, target, body string, change ...func(*http.Request)) Answer {
	t.Helper()
	if strings.HasPrefix(target, "/") {
		target = e.URL + target
	}
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	must(t, err)
	for _, apply := range change {
		apply(r)
	}
	response, err := client.Do(r)
	must(t, err)
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	must(t, err)
	return Answer{Status: response.StatusCode, Header: response.Header, Body: string(read)}
}

// The client follows nothing, so that a redirect shows.
var client = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Post sends a form.
func (e *Env) Post(t testing.TB, path string, form url.Values, change ...func(*http.Request)) Answer {
	t.Helper()
	asForm := Header("Content-Type", "application/x-www-form-urlencoded")
	return e.Do(t, http.MethodPost, path, form.Encode(), append([]func(*http.Request){asForm}, change...)...)
}

// Token trades a login for an access token. Parameters are pairs, as "scope", "api:read".
func (e *Env) Token(t testing.TB, login Login, parameters ...string) string {
	t.Helper()
	form := login.Form()
	for i := 0; i+1 < len(parameters); i += 2 {
		form.Add(parameters[i], parameters[i+1])
	}
	answer := e.Post(t, "/token", form)
	token, ok := answer.JSON(t)["access_token"].(string)
	if answer.Status != http.StatusOK || !ok {
		t.Fatalf("no token: %d %s", answer.Status, answer.Body)
	}
	return token
}
