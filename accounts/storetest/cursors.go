package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
)

// cursorList is a list as a client walks through it: 250 accounts, every fifth of which is
// found by a search, made in another order than that of their ids.
type cursorList struct {
	s    *suite
	org  accounts.Org
	all  []uuid.UUID
	some []uuid.UUID
}

const cursorAccounts = 250

func newCursorList(t *testing.T, s *suite) *cursorList {
	t.Helper()
	l := &cursorList{s: s, org: newOrg("acme")}
	neighbour := newOrg("globe")
	list := make([]accounts.ServiceAccount, cursorAccounts)
	for i := range list {
		list[i] = newAccount(l.org, fmt.Sprintf("bot-%d", i))
		list[i].Name = "plain"
		l.all = append(l.all, list[i].ID)
		if i%5 == 0 {
			list[i].Name = "special"
			l.some = append(l.some, list[i].ID)
		}
	}
	slices.Reverse(list)
	s.write(t, func(tx accounts.Tx) error {
		err := firstError(tx.InsertOrg(t.Context(), l.org), tx.InsertOrg(t.Context(), neighbour),
			tx.InsertAccount(t.Context(), newAccount(neighbour, "before-and-after")))
		for _, account := range list {
			err = firstError(err, tx.InsertAccount(t.Context(), account))
		}
		return err
	})
	return l
}

// read reads a page and checks it against want, the whole list.
func (l *cursorList) read(t *testing.T, q accounts.Query, want []uuid.UUID) (ids []uuid.UUID, at accounts.Page) {
	t.Helper()
	err := l.s.store.Read(t.Context(), func(r accounts.Reader) error {
		list, page, err := r.Accounts(t.Context(), l.org.ID, q)
		ids, at = []uuid.UUID{}, page
		for _, account := range list {
			ids = append(ids, account.ID)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	from, to := 0, len(want)
	switch {
	case q.After != uuid.Nil:
		from, _ = slices.BinarySearchFunc(want, q.After, compareIDs)
		if from < len(want) && want[from] == q.After {
			from++
		}
		to = min(from+q.Limit, to)
	case q.Before != uuid.Nil:
		to, _ = slices.BinarySearchFunc(want, q.Before, compareIDs)
		from = max(to-q.Limit, 0)
	default:
		from = min(q.Offset, to)
		to = min(from+q.Limit, to)
	}
	what := fmt.Sprintf("%+v", q)
	same(t, what, want[from:to], ids)
	same(t, what, accounts.Page{Total: len(want), Next: to < len(want), Prev: from > 0}, at)
	return ids, at
}

func compareIDs(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) }

func testCursors(t *testing.T, s *suite) {
	l := newCursorList(t, s)
	for search, want := range map[string][]uuid.UUID{"": l.all, "speCIAL": l.some, "absent": nil} {
		for _, limit := range []int{1, 7, 50, 100, 250, 1000} {
			if limit == 1 && search == "" {
				continue
			}
			l.walk(t, accounts.Query{Search: search, Limit: limit}, want)
		}
	}
	for _, offset := range []int{0, 1, 249, 250, 400} {
		l.read(t, accounts.Query{ByID: true, Offset: offset, Limit: 10}, l.all)
	}
	unknown := []uuid.UUID{uuid.MustParse("00000000-0000-7000-8000-000000000001"), uuid.Max, newID()}
	for _, id := range append(unknown, l.all[0], l.all[120], l.all[249]) {
		for _, limit := range []int{0, 1, 10} {
			l.read(t, accounts.Query{After: id, Limit: limit}, l.all)
			l.read(t, accounts.Query{Before: id, Limit: limit}, l.all)
		}
	}
	// A client that waits between two pages may find its cursor deleted.
	gone := l.all[99]
	s.write(t, func(tx accounts.Tx) error { return tx.DeleteAccount(t.Context(), l.org.ID, gone, start) })
	l.all = slices.Delete(l.all, 99, 100)
	l.read(t, accounts.Query{After: gone, Limit: 20}, l.all)
	l.read(t, accounts.Query{Before: gone, Limit: 20}, l.all)
}

// walk goes through the whole list and back again.
func (l *cursorList) walk(t *testing.T, q accounts.Query, want []uuid.UUID) {
	t.Helper()
	q.ByID = true
	ids, page := l.read(t, q, want)
	seen := slices.Clone(ids)
	for page.Next {
		q.After = ids[len(ids)-1]
		ids, page = l.read(t, q, want)
		seen = append(seen, ids...)
	}
	same(t, "all of them, forwards", want, seen)
	q.After = uuid.Nil
	seen = slices.Clone(ids)
	for page.Prev {
		q.Before = ids[0]
		ids, page = l.read(t, q, want)
		seen = append(slices.Clone(ids), seen...)
	}
	same(t, "all of them, backwards", want, seen)
}

// testCursorsOfAll reads the last of each kind of list before a cursor beyond its end.
func testCursorsOfAll(t *testing.T, s *suite) {
	ctx := t.Context()
	w := newWorld(t, s, "acme")
	role, group := newRole(w.org, "last"), newGroup(w.org, "last")
	account, credential := newAccount(w.org, "last"), newCredential(w.account, "last")
	credential.Primary = false
	org := newOrg("last")
	s.write(t, func(tx accounts.Tx) error {
		return firstError(tx.InsertOrg(ctx, org), tx.InsertRole(ctx, role), tx.InsertGroup(ctx, group),
			tx.InsertAccount(ctx, account), tx.InsertCredential(ctx, credential))
	})
	q := accounts.Query{Before: uuid.Max, Limit: 1}
	err := s.store.Read(ctx, func(r accounts.Reader) error {
		orgs, p1, err1 := r.Orgs(ctx, q)
		same(t, "orgs", []accounts.Org{org}, orgs)
		roles, p2, err2 := r.Roles(ctx, w.org.ID, q)
		same(t, "roles", []accounts.Role{role}, roles)
		groups, p3, err3 := r.Groups(ctx, w.org.ID, q)
		same(t, "groups", []accounts.Group{group}, groups)
		list, p4, err4 := r.Accounts(ctx, w.org.ID, q)
		same(t, "accounts", []accounts.ServiceAccount{account}, list)
		credentials, p5, err5 := r.Credentials(ctx, w.account.ID, q)
		same(t, "credentials", []accounts.Credential{credential}, credentials)
		two, three := accounts.Page{Total: 2, Prev: true}, accounts.Page{Total: 3, Prev: true}
		same(t, "pages", [5]accounts.Page{two, three, two, two, two}, [5]accounts.Page{p1, p2, p3, p4, p5})
		return firstError(err1, err2, err3, err4, err5)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func testTaken(t *testing.T, s *suite) {
	ctx := t.Context()
	w, other := newWorld(t, s, "acme"), newWorld(t, s, "globe")
	dead := newAccount(w.org, "dead")
	s.write(t, func(tx accounts.Tx) error { return tx.InsertAccount(ctx, dead) })
	s.write(t, func(tx accounts.Tx) error { return tx.DeleteAccount(ctx, w.org.ID, dead.ID, start) })
	for _, tt := range []struct {
		org   accounts.Org
		slug  string
		taken bool
	}{
		{w.org, "bot", true}, {w.org, "dead", true}, {w.org, "free", false}, {w.org, "bo", false}, {w.org, "", false}, {other.org, "dead", false},
	} {
		got := read(t, s, func(r accounts.Reader) (bool, error) { return r.SlugTaken(ctx, tt.org.ID, tt.slug) })
		if got != tt.taken {
			t.Errorf("slug %q of %s: taken %t", tt.slug, tt.org.Slug, got)
		}
	}
	for id, taken := range map[string]bool{"client-acme": true, "client-globe": true, "client": false, "": false} {
		got := read(t, s, func(r accounts.Reader) (bool, error) { return r.ClientIDTaken(ctx, id) })
		if got != taken {
			t.Errorf("client id %q: taken %t", id, got)
		}
	}
}

func testNotFound(t *testing.T, s *suite) {
	ctx := t.Context()
	w := newWorld(t, s, "acme")
	none := accounts.ByID(newID())
	type failing func(accounts.Reader) error
	for want, reads := range map[string][]failing{
		accounts.WhatOrg:   {func(r accounts.Reader) error { _, err := r.Org(ctx, none); return err }},
		accounts.WhatRole:  {func(r accounts.Reader) error { _, err := r.Role(ctx, w.org.ID, none); return err }},
		accounts.WhatGroup: {func(r accounts.Reader) error { _, err := r.Group(ctx, w.org.ID, none.ID); return err }},
		accounts.WhatAccount: {
			func(r accounts.Reader) error { _, err := r.Account(ctx, w.org.ID, none); return err },
			func(r accounts.Reader) error {
				_, err := r.Account(ctx, none.ID, accounts.ByID(w.account.ID))
				return err
			},
		},
		accounts.WhatCredential: {
			func(r accounts.Reader) error { _, err := r.Credential(ctx, w.account.ID, none.ID); return err },
			func(r accounts.Reader) error { _, err := r.MainCredential(ctx, none.ID, ""); return err },
		},
	} {
		for _, fails := range reads {
			wantNamed(t, want, s.store.Read(ctx, fails))
		}
	}
	for want, fails := range map[string]func(accounts.Tx) error{
		accounts.WhatOrg:        func(tx accounts.Tx) error { return tx.DeleteOrg(ctx, none.ID, start) },
		accounts.WhatRole:       func(tx accounts.Tx) error { return tx.DeleteRole(ctx, w.org.ID, "none") },
		accounts.WhatGroup:      func(tx accounts.Tx) error { return tx.DeleteGroup(ctx, w.org.ID, none.ID) },
		accounts.WhatAccount:    func(tx accounts.Tx) error { return tx.DeleteAccount(ctx, w.org.ID, none.ID, start) },
		accounts.WhatCredential: func(tx accounts.Tx) error { return tx.DeleteCredential(ctx, w.account.ID, none.ID) },
		accounts.WhatSecret:     func(tx accounts.Tx) error { return tx.DeleteSecret(ctx, w.credential.ID, none.ID) },
	} {
		wantNamed(t, want, s.try(t, fails))
	}
}

func wantNamed(t *testing.T, what string, err error) {
	t.Helper()
	absent, ok := errors.AsType[*accounts.NotFoundError](err)
	if !ok || absent.What != what || !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("error %v, want that there is no such %s", err, what)
	}
}
