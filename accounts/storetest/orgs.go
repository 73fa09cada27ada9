package storetest

import (
	"testing"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
)

func getOrg(t *testing.T, ref accounts.Ref) func(accounts.Reader) (accounts.Org, error) {
	return func(r accounts.Reader) (accounts.Org, error) { return r.Org(t.Context(), ref) }
}

func testOrgs(t *testing.T, s *suite) {
	ctx := t.Context()
	org := newWorld(t, s, "acme").org
	same(t, "by slug", org, read(t, s, getOrg(t, accounts.BySlug("acme"))))
	absent(t, s, "another id", getOrg(t, accounts.ByID(newID())))
	absent(t, s, "another slug", getOrg(t, accounts.BySlug("acm")))
	absent(t, s, "no ref", getOrg(t, accounts.Ref{}))
	absent(t, s, "an id as a slug", getOrg(t, accounts.BySlug(org.ID.String())))

	small := accounts.Org{ID: newID(), Slug: "small", Version: 1, Stamp: newStamp()}
	s.write(t, func(tx accounts.Tx) error { return tx.InsertOrg(ctx, small) })
	same(t, "an org of little", small, read(t, s, getOrg(t, accounts.ByID(small.ID))))

	again := newOrg("acme")
	again.Audiences = []string{"https://again.example"}
	s.refuse(t, "slug of the living", accounts.ErrExists, func(tx accounts.Tx) error { return tx.InsertOrg(ctx, again) })
	again.Slug, again.ID = "again", org.ID
	s.refuse(t, "id of the living", accounts.ErrExists, func(tx accounts.Tx) error { return tx.InsertOrg(ctx, again) })

	changed := org
	limit := int64(7)
	changed.Name, changed.DefaultRole, changed.Audiences = "Neu", "worker", []string{"https://new.example", org.Audiences[1]}
	changed.DefaultAudience, changed.MaxServiceAccounts, changed.Gen = "https://new.example", &limit, 4
	changed.UpdatedAt, changed.UpdatedBy = newStamp().UpdatedAt, "sa:system:else"
	orgs := versioned[accounts.Org]{
		get:     getOrg(t, accounts.ByID(org.ID)),
		update:  func(tx accounts.Tx, org accounts.Org) error { return tx.UpdateOrg(ctx, org) },
		version: func(org *accounts.Org) *int64 { return &org.Version },
	}
	orgs.check(t, s, sorted(changed))

	cleared := small
	cleared.Audiences, cleared.MaxServiceAccounts = org.Audiences[:1], &limit
	s.write(t, func(tx accounts.Tx) error { return tx.UpdateOrg(ctx, cleared) })
	small.Version++
	s.write(t, func(tx accounts.Tx) error { return tx.UpdateOrg(ctx, small) })
	small.Version++
	same(t, "cleared", small, read(t, s, getOrg(t, accounts.ByID(small.ID))))

	gone := newOrg("gone")
	s.refuse(t, "update of the absent", accounts.ErrConflict, func(tx accounts.Tx) error { return tx.UpdateOrg(ctx, gone) })
	s.refuse(t, "delete of the absent", accounts.ErrNotFound, func(tx accounts.Tx) error { return tx.DeleteOrg(ctx, gone.ID, start) })
}

// sorted puts the audiences into the order in which they come back.
func sorted(org accounts.Org) accounts.Org {
	if len(org.Audiences) == 2 && org.Audiences[0] > org.Audiences[1] {
		org.Audiences = []string{org.Audiences[1], org.Audiences[0]}
	}
	return org
}

func testOrgAudiences(t *testing.T, s *suite) {
	ctx := t.Context()
	acme, globe := newOrg("acme"), newOrg("globe")
	acme.Audiences = append(acme.Audiences, acme.Audiences[0]) // a repetition
	s.write(t, func(tx accounts.Tx) error { return tx.InsertOrg(ctx, acme) })
	acme.Audiences = acme.Audiences[:2]
	same(t, "audiences are a set", acme, read(t, s, getOrg(t, accounts.ByID(acme.ID))))

	free := globe.Audiences
	globe.Audiences = []string{free[0], acme.Audiences[1]}
	s.refuse(t, "insert with another's audience", accounts.ErrExists, func(tx accounts.Tx) error { return tx.InsertOrg(ctx, globe) })
	globe.Audiences = free
	s.write(t, func(tx accounts.Tx) error { return tx.InsertOrg(ctx, globe) })

	taken := globe
	taken.Audiences = []string{acme.Audiences[0]}
	s.refuse(t, "update to another's audience", accounts.ErrExists, func(tx accounts.Tx) error { return tx.UpdateOrg(ctx, taken) })
	same(t, "after the refusal", globe, read(t, s, getOrg(t, accounts.ByID(globe.ID))))

	acme.Audiences = acme.Audiences[:1]
	s.write(t, func(tx accounts.Tx) error { return tx.UpdateOrg(ctx, acme) })
	globe.Audiences = []string{"https://acme.example/b"}
	s.write(t, func(tx accounts.Tx) error { return tx.UpdateOrg(ctx, globe) })
	globe.Version++
	same(t, "an audience that was given up", globe, read(t, s, getOrg(t, accounts.ByID(globe.ID))))
}

func testDeletedOrgs(t *testing.T, s *suite) {
	ctx := t.Context()
	w, other := newWorld(t, s, "acme"), newWorld(t, s, "globe")
	s.write(t, func(tx accounts.Tx) error {
		ids, err := tx.AccountIDs(ctx, w.org.ID)
		same(t, "accounts of the org", []uuid.UUID{w.account.ID}, ids)
		return err
	})
	deleted := newAccount(w.org, "dead")
	s.write(t, func(tx accounts.Tx) error { return tx.InsertAccount(ctx, deleted) })
	s.write(t, func(tx accounts.Tx) error { return tx.DeleteAccount(ctx, w.org.ID, deleted.ID, start) })
	s.write(t, func(tx accounts.Tx) error { return tx.DeleteOrg(ctx, w.org.ID, start) })

	absent(t, s, "the org", getOrg(t, accounts.ByID(w.org.ID)))
	absent(t, s, "its role", getRole(t, w.org.ID, accounts.ByID(w.role.ID)))
	absent(t, s, "its group", getGroup(t, w.group))
	absent(t, s, "its account", getAccount(t, w.account))
	absent(t, s, "its credential", getCredential(t, w.credential))
	noStanding(t, s, "of its secret", w)
	same(t, "secrets", nil, read(t, s, func(r accounts.Reader) ([]accounts.Secret, error) { return r.Secrets(ctx, w.credential.ID) }))
	other.check(t, s)

	again := newOrg("acme")
	s.refuse(t, "slug of a dead org", accounts.ErrExists, func(tx accounts.Tx) error { return tx.InsertOrg(ctx, again) })
	again.Slug = "acme-2"
	s.write(t, func(tx accounts.Tx) error { return tx.InsertOrg(ctx, again) })
	same(t, "its audiences are free", again, read(t, s, getOrg(t, accounts.BySlug("acme-2"))))
	s.refuse(t, "a second delete", accounts.ErrNotFound, func(tx accounts.Tx) error { return tx.DeleteOrg(ctx, w.org.ID, start) })
}
