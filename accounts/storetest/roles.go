package storetest

import (
	"testing"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

func getRole(t *testing.T, orgID uuid.UUID, ref accounts.Ref) func(accounts.Reader) (accounts.Role, error) {
	return func(r accounts.Reader) (accounts.Role, error) { return r.Role(t.Context(), orgID, ref) }
}

func testRoles(t *testing.T, s *suite) {
	ctx := t.Context()
	w := newWorld(t, s, "acme")
	other := newWorld(t, s, "globe")
	same(t, "by slug", w.role, read(t, s, getRole(t, w.org.ID, accounts.BySlug("worker"))))
	absent(t, s, "another slug", getRole(t, w.org.ID, accounts.BySlug("work")))
	absent(t, s, "no ref", getRole(t, w.org.ID, accounts.Ref{}))

	bare := accounts.Role{ID: newID(), OrgID: w.org.ID, Slug: "bare", Version: 1, Stamp: newStamp()}
	s.write(t, func(tx accounts.Tx) error { return tx.InsertRole(ctx, bare) })
	same(t, "a role of nothing", bare, read(t, s, getRole(t, w.org.ID, accounts.ByID(bare.ID))))

	again := newRole(w.org, "worker")
	s.refuse(t, "slug of the living", accounts.ErrExists, func(tx accounts.Tx) error { return tx.InsertRole(ctx, again) })
	again.Slug, again.ID = "again", w.role.ID
	s.refuse(t, "id of the living", accounts.ErrExists, func(tx accounts.Tx) error { return tx.InsertRole(ctx, again) })
	stray := newRole(newOrg("nowhere"), "stray")
	s.refuse(t, "an absent org", accounts.ErrNotFound, func(tx accounts.Tx) error { return tx.InsertRole(ctx, stray) })

	changed := w.role
	changed.Name, changed.Permissions = "Neu", authz.MustSet("c:d", "e:*")
	changed.UpdatedAt, changed.UpdatedBy = newStamp().UpdatedAt, "sa:system:else"
	versioned[accounts.Role]{
		get:     getRole(t, w.org.ID, accounts.ByID(w.role.ID)),
		update:  func(tx accounts.Tx, role accounts.Role) error { return tx.UpdateRole(ctx, role) },
		version: func(role *accounts.Role) *int64 { return &role.Version },
	}.check(t, s, changed)

	flags := bare
	flags.Delegable, flags.BuiltIn = true, true
	s.write(t, func(tx accounts.Tx) error { return tx.UpdateRole(ctx, flags) })
	flags.Version++
	same(t, "flags", flags, read(t, s, getRole(t, w.org.ID, accounts.ByID(bare.ID))))

	foreign := other.role
	foreign.OrgID = w.org.ID
	s.refuse(t, "update in another org", accounts.ErrConflict, func(tx accounts.Tx) error { return tx.UpdateRole(ctx, foreign) })
	s.write(t, func(tx accounts.Tx) error { return tx.DeleteRole(ctx, w.org.ID, "bare") })
	absent(t, s, "deleted", getRole(t, w.org.ID, accounts.ByID(bare.ID)))
	s.refuse(t, "a second delete", accounts.ErrNotFound, func(tx accounts.Tx) error { return tx.DeleteRole(ctx, w.org.ID, "bare") })
	s.write(t, func(tx accounts.Tx) error { return tx.InsertRole(ctx, bare) })
	other.check(t, s)
}

func testRolesInUse(t *testing.T, s *suite) {
	ctx := t.Context()
	w := newWorld(t, s, "acme")
	s.refuse(t, "role of an account", accounts.ErrInUse, func(tx accounts.Tx) error { return tx.DeleteRole(ctx, w.org.ID, w.role.Slug) })
	s.refuse(t, "role of a group", accounts.ErrInUse, func(tx accounts.Tx) error { return tx.DeleteRole(ctx, w.org.ID, w.extra.Slug) })
	w.check(t, s)

	w.account.Role = ""
	s.write(t, func(tx accounts.Tx) error { return tx.UpdateAccount(ctx, w.account) })
	s.refuse(t, "still role of a group", accounts.ErrInUse, func(tx accounts.Tx) error { return tx.DeleteRole(ctx, w.org.ID, w.role.Slug) })
	w.group.Roles = nil
	s.write(t, func(tx accounts.Tx) error { return tx.UpdateGroup(ctx, w.group) })
	for _, slug := range []string{w.role.Slug, w.extra.Slug} {
		s.write(t, func(tx accounts.Tx) error { return tx.DeleteRole(ctx, w.org.ID, slug) })
	}

	w.account.Role, w.account.Version = "nothing", w.account.Version+1
	s.refuse(t, "an account's absent role", accounts.ErrNotFound, func(tx accounts.Tx) error { return tx.UpdateAccount(ctx, w.account) })
	w.group.Roles, w.group.Version = []string{"nothing"}, w.group.Version+1
	s.refuse(t, "a group's absent role", accounts.ErrNotFound, func(tx accounts.Tx) error { return tx.UpdateGroup(ctx, w.group) })
}
