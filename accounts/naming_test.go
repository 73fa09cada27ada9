package accounts_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/signet-issuer/signet/accounts"
)

const stem = "service-account-20261122223344"

func TestStemNamesAreUniqueWithinASecond(t *testing.T) {
	f := newFixture(t)
	acme, other := f.org("acme"), f.org("other")
	in := accounts.NewAccount{Stem: stem}
	create := func(org accounts.Org) (accounts.Issued, error) {
		return f.CreateAccount(t.Context(), operator(), accounts.ByID(org.ID), in)
	}
	for i := range 40 {
		made, err := create(acme)
		must(t, err)
		want := stem
		if i > 0 {
			want = fmt.Sprintf("%s-%d", stem, i+1)
		}
		if made.Account.Slug != want || made.Account.Name != want {
			t.Fatalf("account %d is %s, %q", i, made.Account.Slug, made.Account.Name)
		}
		if i == 39 { // the dead keep their names
			must(t, f.DeleteAccount(t.Context(), operator(), refTo(made.Account), nil))
		}
	}
	made, err := create(acme)
	must(t, err)
	if made.Account.Slug != stem+"-41" {
		t.Errorf("after a dead one %s", made.Account.Slug)
	}
	elsewhere, err := create(other)
	must(t, err)
	if elsewhere.Account.Slug != stem {
		t.Errorf("in another org %s", elsewhere.Account.Slug)
	}
}

func TestStemNamesOfManyAtOnce(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	var wg sync.WaitGroup
	made := make([]accounts.Issued, 24)
	for i := range made {
		wg.Go(func() {
			var err error
			made[i], err = f.CreateAccount(t.Context(), operator(), accounts.ByID(acme.ID), accounts.NewAccount{Stem: stem, Credential: &accounts.FirstCredential{Shape: accounts.Prefixed}})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, one := range made {
		if seen[one.Account.Slug] {
			t.Errorf("%s twice", one.Account.Slug)
		}
		seen[one.Account.Slug] = true
	}
}

func TestStem(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	named := f.account(acme, accounts.NewAccount{Slug: "bot", Stem: "other", Name: "A bot"}).Account
	if named.Slug != "bot" || named.Name != "A bot" {
		t.Errorf("%+v", named)
	}
	byStem := f.account(acme, accounts.NewAccount{Stem: "bot", Name: "Another"}).Account
	if byStem.Slug != "bot-2" || byStem.Name != "Another" {
		t.Errorf("%+v", byStem)
	}
	full := strings.Repeat("a", 62)
	f.account(acme, accounts.NewAccount{Stem: full})
	for _, bad := range []string{"Bot", "a b", "-a", accounts.SystemOrg, strings.Repeat("a", 64), full, "\x00"} {
		wantInvalid(t, f.unchanged(func() error {
			return fails(f.CreateAccount(t.Context(), operator(), accounts.ByID(acme.ID), accounts.NewAccount{Stem: bad, Name: "N"}))
		}), "slug")
	}
}

func TestNoRole(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	group := f.group(acme, []string{accounts.RoleViewer})
	made := f.account(acme, accounts.NewAccount{NoRole: true, Credential: &accounts.FirstCredential{}})
	if made.Account.Role != "" || !f.alive(made.Credential.ClientID, made.Secret).Allowed().Empty() {
		t.Errorf("role %q", made.Account.Role)
	}
	_, err := f.UpdateAccount(t.Context(), operator(), refTo(made.Account), accounts.AccountPatch{Groups: accounts.Some(append(made.Account.Groups, group.ID))})
	must(t, err)
	if allowed := f.alive(made.Credential.ClientID, made.Secret).Allowed(); allowed.String() != "orgs:*:read" {
		t.Errorf("the group allows %v", allowed)
	}
	wantInvalid(t, f.unchanged(func() error {
		return fails(f.CreateAccount(t.Context(), operator(), accounts.ByID(acme.ID), accounts.NewAccount{Name: "N", NoRole: true, Role: accounts.RoleAPI}))
	}), "roleSlug")
}
