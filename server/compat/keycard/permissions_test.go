package keycard_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/testenv"
)

type permissions map[string]map[string]bool

type permitted struct {
	Permissions permissions
	Items       []struct{ Permissions permissions }
}

// TestI34_PermissionsAreWhatTheCallsAnswer asks several callers' permissions, and then
// makes every call that they are about: it is refused if and only if they say so.
func TestI34_PermissionsAreWhatTheCallsAnswer(t *testing.T) {
	d := open(t)
	for role, permissions := range map[string][]string{
		"reader": {"orgs:service-accounts:read", "orgs:credentials:read"}, "keeper": {"orgs:service-accounts:manage", "orgs:credentials:read"},
		"smith": {"orgs:credentials:*", "orgs:service-accounts:read"}, "strong": {"orders:*"},
	} {
		d.Role(t, "acme", role, permissions...)
	}
	tokens := map[string]string{
		"system": d.root, "owner": d.caller(t, "owner", "owner"), "admin": d.caller(t, "admin", "admin"),
		"reader": d.caller(t, "reader", "reader"), "keeper": d.caller(t, "keeper", "keeper"),
		"smith":    d.caller(t, "smith", "smith"),
		"narrowed": d.caller(t, "narrowed", "owner", "scope", "orgs:service-accounts:read orgs:credentials:read"),
	}
	seen := map[bool]int{}
	for _, role := range []string{"agent-standard", "strong", "viewer", "admin"} {
		setDefault(t, d, role)
		for name, token := range tokens {
			t.Run(role+"/"+name, func(t *testing.T) { d.compare(t, token, role, seen) })
		}
	}
	if seen[true] < 40 || seen[false] < 40 {
		t.Errorf("%d were granted and %d refused", seen[true], seen[false])
	}
}

// setDefault makes accounts that are made without a role get it, where that is possible.
func setDefault(t *testing.T, d *door, role string) {
	t.Helper()
	if role == "admin" {
		role = "agent-standard"
	}
	_, err := d.Service.UpdateOrg(t.Context(), testenv.Operator, accounts.BySlug("acme"), accounts.OrgPatch{DefaultRole: accounts.Some(role)})
	must(t, err)
}

func (d *door) compare(t *testing.T, token, role string, seen map[bool]int) {
	account := d.Machine(t, "acme", strings.ToLower(strings.NewReplacer("/", "-").Replace(t.Name()[len("TestI34_"):])), role)
	path := acme + "/" + accounts.ShortID(account.Account.ID)
	key := path + "/credentials/" + accounts.ShortID(account.Credential.ID)
	expand := "?expand=total_count,permissions"
	one := decode[permitted](t, d.as(t, token, 200, "GET "+path+expand, "")).Permissions
	ofKey := decode[permitted](t, d.as(t, token, 200, "GET "+key+expand, "")).Permissions
	list := decode[permitted](t, d.as(t, token, 200, "GET "+acme+expand+"&limit=1&before="+nextOf(t, account), ""))
	keys := decode[permitted](t, d.as(t, token, 200, "GET "+path+"/credentials"+expand, ""))
	for _, same := range [][2]permissions{{one, list.Items[0].Permissions}, {ofKey, keys.Items[0].Permissions}} {
		if fmt.Sprint(same[0]) != fmt.Sprint(same[1]) {
			t.Errorf("%v alone and %v in the list", same[0], same[1])
		}
	}
	if fmt.Sprint(keys.Permissions["service_account_credentials"]) != fmt.Sprint(one["service_account_credentials"]) {
		t.Errorf("of the list of credentials %v, of the account %v", keys.Permissions, one)
	}
	const accountType, keyType = "service_accounts", "service_account_credentials"
	for _, check := range []struct {
		said          bool
		request, body string
	}{
		{list.Permissions[accountType]["create"], "POST " + acme, `{"name":"another"}`},
		{list.Permissions[accountType]["list"], "GET " + acme, ""},
		{one[keyType]["create"], "POST " + path + "/credentials", `{"name":"another"}`},
		{one[keyType]["list"], "GET " + path + "/credentials", ""},
		{ofKey[keyType]["read"], "GET " + key, ""},
		{ofKey[keyType]["update"], "PATCH " + key, `{"name":"renamed"}`},
		{ofKey[keyType]["delete"], "DELETE " + key, ""},
		{one[accountType]["read"], "GET " + path, ""},
		{one[accountType]["update"], "PATCH " + path, `{"name":"renamed"}`},
		{one[accountType]["delete"], "DELETE " + path, ""},
	} {
		method, target, _ := strings.Cut(check.request, " ")
		answer := d.call(t, method, target, check.body, testenv.Bearer(token))
		if (answer.Status < 300) != check.said || (answer.Status >= 300 && answer.Status != 403) {
			t.Errorf("%s: said %t, and the answer is %d", check.request, check.said, answer.Status)
		}
		seen[check.said]++
	}
}

// nextOf is a cursor right behind the account.
func nextOf(t *testing.T, m testenv.Machine) string {
	t.Helper()
	id := m.Account.ID
	for i := len(id) - 1; i >= 0; i-- {
		if id[i]++; id[i] != 0 {
			return accounts.ShortID(id)
		}
	}
	t.Fatal("no id follows")
	return ""
}

func TestExpandIsSpelledAsClientsDo(t *testing.T) {
	d := open(t)
	account := "GET " + acme + "/" + d.make(t, acme, "deployer")
	for query, want := range map[string]bool{
		"?expand=permissions": true, "?expand[]=permissions": true, "?expand%5B%5D=permissions": true,
		"?expand=total_count&expand=permissions": true, "?expand=permissions,total_count": true,
		"?expand[]=total_count&expand=permissions": true, "?expand=permissions&expand=permissions": true,
		"": false, "?expand=": false, "?expand=total_count": false, "?expand=something": false, "?expand=Permissions": false,
	} {
		if got := decode[permitted](t, d.do(t, 200, account+query, "")).Permissions != nil; got != want {
			t.Errorf("%s: permissions %t", query, got)
		}
	}
}

// A caller whose own token carries less than its account holds is told what the token may do.
func TestPermissionsFollowTheToken(t *testing.T) {
	d := open(t)
	account := d.make(t, acme, "deployer")
	token := d.caller(t, "narrow", "owner", "scope", string(authz.Permission(authz.ServiceAccounts, authz.Read)))
	got := decode[permitted](t, d.as(t, token, 200, "GET "+acme+"/"+account+"?expand=permissions", "")).Permissions
	want := "map[service_account_credentials:map[create:false list:false] service_accounts:map[delete:false read:true update:false]]"
	if fmt.Sprint(got) != want {
		t.Errorf("%v", got)
	}
}
