package dialects_test

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/signet-issuer/signet/internal/testenv"
)

var prismeDoor = door{name: "prisme", steps: map[string]step{
	"authenticate":               {play: prismeAuthenticate},
	"create":                     {play: prismeCreate},
	"read":                       {play: func(p *play) { p.say(200, "GET", p.native("ci-runner"), "") }},
	"list":                       {play: func(p *play) { p.say(200, "GET", p.native(""), "") }},
	"update":                     {play: prismeUpdate},
	"replace":                    {absent: "Prisme.ai has no PUT: PATCH merges."},
	"second credential":          {play: prismeSecondCredential},
	"token with each credential": {play: prismeTokens},
	"last used":                  {play: func(p *play) { p.say(200, "GET", p.native("ci-runner"), "") }},
	"rotate":                     {play: prismeRotate},
	"refusals":                   {play: prismeRefusals},
	"pages":                      {play: prismePages},
	"search":                     {play: prismeSearch},
	"quota":                      {play: prismeQuota},
	"disable":                    {play: prismeDisable},
	"delete":                     {play: prismeDelete},
}}

func prismeAuthenticate(p *play) {
	got := p.say(200, "POST", "/oauth/token", form(p.admin.Login), asForm)
	p.token = got.text(p.T, "access_token")
}

func prismeCreate(p *play) {
	got := p.say(201, "POST", p.native(""), `{"slug":"ci-runner","name":"CI runner","roleSlug":"api","description":"Deploys","scopes":["api:read"]}`)
	p.keep(got, "id", "id")
	p.keep(got, "userId", "userId")
	p.keep(got, "client", "clientId")
	p.keep(got, "secret", "clientSecret")
}

func prismeUpdate(p *play) {
	p.say(200, "PATCH", p.native("ci-runner"), `{"description":"Deploys and tests","scopes":[]}`)
}

func prismeSecondCredential(p *play) {
	p.log.remark("Prisme.ai knows one secret an account. More are an addition of the native API.")
	got := p.say(201, "POST", p.native("ci-runner")+"/credentials", `{"kind":"secret","name":"second"}`)
	p.keep(got, "client 2", "clientId")
	p.keep(got, "secret 2", "clientSecret")
}

func prismeTokens(p *play) {
	p.say(200, "POST", p.native("ci-runner")+"/token", fmt.Sprintf(`{"clientSecret":%q,"expiresIn":600}`, p.seen["secret"]), anonymous)
	for _, name := range []string{"client", "id", "userId"} {
		p.say(200, "POST", "/oauth/token", form(testenv.Login{ID: p.seen[name], Secret: p.seen["secret"]}), asForm, anonymous)
	}
	got := p.say(200, "POST", "/oauth/token", form(testenv.Login{ID: p.seen["client 2"], Secret: p.seen["secret 2"]}), asForm, anonymous)
	p.keep(got, "token", "access_token")
	p.say(200, "GET", "/oidc/.well-known/openid-configuration", "", anonymous)
}

func prismeRotate(p *play) {
	got := p.say(200, "POST", p.native("ci-runner")+"/rotate", "")
	p.say(401, "POST", p.native("ci-runner")+"/token", fmt.Sprintf(`{"clientSecret":%q}`, p.seen["secret"]), anonymous)
	p.keep(got, "secret", "clientSecret")
	p.say(200, "POST", p.native("ci-runner")+"/token", fmt.Sprintf(`{"clientSecret":%q}`, p.seen["secret"]), anonymous)
}

func prismeRefusals(p *play) {
	accounts := p.native("")
	p.log.remark("no token, a bad one, and one without the permission")
	p.say(401, "GET", accounts, "", anonymous)
	p.say(401, "GET", accounts, "", as("bad"))
	p.say(403, "GET", accounts, "", as(p.powerless()))
	p.log.remark("what breaks a rule")
	p.say(400, "POST", accounts, `{"slug":"Not a slug","name":"","roleSlug":"api"}`)
	p.say(400, "POST", accounts, `{"slug":"x","name":"x","roleSlug":"api","isAdmin":true}`)
	p.say(409, "POST", accounts, `{"slug":"ci-runner","name":"again","roleSlug":"api"}`)
	p.log.remark("what is absent, or of another organization")
	p.say(404, "GET", p.native("absent"), "")
	p.say(404, "DELETE", p.native("absent"), "")
	p.say(404, "GET", "/v2/orgs/system/service-accounts", "")
	p.log.remark("a wrong secret and an account that is absent")
	p.say(401, "POST", p.native("ci-runner")+"/token", `{"clientSecret":"wrong"}`, anonymous)
	p.say(401, "POST", p.native("absent")+"/token", `{"clientSecret":"wrong"}`, anonymous)
	p.say(401, "POST", "/oauth/token", form(testenv.Login{ID: p.seen["id"], Secret: "wrong"}), asForm, anonymous)
	p.log.remark("a method that there is not")
	p.say(405, "PUT", p.native("ci-runner"), "{}")
}

func prismePages(p *play) {
	p.fill()
	p.say(200, "GET", p.native("")+"?limit=1&page=2", "")
	page := func(number int) []any {
		return p.aside(fmt.Sprintf("%s?limit=100&page=%d", p.native(""), number)).list(p.T, "results")
	}
	seen := map[any]int{}
	for number := range 3 {
		for _, one := range page(number + 1) {
			seen[one.(map[string]any)["slug"]]++
		}
	}
	for number := range 3 { // and back
		for _, one := range page(3 - number) {
			seen[one.(map[string]any)["slug"]]++
		}
	}
	p.complete(seen, 2)
}

func prismeSearch(p *play) {
	p.say(200, "GET", p.native("")+"?search="+url.QueryEscape("cI Run"), "")
	if got := p.aside(p.native("")+"?search=crowd-24").list(p.T, "results"); len(got) != 10 {
		p.Errorf("found %d of 10", len(got))
	}
}

func prismeQuota(p *play) {
	p.full(p.T, p.org.Slug)
	p.say(409, "POST", p.native(""), `{"slug":"one-more","name":"One more","roleSlug":"api"}`)
}

func prismeDisable(p *play) {
	p.disable("ci-runner")
	p.say(401, "POST", p.native("ci-runner")+"/token", fmt.Sprintf(`{"clientSecret":%q}`, p.seen["secret"]), anonymous)
	p.say(401, "POST", "/oauth/token", form(testenv.Login{ID: p.seen["client 2"], Secret: p.seen["secret 2"]}), asForm, anonymous)
}

func prismeDelete(p *play) {
	p.say(200, "DELETE", p.native("ci-runner"), "")
	p.say(404, "GET", p.native("ci-runner"), "")
	p.say(409, "POST", p.native(""), `{"slug":"ci-runner","name":"CI runner","roleSlug":"api"}`)
}

// native without an account is the list.
func (p *play) native(account string) string {
	return strings.TrimSuffix("/v2/orgs/"+p.org.Slug+"/service-accounts/"+url.PathEscape(account), "/")
}
