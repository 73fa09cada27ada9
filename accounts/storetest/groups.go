package storetest

import (
	"testing"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
)

func getGroup(t *testing.T, g accounts.Group) func(accounts.Reader) (accounts.Group, error) {
	return func(r accounts.Reader) (accounts.Group, error) { return r.Group(t.Context(), g.OrgID, g.ID) }
}

func testGroups(t *testing.T, s *suite) {
	ctx := t.Context()
	w := newWorld(t, s, "acme")
	bare := newGroup(w.org, "bare")
	s.write(t, func(tx accounts.Tx) error { return tx.InsertGroup(ctx, bare) })
	same(t, "a group of nobody", bare, read(t, s, getGroup(t, bare)))
	s.refuse(t, "id of the living", accounts.ErrExists, func(tx accounts.Tx) error { return tx.InsertGroup(ctx, bare) })
	twin := newGroup(w.org, "bare")
	s.write(t, func(tx accounts.Tx) error { return tx.InsertGroup(ctx, twin) })
	stray := newGroup(newOrg("nowhere"), "stray")
	s.refuse(t, "an absent org", accounts.ErrNotFound, func(tx accounts.Tx) error { return tx.InsertGroup(ctx, stray) })

	second := newAccount(w.org, "second")
	s.write(t, func(tx accounts.Tx) error { return tx.InsertAccount(ctx, second) })
	changed := w.group
	changed.Name, changed.Roles, changed.RoleIDs = "Neu", []string{"extra"}, []uuid.UUID{w.extra.ID}
	changed.Description, changed.Tags = "anders", []accounts.Tag{{Name: "a", Value: "b"}, {Name: "c", Value: "d"}}
	changed.Members = []uuid.UUID{w.account.ID, second.ID}
	changed.UpdatedAt, changed.UpdatedBy = newStamp().UpdatedAt, "sa:system:else"
	versioned[accounts.Group]{
		get:     getGroup(t, w.group),
		update:  func(tx accounts.Tx, group accounts.Group) error { return tx.UpdateGroup(ctx, group) },
		version: func(group *accounts.Group) *int64 { return &group.Version },
	}.check(t, s, changed)

	// Lists are sets: order and repetition of what is written do not matter.
	changed.Version++
	mixed := changed
	mixed.Members = []uuid.UUID{second.ID, w.account.ID, second.ID}
	mixed.Roles = []string{"worker", "extra", "worker"}
	s.write(t, func(tx accounts.Tx) error { return tx.UpdateGroup(ctx, mixed) })
	changed.Version, changed.Roles, changed.RoleIDs = changed.Version+1, []string{"extra", "worker"}, w.group.RoleIDs
	same(t, "written in disorder", changed, read(t, s, getGroup(t, w.group)))

	s.refuse(t, "update of the absent", accounts.ErrConflict, func(tx accounts.Tx) error { return tx.UpdateGroup(ctx, stray) })
	s.write(t, func(tx accounts.Tx) error { return tx.DeleteGroup(ctx, w.org.ID, bare.ID) })
	absent(t, s, "deleted", getGroup(t, bare))
	s.refuse(t, "a second delete", accounts.ErrNotFound, func(tx accounts.Tx) error { return tx.DeleteGroup(ctx, w.org.ID, bare.ID) })
}

// A change of one side raises the version of who joins or leaves on the other side, and of
// nobody else.
func testMembership(t *testing.T, s *suite) {
	ctx := t.Context()
	w := newWorld(t, s, "acme")
	idle, joiner := newAccount(w.org, "idle"), newAccount(w.org, "joiner")
	club := newGroup(w.org, "club")
	idle.Groups = []uuid.UUID{w.group.ID}
	s.write(t, func(tx accounts.Tx) error {
		return firstError(tx.InsertAccount(ctx, idle), tx.InsertAccount(ctx, joiner), tx.InsertGroup(ctx, club))
	})
	w.group.Version++ // idle joined
	w.group.Members = []uuid.UUID{w.account.ID, idle.ID}
	same(t, "a group after an account was made in it", w.group, read(t, s, getGroup(t, w.group)))

	w.group.Members = []uuid.UUID{idle.ID, joiner.ID}
	s.write(t, func(tx accounts.Tx) error { return tx.UpdateGroup(ctx, w.group) })
	w.group.Version++
	w.account.Groups, w.account.Version = nil, w.account.Version+1
	joiner.Groups, joiner.Version = []uuid.UUID{w.group.ID}, joiner.Version+1
	same(t, "who left", w.account, read(t, s, getAccount(t, w.account)))
	same(t, "who joined", joiner, read(t, s, getAccount(t, joiner)))
	same(t, "who stayed", idle, read(t, s, getAccount(t, idle)))

	joiner.Groups = []uuid.UUID{club.ID}
	s.write(t, func(tx accounts.Tx) error { return tx.UpdateAccount(ctx, joiner) })
	joiner.Version++
	w.group.Members, w.group.Version = []uuid.UUID{idle.ID}, w.group.Version+1
	club.Members, club.Version = []uuid.UUID{joiner.ID}, club.Version+1
	same(t, "the group that was left", w.group, read(t, s, getGroup(t, w.group)))
	same(t, "the group that was joined", club, read(t, s, getGroup(t, club)))
	same(t, "the account that moved", joiner, read(t, s, getAccount(t, joiner)))

	both := club
	both.Roles = []string{"extra"}
	made := newGroup(w.org, "made")
	made.Members = []uuid.UUID{idle.ID, joiner.ID}
	s.write(t, func(tx accounts.Tx) error { return firstError(tx.UpdateGroup(ctx, both), tx.InsertGroup(ctx, made)) })
	idle.Groups, idle.Version = []uuid.UUID{w.group.ID, made.ID}, idle.Version+1
	joiner.Groups, joiner.Version = []uuid.UUID{club.ID, made.ID}, joiner.Version+1
	same(t, "in two groups", idle, read(t, s, getAccount(t, idle)))
	same(t, "in two others", joiner, read(t, s, getAccount(t, joiner)))

	s.write(t, func(tx accounts.Tx) error { return tx.DeleteGroup(ctx, w.org.ID, club.ID) })
	joiner.Groups, joiner.Version = []uuid.UUID{made.ID}, joiner.Version+1
	same(t, "after its group was deleted", joiner, read(t, s, getAccount(t, joiner)))
	s.write(t, func(tx accounts.Tx) error { return tx.DeleteAccount(ctx, w.org.ID, idle.ID, start) })
	made.Members, made.Version = []uuid.UUID{joiner.ID}, made.Version+1
	same(t, "after its member was deleted", made, read(t, s, getGroup(t, made)))
}

func testStrangers(t *testing.T, s *suite) {
	ctx := t.Context()
	w, other := newWorld(t, s, "acme"), newWorld(t, s, "globe")
	for _, stranger := range []struct {
		name           string
		account, group uuid.UUID
	}{
		{"absent", newID(), newID()},
		{"of another org", other.account.ID, other.group.ID},
	} {
		t.Run(stranger.name, func(t *testing.T) {
			group, account := newGroup(w.org, "x"), newAccount(w.org, "x")
			group.Members, account.Groups = []uuid.UUID{stranger.account}, []uuid.UUID{stranger.group}
			s.refuse(t, "InsertGroup", accounts.ErrNotFound, func(tx accounts.Tx) error { return tx.InsertGroup(ctx, group) })
			s.refuse(t, "InsertAccount", accounts.ErrNotFound, func(tx accounts.Tx) error { return tx.InsertAccount(ctx, account) })
			group, account = w.group, w.account
			group.Members, account.Groups = []uuid.UUID{stranger.account}, []uuid.UUID{stranger.group}
			s.refuse(t, "UpdateGroup", accounts.ErrNotFound, func(tx accounts.Tx) error { return tx.UpdateGroup(ctx, group) })
			s.refuse(t, "UpdateAccount", accounts.ErrNotFound, func(tx accounts.Tx) error { return tx.UpdateAccount(ctx, account) })
		})
	}
	w.check(t, s)
	other.check(t, s)
}

func testMembershipCounts(t *testing.T, s *suite) {
	ctx := t.Context()
	w := newWorld(t, s, "acme")
	check := func(what string, groups, members int) {
		t.Helper()
		same(t, what+": groups of the busiest member", groups, read(t, s, func(r accounts.Reader) (int, error) { return r.MostGroups(ctx, w.group.ID) }))
		same(t, what+": members of the largest group", members, read(t, s, func(r accounts.Reader) (int, error) { return r.MostMembers(ctx, w.account.ID) }))
	}
	check("alone", 1, 1)
	busy, apart := newAccount(w.org, "busy"), newAccount(w.org, "apart")
	club, large := newGroup(w.org, "club"), newGroup(w.org, "large")
	s.write(t, func(tx accounts.Tx) error {
		return firstError(tx.InsertGroup(ctx, club), tx.InsertGroup(ctx, large))
	})
	busy.Groups, apart.Groups = []uuid.UUID{w.group.ID, club.ID, large.ID}, []uuid.UUID{club.ID, large.ID}
	s.write(t, func(tx accounts.Tx) error {
		return firstError(tx.InsertAccount(ctx, busy), tx.InsertAccount(ctx, apart))
	})
	check("with a member of three groups", 3, 2)
	joined := w.account
	joined.Groups, joined.Version = []uuid.UUID{w.group.ID, large.ID}, w.account.Version
	s.write(t, func(tx accounts.Tx) error { return tx.UpdateAccount(ctx, joined) })
	check("in a larger group", 3, 3)

	nobody := newID()
	same(t, "of nothing", 0, read(t, s, func(r accounts.Reader) (int, error) { return r.MostGroups(ctx, nobody) }))
	same(t, "of nobody", 0, read(t, s, func(r accounts.Reader) (int, error) { return r.MostMembers(ctx, nobody) }))
}
