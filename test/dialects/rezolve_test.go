package dialects_test

import (
	"fmt"

	"github.com/signet-issuer/signet/internal/testenv"
)

var rezolveDoor = door{name: "rezolve", steps: map[string]step{
	"authenticate":               {play: prismeAuthenticate},
	"create":                     {play: rezolveCreate},
	"read":                       {play: func(p *play) { p.rezolve(200, "GET", "/"+p.seen["id"], "") }},
	"list":                       {play: func(p *play) { p.rezolve(200, "GET", "", "") }},
	"update":                     {play: rezolveUpdate},
	"replace":                    {absent: "Rezolve.ai has no PUT: PATCH merges, and its arrays replace."},
	"second credential":          {play: rezolveSecondCredential},
	"token with each credential": {play: rezolveTokens},
	"last used":                  {play: func(p *play) { p.rezolve(200, "GET", "/"+p.seen["id"], "") }},
	"rotate":                     {play: rezolveRotate},
	"refusals":                   {play: rezolveRefusals},
	"pages":                      {play: rezolvePages},
	"search":                     {absent: "Rezolve.ai has no search."},
	"quota":                      {play: rezolveQuota},
	"disable":                    {play: rezolveDisable},
	"delete":                     {play: rezolveDelete},
}}

const (
	rezolveAccounts = "/api/v1/admin/service-account/create"
	rezolveClients  = "/api/v1/oauth-clients"
)

// tenant names the organization as Rezolve.ai does.
func (p *play) tenant() option { return header("X-Tenantid", p.org.ID.String()) }

// rezolve calls about OAuth clients of the tenant.
func (p *play) rezolve(status int, method, path, sent string) answer {
	p.Helper()
	return p.say(status, method, rezolveClients+path, sent, p.tenant())
}

func rezolveCreate(p *play) {
	got := p.say(200, "POST", rezolveAccounts, "", p.tenant())
	p.keep(got, "id", "data", "id")
	p.keep(got, "client", "data", "clientId")
	p.keep(got, "secret", "data", "clientSecret")
	p.log.remark("again within the same second")
	p.say(200, "POST", rezolveAccounts, "", p.tenant())
	p.log.remark("an account as an OAuth client")
	p.rezolve(200, "POST", "", `{"name":"Reports","clientType":"confidential","redirectUris":[],"grantTypes":["client_credentials"],"scopes":["api:read"]}`)
}

func rezolveUpdate(p *play) {
	p.rezolve(200, "PATCH", "/"+p.seen["id"], `{"name":"CI runner","scopes":["api:read"]}`)
}

func rezolveSecondCredential(p *play) {
	p.log.remark("Rezolve.ai knows one credential a client. More are an addition of the native API, which takes the id without its prefix.")
	got := p.say(201, "POST", p.native(p.seen["id"][len("sa-"):])+"/credentials", `{"kind":"secret","name":"second"}`)
	p.keep(got, "client 2", "clientId")
	p.keep(got, "secret 2", "clientSecret")
}

func rezolveTokens(p *play) {
	p.say(200, "POST", "/api/v1/oauth/token", form(testenv.Login{ID: p.seen["client"], Secret: p.seen["secret"]}), asForm, anonymous)
	got := p.say(200, "POST", "/oauth/token", form(testenv.Login{ID: p.seen["client 2"], Secret: p.seen["secret 2"]}), asForm, anonymous)
	p.keep(got, "token", "access_token")
}

func rezolveRotate(p *play) {
	got := p.rezolve(200, "POST", "/"+p.seen["id"]+"/rotate-secret", "")
	p.say(401, "POST", "/oauth/token", form(testenv.Login{ID: p.seen["client"], Secret: p.seen["secret"]}), asForm, anonymous)
	p.keep(got, "secret", "data", "clientSecret")
	p.say(200, "POST", "/oauth/token", form(testenv.Login{ID: p.seen["client"], Secret: p.seen["secret"]}), asForm, anonymous)
}

func rezolveRefusals(p *play) {
	const other = "0199c1a2-7f34-7cc1-9d1e-3a5b8f2c4d01"
	p.log.remark("no token, a bad one, and one without the permission")
	p.say(401, "POST", rezolveAccounts, "", p.tenant(), anonymous)
	p.say(401, "POST", rezolveAccounts, "", p.tenant(), as("bad"))
	p.say(403, "POST", rezolveAccounts, "", p.tenant(), as(p.powerless()))
	p.log.remark("no tenant, one that is none, and one that is not the caller's")
	p.say(400, "POST", rezolveAccounts, "")
	p.say(400, "POST", rezolveAccounts, "", header("X-Tenantid", "acme"))
	p.say(403, "POST", rezolveAccounts, "", header("X-Tenantid", other))
	p.log.remark("what breaks a rule")
	p.say(400, "POST", rezolveAccounts, `{"isAdmin":true}`, p.tenant())
	p.rezolve(400, "POST", "", `{"name":"Reports"}`)
	p.rezolve(400, "GET", "?limit=101", "")
	p.log.remark("ids that are none, or absent")
	p.rezolve(400, "GET", "/absent", "")
	p.rezolve(404, "GET", "/"+other, "")
	p.log.remark("a path and a method that there are not")
	p.say(404, "GET", "/api/v1/admin/service-account/list", "", p.tenant())
	p.say(405, "GET", rezolveAccounts, "", p.tenant())
}

func rezolvePages(p *play) {
	p.fill()
	p.rezolve(200, "GET", "?limit=1&offset=1", "")
	page := func(number int) []any {
		path := fmt.Sprintf("%s?limit=100&offset=%d", rezolveClients, 100*number)
		return p.aside(path, p.tenant()).list(p.T, "data", "clients")
	}
	seen := map[any]int{}
	for number := range 3 {
		for _, one := range page(number) {
			seen[one.(map[string]any)["id"]]++
		}
	}
	for number := range 3 { // and back
		for _, one := range page(2 - number) {
			seen[one.(map[string]any)["id"]]++
		}
	}
	p.complete(seen, 2)
}

func rezolveQuota(p *play) {
	p.full(p.T, p.org.Slug)
	p.say(409, "POST", rezolveAccounts, "", p.tenant())
}

func rezolveDisable(p *play) {
	p.log.remark("Rezolve.ai has no such operation: the native API has.")
	p.disable(p.seen["id"][len("sa-"):])
	p.say(401, "POST", "/oauth/token", form(testenv.Login{ID: p.seen["client"], Secret: p.seen["secret"]}), asForm, anonymous)
}

func rezolveDelete(p *play) {
	p.rezolve(200, "DELETE", "/"+p.seen["id"], "")
	p.rezolve(409, "DELETE", "/"+p.seen["id"], "")
	p.rezolve(404, "GET", "/"+p.seen["id"], "")
}
