package dialects_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/testenv"
	"github.com/signet-issuer/signet/test/referee"
)

// scenario is what is done through every door, in this order.
var scenario = []string{
	"authenticate", "create", "read", "list", "update", "replace", "second credential", "token with each credential",
	"last used", "rotate", "refusals", "pages", "search", "quota", "disable", "delete",
}

// step is one item of the scenario. One that a door has no operation for says so instead.
type step struct {
	play   func(p *play)
	absent string
}

// door is a vendor's way in.
type door struct {
	name  string
	steps map[string]step
}

// play is the scenario in one door, with an organization of its own.
type play struct {
	*testing.T
	*world
	org   accounts.Org
	admin testenv.Machine // an administrator of the org
	log   *transcript
	token string // of the administrator, once it has one
	seen  map[string]string
}

// say sends what the transcript shows, as the administrator unless the options say otherwise.
func (p *play) say(status int, method, path, sent string, options ...option) answer {
	p.Helper()
	if p.token != "" {
		options = append([]option{as(p.token)}, options...)
	}
	r, got := p.send(p.T, method, path, sent, options...)
	p.log.exchange(r, sent, got)
	return got.wants(p.T, status)
}

// aside reads what the transcript does not show.
func (p *play) aside(path string, options ...option) answer {
	p.Helper()
	return p.call(p.T, "GET", path, "", append([]option{as(p.token)}, options...)...).wants(p.T, 200)
}

func anonymous(r *http.Request) { r.Header.Del("Authorization") }

// form is a token request.
func form(login testenv.Login) string { return login.Form().Encode() }

// keep remembers texts of an answer for the steps to come: a name, then a path.
func (p *play) keep(got answer, name string, path ...any) {
	p.Helper()
	p.seen[name] = got.text(p.T, path...)
}

const crowd = 250

// fill makes the organization a large one. The transcript does not show it.
func (p *play) fill() {
	p.Helper()
	for i := range crowd {
		_, err := p.Service.CreateAccount(p.Context(), testenv.Operator, accounts.ByID(p.org.ID), accounts.NewAccount{
			Slug: fmt.Sprintf("crowd-%03d", i), Name: fmt.Sprintf("Crowd %03d", i),
		})
		if err != nil {
			p.Fatal(err)
		}
	}
}

func TestScenario(t *testing.T) {
	w := start(t)
	w.Clock.Stop()
	w.Clock.Advance(time.Second - time.Duration(w.Clock.Now().Nanosecond())) // a whole second
	for _, d := range []door{prismeDoor, keycardDoor, nscaleDoor, rezolveDoor} {
		t.Run(d.name, func(t *testing.T) {
			w := *w
			w.http = referee.New(t, documents(t, w.Env)...).Client()
			w.Clock.Advance(time.Second)
			w.Org(t, d.name, func(in *accounts.NewOrg) { in.Name, in.DefaultRole = "Acme Corporation", accounts.RoleAPI })
			p := &play{T: t, world: &w, seen: map[string]string{}, log: &transcript{stable: newNames(w.URL, w.Clock.Now().UTC())}}
			p.admin = w.Machine(t, d.name, "administrator", accounts.RoleAdmin)
			var err error
			if p.org, err = w.Service.Org(t.Context(), testenv.Operator, accounts.BySlug(d.name)); err != nil {
				t.Fatal(err)
			}
			p.run(d)
			p.log.compare(t, d.name)
		})
	}
}

func (p *play) run(d door) {
	if len(d.steps) != len(scenario) {
		p.Errorf("%s has %d steps, and the scenario %d", d.name, len(d.steps), len(scenario))
	}
	for _, name := range scenario {
		do, ok := d.steps[name]
		if !ok {
			p.Fatalf("%s says nothing of the step %q", d.name, name)
		}
		p.log.section(name)
		p.Clock.Advance(time.Second)
		if do.play == nil {
			p.log.remark(do.absent)
			continue
		}
		do.play(p)
	}
}

// complete checks that every account was seen as often as it should, and none is missing: the
// crowd, the administrators and the account of the scenario.
func (p *play) complete(seen map[any]int, times int) {
	p.Helper()
	_, page, err := p.Service.Accounts(p.Context(), testenv.Operator, accounts.ByID(p.org.ID), accounts.Query{Limit: 1})
	if err != nil {
		p.Fatal(err)
	}
	if len(seen) != page.Total || page.Total < crowd {
		p.Errorf("saw %d accounts of %d", len(seen), page.Total)
	}
	for one, count := range seen {
		if count != times {
			p.Errorf("saw %v %d times", one, count)
		}
	}
	p.log.remark(fmt.Sprintf("All %d accounts come once in each direction, whatever the page.", page.Total))
}

// powerless is a token that authorizes nothing. The transcript does not show where it comes from.
func (p *play) powerless() string {
	p.Helper()
	if p.seen["powerless"] == "" {
		machine := p.Machine(p.T, p.org.Slug, "powerless", accounts.RoleMember)
		p.seen["powerless"] = p.Token(p.T, machine.Login, "resource", p.Issuer)
	}
	return p.seen["powerless"]
}

// disable ends an account by the native API, and shows that a token from before ends with it.
func (p *play) disable(account string) {
	p.Helper()
	sent := url.Values{"token": {p.seen["token"]}}.Encode()
	before := p.call(p.T, "POST", "/introspect", sent, asForm, as(p.root)).wants(p.T, 200)
	p.say(200, "PATCH", p.native(account), `{"disabled":true}`)
	after := p.say(200, "POST", "/introspect", sent, asForm, as(p.root))
	if before.at(p.T, "active") != true || after.at(p.T, "active") != false {
		p.Errorf("the token was %s and is %s", before.body, after.body)
	}
}
