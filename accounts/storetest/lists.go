package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
)

// testTenancy asks for everything of one org or account under the name of another.
func testTenancy(t *testing.T, s *suite) {
	ctx := t.Context()
	w, other := newWorld(t, s, "acme"), newWorld(t, s, "globe")
	absent(t, s, "role by id", getRole(t, other.org.ID, accounts.ByID(w.role.ID)))
	w.group.OrgID, w.account.OrgID = other.org.ID, other.org.ID
	absent(t, s, "group", getGroup(t, w.group))
	absent(t, s, "account", getAccount(t, w.account))
	elsewhere := w.credential
	elsewhere.AccountID = other.account.ID
	absent(t, s, "credential", getCredential(t, elsewhere))

	s.refuse(t, "update of an account", accounts.ErrConflict, func(tx accounts.Tx) error { return tx.UpdateAccount(ctx, w.account) })
	s.refuse(t, "update of a group", accounts.ErrConflict, func(tx accounts.Tx) error { return tx.UpdateGroup(ctx, w.group) })
	s.refuse(t, "delete of a group", accounts.ErrNotFound, func(tx accounts.Tx) error { return tx.DeleteGroup(ctx, other.org.ID, w.group.ID) })
	w.group.OrgID, w.account.OrgID = w.org.ID, w.org.ID
	w.check(t, s)
	other.check(t, s)

	same(t, "roles", page[accounts.Role]{[]accounts.Role{other.role, other.extra}, 2},
		read(t, s, func(r accounts.Reader) (page[accounts.Role], error) { return paged(r.Roles(ctx, other.org.ID, all)) }))
	same(t, "groups", page[accounts.Group]{[]accounts.Group{other.group}, 1},
		read(t, s, func(r accounts.Reader) (page[accounts.Group], error) { return paged(r.Groups(ctx, other.org.ID, all)) }))
	same(t, "accounts", page[accounts.ServiceAccount]{[]accounts.ServiceAccount{other.account}, 1},
		read(t, s, listAccounts(t, other.org.ID, all)))
	same(t, "orgs", page[accounts.Org]{[]accounts.Org{w.org, other.org}, 2},
		read(t, s, func(r accounts.Reader) (page[accounts.Org], error) { return paged(r.Orgs(ctx, all)) }))
}

func testSearch(t *testing.T, s *suite) {
	ctx := t.Context()
	org := newOrg("acme")
	s.write(t, func(tx accounts.Tx) error { return tx.InsertOrg(ctx, org) })
	for slug, name := range map[string]string{
		"deploy-bot": "Ärger MIT Ümläuten", "reader": "100% safe_mode", "plain": `back\slash`, "zwei": "ΣΊΣΥΦΟΣ 名前",
	} {
		account := newAccount(org, slug)
		account.Name = name
		s.write(t, func(tx accounts.Tx) error { return tx.InsertAccount(ctx, account) })
	}
	for search, want := range map[string]string{
		"":         "deploy-bot plain reader zwei",
		"ärger":    "deploy-bot",
		"ÄRGER":    "deploy-bot",
		"mit ümlä": "deploy-bot",
		"OY-B":     "deploy-bot",
		"%":        "reader",
		"_":        "reader",
		`\`:        "plain",
		"e_m":      "reader",
		"名":        "zwei",
		"σίσυ":     "zwei",
		"e":        "deploy-bot reader zwei",
		"' OR 1=1": "",
		"absent":   "",
	} {
		got := read(t, s, listAccounts(t, org.ID, accounts.Query{Search: search, Limit: 10}))
		found := map[string]bool{}
		for _, account := range got.List {
			found[account.Slug] = true
		}
		var slugs []string
		for _, slug := range []string{"deploy-bot", "plain", "reader", "zwei"} {
			if found[slug] {
				slugs = append(slugs, slug)
			}
		}
		if text := strings.Join(slugs, " "); text != want || got.Total != len(got.List) {
			t.Errorf("search %q found %q of %d, want %q", search, text, got.Total, want)
		}
	}
	testSearchAfterRename(t, s)
}

// Every kind of object is found by its newest name.
func testSearchAfterRename(t *testing.T, s *suite) {
	t.Helper()
	ctx := t.Context()
	w := newWorld(t, s, "renamed")
	org, role, group, account, credential := w.org, w.role, w.group, w.account, w.credential
	for _, name := range []*string{&org.Name, &role.Name, &group.Name, &account.Name, &credential.Name} {
		*name = "NÉU"
	}
	s.write(t, func(tx accounts.Tx) error {
		return firstError(tx.UpdateOrg(ctx, org), tx.UpdateRole(ctx, role), tx.UpdateGroup(ctx, group),
			tx.UpdateAccount(ctx, account), tx.UpdateCredential(ctx, credential))
	})
	q := accounts.Query{Search: "éu", Limit: 10}
	err := s.store.Read(ctx, func(r accounts.Reader) error {
		_, orgs, err1 := r.Orgs(ctx, q)
		_, roles, err2 := r.Roles(ctx, org.ID, q)
		_, groups, err3 := r.Groups(ctx, org.ID, q)
		_, list, err4 := r.Accounts(ctx, org.ID, q)
		_, credentials, err5 := r.Credentials(ctx, account.ID, q)
		same(t, "found by the new name", [5]int{1, 1, 1, 1, 1}, [5]int{orgs.Total, roles.Total, groups.Total, list.Total, credentials.Total})
		_, old, err6 := r.Credentials(ctx, account.ID, accounts.Query{Search: "schlüssel", Limit: 10})
		same(t, "found by the old name", 0, old.Total)
		_, bySlug, err7 := r.Roles(ctx, org.ID, accounts.Query{Search: "ORKE", Limit: 10})
		same(t, "role found by its slug", 1, bySlug.Total)
		_, byOrgSlug, err8 := r.Orgs(ctx, accounts.Query{Search: "RENAM", Limit: 10})
		same(t, "org found by its slug", 1, byOrgSlug.Total)
		return firstError(err1, err2, err3, err4, err5, err6, err7, err8)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// testPages lists objects that were made in another order than they were written, some at
// the same instant.
func testPages(t *testing.T, s *suite) {
	ctx := t.Context()
	org := newOrg("acme")
	s.write(t, func(tx accounts.Tx) error { return tx.InsertOrg(ctx, org) })
	list := make([]accounts.ServiceAccount, 7)
	for i := range list {
		list[i] = newAccount(org, fmt.Sprintf("bot-%d", i))
		list[i].CreatedAt = start.Add(time.Duration(i/2) * time.Minute)
	}
	for _, i := range []int{3, 6, 0, 2, 5, 1, 4} {
		s.write(t, func(tx accounts.Tx) error { return tx.InsertAccount(ctx, list[i]) })
	}
	for _, tt := range []struct {
		q        accounts.Query
		from, to int
		total    int
	}{
		{accounts.Query{Limit: 3}, 0, 3, 7},
		{accounts.Query{Offset: 3, Limit: 3}, 3, 6, 7},
		{accounts.Query{Offset: 6, Limit: 3}, 6, 7, 7},
		{accounts.Query{Offset: 7, Limit: 3}, 0, 0, 7},
		{accounts.Query{Limit: 0}, 0, 0, 7},
		{accounts.Query{Limit: 100}, 0, 7, 7},
		{accounts.Query{Search: "BOT-5", Limit: 3}, 5, 6, 1},
		{accounts.Query{Search: "bot", Offset: 5, Limit: 3}, 5, 7, 7},
		{accounts.Query{Search: "bot-5", Offset: 1, Limit: 3}, 0, 0, 1},
	} {
		same(t, fmt.Sprintf("%+v", tt.q), page[accounts.ServiceAccount]{list[tt.from:tt.to], tt.total},
			read(t, s, listAccounts(t, org.ID, tt.q)))
	}
	s.write(t, func(tx accounts.Tx) error {
		ids, err := tx.AccountIDs(ctx, org.ID)
		if len(ids) != len(list) {
			t.Errorf("AccountIDs has %d, want %d", len(ids), len(list))
		}
		none, err2 := tx.AccountIDs(ctx, uuid.UUID{1})
		same(t, "accounts of an absent org", nil, none)
		return firstError(err, err2)
	})
}
