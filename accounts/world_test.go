package accounts_test

import (
	"bytes"
	"maps"
	"slices"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

// What a random write is about. Everything is drawn in the order of ids, so that a failure
// replays.

func (w *world) place(rt *rapid.T, by authz.Principal) accounts.Ref {
	return accounts.ByID(near(w, rt, sortedByID(w.last.orgs), func(o accounts.Org) bool { return by.Reaches(o.ID) }).ID)
}

func (w *world) someAccount(rt *rapid.T, by authz.Principal) accounts.ServiceAccount {
	return near(w, rt, sortedByID(w.last.accounts), func(a accounts.ServiceAccount) bool { return by.Reaches(a.OrgID) })
}

func (w *world) someCredential(rt *rapid.T, by authz.Principal) accounts.Credential {
	return near(w, rt, sortedByID(w.last.credentials), func(c accounts.Credential) bool { return by.Reaches(c.OrgID) })
}

func (w *world) someGroup(rt *rapid.T, by authz.Principal) accounts.Group {
	return near(w, rt, sortedByID(w.last.groups), func(g accounts.Group) bool { return by.Reaches(g.OrgID) })
}

// near is mostly one that the caller reaches. It is zero, which is absent, when there is none.
func near[T any](w *world, rt *rapid.T, all []T, reached func(T) bool) T {
	if rapid.IntRange(0, 7).Draw(rt, "near") > 0 {
		all = slices.DeleteFunc(all, func(item T) bool { return !reached(item) })
	}
	if len(all) == 0 {
		var none T
		return none
	}
	return pick(w, rt, all)
}

// pick is one of all. What rapid draws leans to the first, so every turn begins elsewhere.
func pick[T any](w *world, rt *rapid.T, all []T) T {
	return all[(rapid.IntRange(0, len(all)-1).Draw(rt, "pick")+w.turn*5)%len(all)]
}

// members are mostly of the org; sometimes one is not.
func (w *world) members(rt *rapid.T, org uuid.UUID) []uuid.UUID {
	var ids []uuid.UUID
	for _, account := range sortedByID(w.last.accounts) {
		if odds := rapid.IntRange(0, 9).Draw(rt, "member"); account.OrgID == org && odds < 4 || odds == 9 && len(ids) == 0 {
			ids = append(ids, account.ID)
		}
	}
	return ids
}

func (w *world) groupsOf(rt *rapid.T, org uuid.UUID) []uuid.UUID {
	var ids []uuid.UUID
	for _, group := range sortedByID(w.last.groups) {
		if group.OrgID == org && rapid.Bool().Draw(rt, "joins") {
			ids = append(ids, group.ID)
		}
	}
	return ids
}

func maybe[T any](rt *rapid.T, value T) accounts.Optional[T] {
	return accounts.Optional[T]{Value: value, Present: rapid.Bool().Draw(rt, "present")}
}

func sortedByID[T any](objects map[uuid.UUID]T) []T {
	ids := slices.SortedFunc(maps.Keys(objects), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	list := make([]T, len(ids))
	for i, id := range ids {
		list[i] = objects[id]
	}
	return list
}
