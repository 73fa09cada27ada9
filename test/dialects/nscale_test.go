package dialects_test

import (
	"fmt"
	"net/url"

	"github.com/signet-issuer/signet/internal/testenv"
)

var nscaleDoor = door{name: "nscale", steps: map[string]step{
	"authenticate": {play: nscaleAuthenticate},
	"create":       {play: nscaleCreate},
	"read": {play: func(p *play) {
		p.log.remark("Nscale reads one account in the list of all. The group agrees.")
		p.say(200, "GET", p.nscale("groups", p.seen["group"]), "")
	}},
	"list":                       {play: nscaleList},
	"update":                     {absent: "Nscale has no PATCH: PUT replaces."},
	"replace":                    {play: nscaleReplace},
	"second credential":          {play: nscaleSecondCredential},
	"token with each credential": {play: nscaleTokens},
	"last used": {play: func(p *play) {
		p.log.remark("Nscale does not show it: the native API does.")
		p.say(200, "GET", p.native(p.seen["id"]), "")
	}},
	"rotate":   {play: nscaleRotate},
	"refusals": {play: nscaleRefusals},
	"pages":    {play: nscalePages},
	"search":   {absent: "Nscale has no search."},
	"quota":    {play: nscaleQuota},
	"disable":  {play: nscaleDisable},
	"delete":   {play: nscaleDelete},
}}

// nscale is a path in the organization.
func (p *play) nscale(parts ...string) string {
	path := "/api/v1/organizations/" + p.org.ID.String()
	for _, part := range parts {
		path += "/" + part
	}
	return path
}

func nscaleAuthenticate(p *play) {
	p.log.remark("The administrator's account gets its first token by the native API.")
	bearer := p.Token(p.T, p.admin.Login)
	got := p.say(201, "POST", p.native("administrator")+"/credentials", `{"kind":"token","name":"console"}`, as(bearer))
	p.token = got.text(p.T, "token")
	p.say(200, "GET", "/api/v1/organizations", "")
}

func nscaleCreate(p *play) {
	roles := p.say(200, "GET", p.nscale("roles"), "")
	var api string
	for i := range roles.list(p.T) {
		if roles.text(p.T, i, "metadata", "name") == "api" {
			api = roles.text(p.T, i, "metadata", "id")
		}
	}
	group := p.say(201, "POST", p.nscale("groups"), fmt.Sprintf(`{"metadata":{"name":"pipelines"},"spec":{"roleIDs":[%q],"serviceAccountIDs":[]}}`, api))
	p.keep(group, "group", "metadata", "id")
	p.seen["role"] = api
	got := p.say(201, "POST", p.nscale("serviceaccounts"), fmt.Sprintf(
		`{"metadata":{"name":"ci-runner","description":"Deploys"},"spec":{"groupIDs":[%q,"0aaba80d-67ef-4799-b6d9-59f37e2ce2ad"]}}`, p.seen["group"]))
	p.keep(got, "id", "metadata", "id")
	p.keep(got, "token", "status", "accessToken")
}

func nscaleList(p *play) {
	p.say(200, "GET", p.nscale("serviceaccounts"), "")
	p.log.remark("The account itself sees itself alone.")
	p.say(200, "GET", p.nscale("serviceaccounts"), "", header("Authorization", "bearer "+p.seen["token"]))
}

func nscaleReplace(p *play) {
	p.say(200, "PUT", p.nscale("serviceaccounts", p.seen["id"]), `{"metadata":{"name":"ci-runner","tags":[{"name":"team","value":"build"}]},"spec":{"groupIDs":[]}}`)
	p.log.remark("The membership of an account is that of the group, too.")
	p.say(200, "PUT", p.nscale("groups", p.seen["group"]), fmt.Sprintf(
		`{"metadata":{"name":"pipelines"},"spec":{"roleIDs":[%q],"serviceAccountIDs":[%q]}}`, p.seen["role"], p.seen["id"]))
	p.say(200, "GET", p.nscale("serviceaccounts"), "", as(p.seen["token"]))
}

func nscaleSecondCredential(p *play) {
	p.log.remark("Nscale knows one token an account. Other credentials are an addition of the native API.")
	got := p.say(201, "POST", p.native(p.seen["id"])+"/credentials", `{"kind":"secret","name":"second"}`)
	p.keep(got, "client 2", "clientId")
	p.keep(got, "secret 2", "clientSecret")
}

// passport is a token exchange.
func passport(token string) string {
	return url.Values{
		"grant_type":         {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token":      {token},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
	}.Encode()
}

func nscaleTokens(p *play) {
	p.say(200, "GET", "/oauth2/v2/userinfo", "", as(p.seen["token"]))
	p.say(200, "POST", "/oauth2/v2/token", passport(p.seen["token"]), asForm, anonymous)
	p.say(200, "POST", "/oauth/token", form(testenv.Login{ID: p.seen["client 2"], Secret: p.seen["secret 2"]}), asForm, anonymous)
	sent := url.Values{"token": {p.seen["token"]}}.Encode()
	p.say(200, "POST", "/introspect", sent, asForm, as(p.seen["token"]))
	p.log.remark("The token is no secret of a client.")
	p.say(401, "POST", "/oauth/token", form(testenv.Login{ID: p.seen["id"], Secret: p.seen["token"]}), asForm, anonymous)
}

func nscaleRotate(p *play) {
	p.log.remark("The account does it itself. The old token dies.")
	got := p.say(200, "POST", p.nscale("serviceaccounts", p.seen["id"], "rotate"), "", as(p.seen["token"]))
	p.say(401, "GET", "/oauth2/v2/userinfo", "", as(p.seen["token"]))
	p.keep(got, "token", "status", "accessToken")
	p.say(200, "GET", "/oauth2/v2/userinfo", "", as(p.seen["token"]))
}

func nscaleRefusals(p *play) {
	const other = "0199c1a2-7f34-7cc1-9d1e-3a5b8f2c4d01"
	accounts := p.nscale("serviceaccounts")
	p.log.remark("no token, a bad one, and one without the permission")
	p.say(401, "GET", accounts, "", anonymous)
	p.say(401, "GET", accounts, "", as("bad"))
	p.say(403, "POST", accounts, `{"metadata":{"name":"x"},"spec":{"groupIDs":[]}}`, as(p.seen["token"]))
	p.log.remark("what breaks a rule")
	p.say(400, "POST", accounts, `{"metadata":{"name":"-x-"},"spec":{"groupIDs":[]}}`)
	p.say(400, "POST", accounts, `{"metadata":{"name":"x"}}`)
	p.say(400, "POST", accounts, `{"metadata":{"name":"x"},"spec":{"groupIDs":[]},"isAdmin":true}`)
	p.log.remark("ids that are none, absent, or of another organization")
	p.say(400, "DELETE", accounts+"/absent", "")
	p.say(404, "DELETE", accounts+"/"+other, "")
	p.say(403, "GET", "/api/v1/organizations/"+other+"/serviceaccounts", "")
	p.log.remark("what the token endpoint does not take")
	p.say(400, "POST", "/oauth2/v2/token", "client_id=x", asForm, anonymous)
	p.say(400, "POST", "/oauth2/v2/token", grant, asForm, anonymous)
	p.say(401, "POST", "/oauth2/v2/token", passport("wrong"), asForm, anonymous)
	p.log.remark("a path and a method that there are not")
	p.say(404, "GET", p.nscale("projects"), "")
	p.say(405, "PATCH", accounts+"/"+p.seen["id"], "{}")
}

func nscalePages(p *play) {
	p.fill()
	seen := map[any]int{}
	var last string
	got := p.aside(p.nscale("serviceaccounts"))
	for i := range got.list(p.T) {
		id := got.text(p.T, i, "metadata", "id")
		if id <= last {
			p.Errorf("%s comes after %s", id, last)
		}
		last = id
		seen[id]++
	}
	p.log.remark("Nscale has no pages: the list is whole, and sorted by id.")
	p.complete(seen, 1)
}

func nscaleQuota(p *play) {
	p.full(p.T, p.org.Slug)
	p.say(403, "POST", p.nscale("serviceaccounts"), `{"metadata":{"name":"one-more"},"spec":{"groupIDs":[]}}`)
}

func nscaleDisable(p *play) {
	p.log.remark("Nscale has no such operation: the native API has.")
	p.disable(p.seen["id"])
	p.say(401, "GET", "/oauth2/v2/userinfo", "", as(p.seen["token"]))
	p.say(401, "POST", "/oauth/token", form(testenv.Login{ID: p.seen["client 2"], Secret: p.seen["secret 2"]}), asForm, anonymous)
}

func nscaleDelete(p *play) {
	account := p.nscale("serviceaccounts", p.seen["id"])
	p.say(200, "DELETE", account, "")
	p.say(404, "DELETE", account, "")
	p.say(200, "GET", p.nscale("groups", p.seen["group"]), "")
}
