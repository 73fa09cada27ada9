package keycard_test

import (
	"strings"
	"testing"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/testenv"
)

// TestI33_I35_ForeignLooksAbsent compares what is another org's, or another account's, with
// what does not exist. A token of one org is good for no other, whatever the path says.
func TestI33_I35_ForeignLooksAbsent(t *testing.T) {
	d := open(t)
	other := d.Org(t, "other")
	own, theirs := d.Machine(t, "acme", "own", "agent-standard"), d.Machine(t, "other", "theirs", "agent-standard")
	neighbour := d.Machine(t, "acme", "neighbour", "agent-standard")
	owner := d.caller(t, "owner", "owner")
	absent := "agm4dit7gr6mdhi6hjny6lcnae"
	id := accounts.ShortID
	ownPath := acme + "/" + id(own.Account.ID)
	for name, pair := range map[string][2]string{
		"org by label":              {"/organizations/other/service-accounts", "/organizations/nobody/service-accounts"},
		"org by id":                 {"/organizations/" + id(other.ID) + "/service-accounts", "/organizations/" + absent + "/service-accounts"},
		"account of a foreign org":  {"/organizations/other/service-accounts/" + id(theirs.Account.ID), "/organizations/nobody/service-accounts/" + absent},
		"foreign account":           {acme + "/" + id(theirs.Account.ID), acme + "/" + absent},
		"credentials of foreign":    {acme + "/" + id(theirs.Account.ID) + "/credentials", acme + "/" + absent + "/credentials"},
		"foreign credential":        {ownPath + "/credentials/" + id(theirs.Credential.ID), ownPath + "/credentials/" + absent},
		"credential of a neighbour": {ownPath + "/credentials/" + id(neighbour.Credential.ID), ownPath + "/credentials/" + absent},
		"token of a foreign org":    {"/organizations/other/token", "/organizations/nobody/token"},
	} {
		for _, method := range []string{"GET", "POST", "PATCH", "DELETE"} {
			foreign := d.call(t, method, pair[0], `{"name":"x"}`, testenv.Bearer(owner))
			none := d.call(t, method, pair[1], `{"name":"x"}`, testenv.Bearer(owner))
			if foreign.Status != none.Status || foreign.Body != none.Body || foreign.Status < 400 {
				t.Errorf("%s, %s: %d %s and %d %s", name, method, foreign.Status, foreign.Body, none.Status, none.Body)
			}
		}
	}
	d.do(t, 200, "GET /organizations/other/service-accounts/"+id(theirs.Account.ID), "")
	d.do(t, 200, "GET "+ownPath+"/credentials/"+id(own.Credential.ID), "")
}

// Ids have one spelling here, and an account no other name. An org has a label too.
func TestIdsHaveOneSpelling(t *testing.T) {
	d := open(t)
	m := d.Machine(t, "acme", "deployer", "agent-standard")
	short := accounts.ShortID(m.Account.ID)
	account, org := acme+"/"+short, accounts.ShortID(m.Account.OrgID)
	credential := accounts.ShortID(m.Credential.ID)
	d.do(t, 200, "GET "+account, "")
	for _, spelled := range []string{strings.ToUpper(short), m.Account.ID.String(), "deployer", m.ID, short[:25], short + "a", loose(short), "sa:acme:deployer"} {
		d.do(t, 404, "GET "+acme+"/"+spelled, "")
		d.do(t, 404, "GET "+acme+"/"+spelled+"/credentials", "")
	}
	d.do(t, 200, "GET "+account+"/credentials/"+credential, "")
	for _, spelled := range []string{strings.ToUpper(credential), m.Credential.ID.String(), m.ID, loose(credential)} {
		d.do(t, 404, "GET "+account+"/credentials/"+spelled, "")
	}
	for _, spelled := range []string{org, m.Account.OrgID.String(), "acme"} {
		d.do(t, 200, "GET /organizations/"+spelled+"/service-accounts/"+short, "")
	}
	for _, spelled := range []string{strings.ToUpper(org), loose(org), "Acme", "acme%20", strings.Repeat("a", 255)} {
		d.do(t, 404, "GET /organizations/"+spelled+"/service-accounts/"+short, "")
	}
}

// loose spells the same 16 bytes with other bits behind their end.
func loose(id string) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz234567"
	return id[:25] + string(alphabet[strings.IndexByte(alphabet, id[25])+1])
}

// TestI9_I10_CutOff disables and deletes by either door: tokens and secrets are dead at once.
func TestI9_I10_CutOff(t *testing.T) {
	d := open(t)
	account := d.make(t, acme, "deployer")
	id, login := d.login(t, account)
	other, second := d.login(t, account)
	if id == other {
		t.Fatal("two credentials have one id")
	}
	native := "/v2/orgs/acme/service-accounts/" + account
	alive := func(who testenv.Login, token string) bool {
		t.Helper()
		trade := d.Post(t, "/service-account-token", who.Form())
		said := d.Post(t, "/introspect", map[string][]string{"token": {token}}, d.Admin.Basic()).JSON(t)["active"]
		if (trade.Status == 200) != (said == true) {
			t.Errorf("a secret is answered %d while its token is active: %v", trade.Status, said)
		}
		return said == true
	}
	token, tokenOfSecond := d.Token(t, login), d.Token(t, second)
	if !alive(login, token) || !alive(second, tokenOfSecond) {
		t.Fatal("a new credential does not work")
	}
	d.do(t, 204, "DELETE "+acme+"/"+account+"/credentials/"+id, "")
	if alive(login, token) || !alive(second, tokenOfSecond) {
		t.Error("deleting one credential must end its tokens, and no others")
	}
	patch := d.Do(t, "PATCH", native, `{"disabled":true}`, testenv.Bearer(d.root), testenv.Header("Content-Type", "application/json"))
	if patch.Status != 200 || alive(second, tokenOfSecond) {
		t.Errorf("disabled by the native API (%d) and still alive", patch.Status)
	}
	d.do(t, 200, "PATCH "+acme+"/"+account, `{"name":"renamed"}`) // Hazard 23: it revives nothing
	if alive(second, tokenOfSecond) {
		t.Error("a change by this door enabled the account")
	}
	d.do(t, 204, "DELETE "+acme+"/"+account, "")
	if got := d.Do(t, "GET", native, "", testenv.Bearer(d.root)); got.Status != 404 {
		t.Errorf("deleted here, and the native API answers %d", got.Status)
	}
}

// An account of one door is the same account at the other.
func TestI5_AccountsAreTheSameAtTheNativeDoor(t *testing.T) {
	d := open(t)
	account := d.make(t, acme, "deployer")
	credential, login := d.login(t, account)
	d.Token(t, login)
	native := d.Do(t, "GET", "/v2/orgs/acme/service-accounts/"+account, "", testenv.Bearer(d.root)).JSON(t)
	if native["roleSlug"] != "agent-standard" || native["name"] != "deployer" || native["slug"] != account || native["createdBy"] != "sa:system:admin" {
		t.Errorf("%v", native)
	}
	key := d.Do(t, "GET", "/v2/orgs/acme/service-accounts/"+account+"/credentials/"+credential, "", testenv.Bearer(d.root)).JSON(t)
	here := d.do(t, 200, "GET "+acme+"/"+account+"/credentials/"+credential, "").JSON(t)
	if key["clientId"] != here["client_id"] || key["createdAt"] != here["created_at"] || key["lastUsedAt"] != here["last_used_at"] || key["lastUsedAt"] == nil {
		t.Errorf("%v here, %v there", here, key)
	}
	made := d.Machine(t, "acme", "prisme", "api", func(n *accounts.NewAccount) { n.Description = "Made elsewhere." })
	seen := d.do(t, 200, "GET "+acme+"/"+accounts.ShortID(made.Account.ID), "").JSON(t)
	if seen["name"] != "prisme" || seen["description"] != "Made elsewhere." {
		t.Errorf("%v", seen)
	}
}
