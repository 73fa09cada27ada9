package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

func getAccount(t *testing.T, a accounts.ServiceAccount) func(accounts.Reader) (accounts.ServiceAccount, error) {
	return func(r accounts.Reader) (accounts.ServiceAccount, error) {
		return r.Account(t.Context(), a.OrgID, accounts.ByID(a.ID))
	}
}

func listAccounts(t *testing.T, orgID uuid.UUID, q accounts.Query) func(accounts.Reader) (page[accounts.ServiceAccount], error) {
	return func(r accounts.Reader) (page[accounts.ServiceAccount], error) {
		return paged(r.Accounts(t.Context(), orgID, q))
	}
}

func testAccounts(t *testing.T, s *suite) {
	ctx := t.Context()
	w := newWorld(t, s, "acme")
	bySlug := func(slug string) func(accounts.Reader) (accounts.ServiceAccount, error) {
		return func(r accounts.Reader) (accounts.ServiceAccount, error) {
			return r.Account(ctx, w.org.ID, accounts.BySlug(slug))
		}
	}
	same(t, "by slug", w.account, read(t, s, bySlug("bot")))
	absent(t, s, "another slug", bySlug("bo"))
	absent(t, s, "no ref", bySlug(""))

	bare := accounts.ServiceAccount{ID: newID(), OrgID: w.org.ID, OrgSlug: "acme", Slug: "bare", Version: 1, Stamp: newStamp()}
	s.write(t, func(tx accounts.Tx) error { return tx.InsertAccount(ctx, bare) })
	same(t, "an account of little", bare, read(t, s, getAccount(t, bare)))
	same(t, "list", page[accounts.ServiceAccount]{[]accounts.ServiceAccount{w.account, bare}, 2},
		read(t, s, listAccounts(t, w.org.ID, all)))

	again := newAccount(w.org, "bot")
	s.refuse(t, "slug of the living", accounts.ErrExists, func(tx accounts.Tx) error { return tx.InsertAccount(ctx, again) })
	again.Slug, again.ID = "again", w.account.ID
	s.refuse(t, "id of the living", accounts.ErrExists, func(tx accounts.Tx) error { return tx.InsertAccount(ctx, again) })
	stray := newAccount(newOrg("nowhere"), "stray")
	s.refuse(t, "an absent org", accounts.ErrNotFound, func(tx accounts.Tx) error { return tx.InsertAccount(ctx, stray) })
	roleless := newAccount(w.org, "roleless")
	roleless.Role = "nothing"
	s.refuse(t, "an absent role", accounts.ErrNotFound, func(tx accounts.Tx) error { return tx.InsertAccount(ctx, roleless) })

	club := newGroup(w.org, "club")
	s.write(t, func(tx accounts.Tx) error { return tx.InsertGroup(ctx, club) })
	changed := w.account
	changed.Name, changed.Description, changed.Role = "Neu", "anders", "extra"
	changed.Groups, changed.Scopes = []uuid.UUID{w.group.ID, club.ID}, authz.MustSet("z:*")
	changed.TokenLifetime, changed.Tags, changed.Gen = 13*time.Minute, []accounts.Tag{{Name: "n", Value: "v"}}, 21
	changed.UpdatedAt, changed.UpdatedBy = newStamp().UpdatedAt, "sa:system:else"
	versioned[accounts.ServiceAccount]{
		get:     getAccount(t, w.account),
		update:  func(tx accounts.Tx, a accounts.ServiceAccount) error { return tx.UpdateAccount(ctx, a) },
		version: func(a *accounts.ServiceAccount) *int64 { return &a.Version },
	}.check(t, s, changed)

	cleared := bare
	cleared.ID, cleared.Slug, cleared.Version, cleared.Stamp = w.account.ID, "bot", changed.Version+1, changed.Stamp
	s.write(t, func(tx accounts.Tx) error { return tx.UpdateAccount(ctx, cleared) })
	cleared.Version, cleared.LastUse, cleared.TokenExpiresAt = cleared.Version+1, w.account.LastUse, w.account.TokenExpiresAt
	same(t, "cleared", cleared, read(t, s, getAccount(t, w.account)))
	s.refuse(t, "update of the absent", accounts.ErrConflict, func(tx accounts.Tx) error { return tx.UpdateAccount(ctx, stray) })
}

func testDeletedAccounts(t *testing.T, s *suite) {
	ctx := t.Context()
	w, other := newWorld(t, s, "acme"), newWorld(t, s, "globe")
	s.refuse(t, "delete in another org", accounts.ErrNotFound, func(tx accounts.Tx) error {
		return tx.DeleteAccount(ctx, other.org.ID, w.account.ID, start)
	})
	w.check(t, s)
	deleted := func(org accounts.Org) func(accounts.Reader) (time.Time, error) {
		return func(r accounts.Reader) (time.Time, error) { return r.DeletedAt(ctx, org.ID, w.account.ID) }
	}
	absent(t, s, "its deletion, before", deleted(w.org))
	s.write(t, func(tx accounts.Tx) error { return tx.DeleteAccount(ctx, w.org.ID, w.account.ID, start) })
	same(t, "its deletion", start, read(t, s, deleted(w.org)))
	absent(t, s, "its deletion, elsewhere", deleted(other.org))
	absent(t, s, "the account", getAccount(t, w.account))
	absent(t, s, "its credential", getCredential(t, w.credential))
	noStanding(t, s, "of its secret", w)
	s.refuse(t, "a second delete", accounts.ErrNotFound, func(tx accounts.Tx) error {
		return tx.DeleteAccount(ctx, w.org.ID, w.account.ID, start)
	})

	again := newAccount(w.org, "bot")
	s.refuse(t, "slug of the dead", accounts.ErrExists, func(tx accounts.Tx) error { return tx.InsertAccount(ctx, again) })
	same(t, "the dead are not listed", page[accounts.ServiceAccount]{}, read(t, s, listAccounts(t, w.org.ID, all)))
	// The same slug in another org is another name.
	other2 := newAccount(newWorld(t, s, "third").org, "bot2")
	s.write(t, func(tx accounts.Tx) error { return tx.InsertAccount(ctx, other2) })
	other.check(t, s)

	renewed := newCredential(other2, w.credential.ClientID)
	s.write(t, func(tx accounts.Tx) error { return tx.InsertCredential(ctx, renewed) })
	same(t, "a new credential", renewed, read(t, s, getCredential(t, renewed)))
}

func testQuota(t *testing.T, s *suite) {
	ctx := t.Context()
	org := newOrg("acme")
	limit := int64(5)
	org.MaxServiceAccounts = &limit
	s.write(t, func(tx accounts.Tx) error { return tx.InsertOrg(ctx, org) })

	var group sync.WaitGroup
	errs := make([]error, 15)
	for i := range errs {
		group.Go(func() {
			errs[i] = s.try(t, func(tx accounts.Tx) error { return tx.InsertAccount(ctx, newAccount(org, fmt.Sprintf("bot-%d", i))) })
		})
	}
	group.Wait()
	made := 0
	for _, err := range errs {
		if err == nil {
			made++
		} else if !errors.Is(err, accounts.ErrLimit) {
			t.Errorf("insert over the limit: %v", err)
		}
	}
	list := read(t, s, listAccounts(t, org.ID, all)).List
	if made != 5 || len(list) != 5 {
		t.Fatalf("%d inserts succeeded, %d accounts exist, want 5", made, len(list))
	}
	same(t, "the org, version and all", org, read(t, s, getOrg(t, accounts.ByID(org.ID))))

	extra := newAccount(org, "extra")
	insert := func(tx accounts.Tx) error { return tx.InsertAccount(ctx, extra) }
	s.refuse(t, "a full org", accounts.ErrLimit, insert)
	s.write(t, func(tx accounts.Tx) error { return tx.DeleteAccount(ctx, org.ID, list[0].ID, start) })
	s.write(t, insert) // the dead do not count

	low := int64(2)
	org.MaxServiceAccounts = &low
	s.write(t, func(tx accounts.Tx) error { return tx.UpdateOrg(ctx, org) })
	org.Version++
	more := newAccount(org, "more")
	s.refuse(t, "over a lowered limit", accounts.ErrLimit, func(tx accounts.Tx) error { return tx.InsertAccount(ctx, more) })
	org.MaxServiceAccounts = nil
	s.write(t, func(tx accounts.Tx) error { return tx.UpdateOrg(ctx, org) })
	s.write(t, func(tx accounts.Tx) error { return tx.InsertAccount(ctx, more) })

	none := newOrg("none")
	none.MaxServiceAccounts = new(int64)
	s.write(t, func(tx accounts.Tx) error { return tx.InsertOrg(ctx, none) })
	s.refuse(t, "a limit of 0", accounts.ErrLimit, func(tx accounts.Tx) error { return tx.InsertAccount(ctx, newAccount(none, "bot")) })
}
