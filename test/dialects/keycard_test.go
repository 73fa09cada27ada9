package dialects_test

import (
	"fmt"
	"net/url"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/testenv"
)

var keycardDoor = door{name: "keycard", steps: map[string]step{
	"authenticate": {play: keycardAuthenticate},
	"create":       {play: keycardCreate},
	"read": {play: func(p *play) {
		p.say(200, "GET", p.keycard(p.seen["id"]), "")
		p.say(200, "GET", p.keycard(p.seen["id"])+"?expand=permissions", "")
	}},
	"list":                       {play: func(p *play) { p.say(200, "GET", p.keycard("")+"?expand%5B%5D=permissions", "") }},
	"update":                     {play: keycardUpdate},
	"replace":                    {absent: "Keycard has no PUT: PATCH merges."},
	"second credential":          {play: keycardCredentials},
	"token with each credential": {play: keycardTokens},
	"last used":                  {play: func(p *play) { p.say(200, "GET", p.keycard(p.seen["id"])+"/credentials", "") }},
	"rotate":                     {play: keycardRotate},
	"refusals":                   {play: keycardRefusals},
	"pages":                      {play: keycardPages},
	"search":                     {absent: "Keycard has no search."},
	"quota":                      {play: keycardQuota},
	"disable":                    {play: keycardDisable},
	"delete":                     {play: keycardDelete},
}}

// keycard is the path of an account, or of the list, by the organization's label.
func (p *play) keycard(account string) string {
	path := "/organizations/" + p.org.Slug + "/service-accounts"
	if account != "" {
		path += "/" + account
	}
	return path
}

const grant = "grant_type=client_credentials"

func basic(id, secret string) option { return testenv.Login{ID: id, Secret: secret}.Basic() }

func keycardAuthenticate(p *play) {
	got := p.say(200, "POST", "/service-account-token", grant, asForm, basic(p.admin.ID, p.admin.Secret))
	p.token = got.text(p.T, "access_token")
}

func keycardCreate(p *play) {
	got := p.say(201, "POST", p.keycard(""), `{"name":"CI runner","description":"Deploys"}`,
		header("X-Client-Request-ID", "5f0c2c1e-8a52-4f0e-9d0b-0f6b6c7d8e9f"))
	p.keep(got, "id", "id")
	byID := p.say(200, "GET", "/organizations/"+accounts.ShortID(p.org.ID)+"/service-accounts/"+p.seen["id"], "")
	if byID.body != got.body {
		p.Errorf("by the organization's id it is %s", byID.body)
	}
}

func keycardUpdate(p *play) {
	p.say(200, "PATCH", p.keycard(p.seen["id"]), `{"description":"Deploys and tests"}`)
	p.say(200, "PATCH", p.keycard(p.seen["id"]), `{}`)
}

func keycardCredentials(p *play) {
	for _, name := range []string{"first", "second"} {
		got := p.say(201, "POST", p.keycard(p.seen["id"])+"/credentials", fmt.Sprintf(`{"name":%q}`, name))
		p.keep(got, name, "id")
		p.keep(got, name+" client", "client_id")
		p.keep(got, name+" secret", "client_secret")
	}
	p.say(200, "GET", p.keycard(p.seen["id"])+"/credentials/"+p.seen["first"]+"?expand=permissions", "")
	p.say(200, "PATCH", p.keycard(p.seen["id"])+"/credentials/"+p.seen["second"], `{"name":"other","description":"Nights"}`)
}

func keycardTokens(p *play) {
	p.log.remark("by Basic, as the SDKs do, and in the body, as the Terraform provider does")
	p.say(200, "POST", "/service-account-token", grant, asForm, basic(p.seen["first client"], p.seen["first secret"]))
	got := p.say(200, "POST", "/service-account-token",
		form(testenv.Login{ID: p.seen["second client"], Secret: p.seen["second secret"]}), asForm, anonymous)
	p.keep(got, "token", "access_token")
}

func keycardRotate(p *play) {
	p.log.remark("Keycard rotates by a second credential, and the end of the first.")
	credential := p.keycard(p.seen["id"]) + "/credentials/" + p.seen["first"]
	p.say(204, "DELETE", credential, "")
	p.say(404, "GET", credential, "")
	p.say(401, "POST", "/service-account-token", grant, asForm, basic(p.seen["first client"], p.seen["first secret"]))
}

func keycardRefusals(p *play) {
	p.log.remark("no token, a bad one, and one without the permission")
	p.say(401, "GET", p.keycard(""), "", anonymous)
	p.say(401, "GET", p.keycard(""), "", as("bad"))
	p.say(403, "GET", p.keycard(""), "", as(p.powerless()))
	p.log.remark("what breaks a rule")
	p.say(400, "POST", p.keycard(""), `{"description":"no name"}`)
	p.say(400, "POST", p.keycard(""), `{"name":"x","isAdmin":true}`)
	p.say(400, "GET", p.keycard("")+"?limit=101", "")
	p.say(400, "GET", p.keycard("")+"?after=nonsense", "")
	p.log.remark("what is absent, or of another organization")
	p.say(404, "GET", p.keycard("aaaaaaaaaaaaaaaaaaaaaaaaaa"), "")
	p.say(404, "DELETE", p.keycard("absent"), "")
	p.say(404, "GET", "/organizations/system/service-accounts", "")
	p.log.remark("there are no users whose token could be traded")
	p.say(403, "POST", "/organizations/"+p.org.Slug+"/token", "")
	p.log.remark("a wrong secret")
	p.say(401, "POST", "/service-account-token", grant, asForm, basic(p.seen["second client"], "wrong"))
	p.log.remark("a path and a method that there are not")
	p.say(404, "GET", "/organizations/"+p.org.Slug+"/zones", "")
	p.say(405, "PUT", p.keycard(p.seen["id"]), "{}")
}

func keycardPages(p *play) {
	p.fill()
	got := p.say(200, "GET", p.keycard("")+"?limit=2", "")
	p.say(200, "GET", p.keycard("")+"?limit=1&after="+got.text(p.T, "page_info", "end_cursor"), "")
	seen := map[any]int{}
	p.walk(seen, "after", "has_next_page", "end_cursor")
	p.walk(seen, "before", "has_prev_page", "start_cursor")
	p.complete(seen, 2)
}

// walk follows cursors in one direction: all before the last, when it goes back.
func (p *play) walk(seen map[any]int, direction, more, cursor string) {
	p.Helper()
	query := "?limit=100"
	if direction == "before" {
		all, _, err := p.Service.Accounts(p.Context(), testenv.Operator, accounts.ByID(p.org.ID), accounts.Query{ByID: true, After: p.org.ID, Limit: 2 * crowd})
		if err != nil || len(all) == 0 {
			p.Fatalf("%d accounts: %v", len(all), err)
		}
		last := accounts.ShortID(all[len(all)-1].ID)
		seen[last]++ // nothing comes before itself
		query += "&before=" + last
	}
	for range 10 {
		got := p.aside(p.keycard("") + query)
		for _, one := range got.list(p.T, "items") {
			seen[one.(map[string]any)["id"]]++
		}
		if got.at(p.T, "page_info", more) != true {
			return
		}
		query = "?limit=100&" + direction + "=" + url.QueryEscape(got.text(p.T, "page_info", cursor))
	}
	p.Error("the pages have no end")
}

func keycardQuota(p *play) {
	p.full(p.T, p.org.Slug)
	p.say(409, "POST", p.keycard(""), `{"name":"One more"}`)
}

func keycardDisable(p *play) {
	p.log.remark("Keycard has no such operation: the native API has.")
	p.disable(p.seen["id"])
	p.say(401, "POST", "/service-account-token", grant, asForm, basic(p.seen["second client"], p.seen["second secret"]))
}

func keycardDelete(p *play) {
	p.say(204, "DELETE", p.keycard(p.seen["id"]), "")
	p.say(404, "GET", p.keycard(p.seen["id"]), "")
	p.say(404, "DELETE", p.keycard(p.seen["id"]), "")
}
