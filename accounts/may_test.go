package accounts_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

// TestI34_MayIsWhatTheWriteAnswers asks first and then writes, for callers and accounts of
// every standing. Asking leaves nothing behind.
func TestI34_MayIsWhatTheWriteAnswers(t *testing.T) {
	f := newFixture(t)
	org, other := f.org("acme"), f.org("other")
	f.role(org, "strong", "orders:*")
	group := f.group(org, []string{"strong", "admin"})
	list := []accounts.ServiceAccount{
		f.account(org, accounts.NewAccount{Slug: "plain"}).Account,
		f.account(org, accounts.NewAccount{Slug: "none", NoRole: true}).Account,
		f.account(org, accounts.NewAccount{Slug: "strong", Role: "strong"}).Account,
		f.account(org, accounts.NewAccount{Slug: "narrow", Role: "strong", Scopes: authz.MustSet("orders:one:read")}).Account,
		f.account(org, accounts.NewAccount{Slug: "member", Groups: []uuid.UUID{group.ID}}).Account,
		f.account(org, accounts.NewAccount{Slug: "owner", Role: "owner"}).Account,
	}
	self := admin(org, "orgs:*", "orders:*")
	self.AccountID = list[2].ID
	narrowed := admin(org, "*")
	narrowed.Permissions = authz.MustSet("orgs:credentials:create")
	callers := map[string]authz.Principal{
		"operator": operator(), "owner": admin(org, "*"), "admin": admin(org, "orgs:*"), "viewer": admin(org, "orgs:*:read"),
		"smith": admin(org, "orgs:credentials:create"), "itself": self, "narrowed": narrowed,
		"stranger": admin(other, "*"), "nobody": admin(org, "llm:*"),
	}
	seen := map[bool]int{}
	for name, by := range callers {
		before := f.dump()
		may, err := f.MayActAs(t.Context(), by, list...)
		must(t, err)
		if f.dump() != before {
			t.Errorf("%s: asking left a trace", name)
		}
		for i, account := range list {
			_, err := f.CreateCredential(t.Context(), by, refTo(account), accounts.NewCredential{Kind: accounts.KindSecret, Name: "Key"})
			if may[i] != (err == nil) {
				t.Errorf("%s for %s: said %t, and the write answers %v", name, account.Slug, may[i], err)
			}
			seen[may[i]]++
		}
	}
	if seen[true] < 10 || seen[false] < 20 {
		t.Errorf("%d may and %d may not", seen[true], seen[false])
	}
}

func TestI34_MayCreateAccountIsWhatTheWriteAnswers(t *testing.T) {
	f := newFixture(t)
	org, other := f.org("acme"), f.org("other")
	f.role(org, "strong", "orders:*")
	narrowed := admin(org, "*")
	narrowed.Permissions = authz.MustSet("orgs:roles:*")
	for _, standard := range []string{"agent-standard", "strong", "member"} {
		_, err := f.UpdateOrg(t.Context(), operator(), accounts.ByID(org.ID), accounts.OrgPatch{DefaultRole: accounts.Some(standard)})
		must(t, err)
		for name, by := range map[string]authz.Principal{
			"operator": operator(), "owner": admin(org, "*"), "admin": admin(org, "orgs:*"), "creator": admin(org, "orgs:service-accounts:create"),
			"viewer": admin(org, "orgs:*:read"), "narrowed": narrowed,
		} {
			may, err := f.MayCreateAccount(t.Context(), by, accounts.ByID(org.ID))
			must(t, err)
			if _, err := f.CreateAccount(t.Context(), by, accounts.ByID(org.ID), accounts.NewAccount{Name: "Bot"}); may != (err == nil) {
				t.Errorf("%s, %s: said %t, and the write answers %v", standard, name, may, err)
			}
		}
	}
	_, err := f.MayCreateAccount(t.Context(), admin(other, "*"), accounts.ByID(org.ID))
	wantErr(t, err, accounts.ErrNotFound)
}

// An account whose role or group went away after it was read may be acted as by nobody for now.
func TestMayActAsWhatHasChanged(t *testing.T) {
	f := newFixture(t)
	org := f.org("acme")
	stale := f.account(org, accounts.NewAccount{Slug: "stale"}).Account
	fresh := f.account(org, accounts.NewAccount{Slug: "fresh"}).Account
	stale.Groups = []uuid.UUID{uuid.New()}
	may, err := f.MayActAs(t.Context(), operator(), stale, fresh)
	must(t, err)
	if may[0] || !may[1] {
		t.Errorf("%v", may)
	}
	must(t, f.db.Close())
	if _, err := f.MayActAs(t.Context(), operator(), fresh); !errors.Is(err, accounts.ErrUnavailable) {
		t.Errorf("without storage: %v", err)
	}
}
