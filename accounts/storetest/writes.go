package storetest

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/audit"
)

func testFailedWrites(t *testing.T, s *suite) {
	ctx := t.Context()
	w := newWorld(t, s, "acme")
	mine := errors.New("mine")
	event := newEvent(newID())
	everything := func(tx accounts.Tx) error {
		return firstError(tx.DeleteOrg(ctx, w.org.ID, start), tx.InsertOrg(ctx, newOrg("other")),
			tx.KeepReceipt(ctx, newReceipt("key")), tx.InsertPepper(ctx, newPepper(-5)), tx.Record(ctx, event))
	}
	err := s.store.Write(ctx, actor, func(tx accounts.Tx) error { return firstError(everything(tx), mine) })
	if !errors.Is(err, mine) || errors.Is(err, accounts.ErrUnavailable) {
		t.Errorf("Write = %v, want the error of fn alone", err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a panic was swallowed")
			}
		}()
		_ = s.store.Write(ctx, actor, func(tx accounts.Tx) error {
			if err := everything(tx); err != nil {
				return err
			}
			panic("fn")
		})
	}()
	w.check(t, s)
	absent(t, s, "another org", getOrg(t, accounts.BySlug("other")))
	absent(t, s, "a receipt", getReceipt(t, newReceipt("key")))
	for _, e := range events(t, s, audit.Query{OrgID: event.OrgID, Limit: 100}) {
		if e.ID == event.ID {
			t.Error("the event of a failed write was kept")
		}
	}
	if peppers := read(t, s, func(r accounts.Reader) ([]accounts.SealedPepper, error) { return r.Peppers(ctx) }); len(peppers) != 1 {
		t.Errorf("%d peppers, want 1", len(peppers))
	}
}

// A writing method that fails ends the write, even when fn hides its error.
func testFailedMethods(t *testing.T, s *suite) {
	ctx := t.Context()
	w, other := newWorld(t, s, "acme"), newWorld(t, s, "globe")
	one := int64(1)
	w.org.MaxServiceAccounts = &one
	s.write(t, func(tx accounts.Tx) error { return tx.UpdateOrg(ctx, w.org) })
	w.org.Version++

	fresh, group := newOrg("fresh"), newGroup(w.org, "fresh")
	failInserts(t, s, failing{w, other, fresh, group})
	failChanges(t, s, failing{w, other, fresh, group})
	w.check(t, s)
	other.check(t, s)
	absent(t, s, "the new org", getOrg(t, accounts.ByID(fresh.ID)))
	absent(t, s, "the new group", getGroup(t, group))

	// The failed inserts do not count against the quota.
	two := int64(2)
	other.org.MaxServiceAccounts = &two
	s.write(t, func(tx accounts.Tx) error {
		return firstError(tx.UpdateOrg(ctx, other.org), tx.InsertAccount(ctx, newAccount(other.org, "second")))
	})
}

type failing struct {
	w, other *world // the org of w is full
	org      accounts.Org
	group    accounts.Group
}

func failInserts(t *testing.T, s *suite, f failing) {
	t.Helper()
	ctx := t.Context()
	org, group := f.org, f.group
	org.Audiences = []string{"https://fresh.example", f.w.org.Audiences[0]}
	group.Members = []uuid.UUID{f.w.account.ID, newID()}
	orphan := newAccount(f.other.org, "orphan")
	orphan.Groups = []uuid.UUID{f.other.group.ID, newID()}
	s.hide(t, "InsertOrg", accounts.ErrExists, func(tx accounts.Tx) error { return tx.InsertOrg(ctx, org) })
	s.hide(t, "InsertGroup", accounts.ErrNotFound, func(tx accounts.Tx) error { return tx.InsertGroup(ctx, group) })
	s.hide(t, "InsertAccount over quota", accounts.ErrLimit, func(tx accounts.Tx) error {
		return tx.InsertAccount(ctx, newAccount(f.w.org, "second"))
	})
	s.hide(t, "InsertAccount of a taken slug", accounts.ErrExists, func(tx accounts.Tx) error {
		return tx.InsertAccount(ctx, newAccount(f.other.org, "bot"))
	})
	s.hide(t, "InsertAccount in a strange group", accounts.ErrNotFound, func(tx accounts.Tx) error { return tx.InsertAccount(ctx, orphan) })
}

func failChanges(t *testing.T, s *suite, f failing) {
	t.Helper()
	ctx := t.Context()
	org, group, account := f.w.org, f.w.group, f.w.account
	org.Name, org.Audiences = "Neu", []string{"https://free.example", f.other.org.Audiences[0]}
	group.Name, group.Roles, group.Members = "Neu", nil, []uuid.UUID{newID()}
	account.Name, account.Groups = "Neu", []uuid.UUID{newID()}
	s.hide(t, "UpdateOrg", accounts.ErrExists, func(tx accounts.Tx) error { return tx.UpdateOrg(ctx, org) })
	s.hide(t, "UpdateGroup", accounts.ErrNotFound, func(tx accounts.Tx) error { return tx.UpdateGroup(ctx, group) })
	s.hide(t, "UpdateAccount", accounts.ErrNotFound, func(tx accounts.Tx) error { return tx.UpdateAccount(ctx, account) })
	s.hide(t, "DeleteRole", accounts.ErrInUse, func(tx accounts.Tx) error { return tx.DeleteRole(ctx, f.w.org.ID, f.w.role.Slug) })
	s.hide(t, "DeleteCredential", accounts.ErrNotFound, func(tx accounts.Tx) error {
		return tx.DeleteCredential(ctx, f.other.account.ID, f.w.credential.ID)
	})
}

// hide runs a method that must fail within a write that says nothing of it.
func (s *suite) hide(t *testing.T, what string, want error, method func(accounts.Tx) error) {
	t.Helper()
	err := s.store.Write(t.Context(), actor, func(tx accounts.Tx) error {
		if err := tx.Record(t.Context(), newEvent(newID())); err != nil {
			return err
		}
		if err := method(tx); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
		return nil
	})
	if !errors.Is(err, want) {
		t.Errorf("a write that hides the failure of %s: %v, want %v", what, err, want)
	}
}

func testSnapshot(t *testing.T, s *suite) {
	ctx := t.Context()
	w := newWorld(t, s, "acme")
	err := s.store.Read(ctx, func(r accounts.Reader) error {
		before, err := r.Org(ctx, accounts.ByID(w.org.ID))
		if err != nil {
			return err
		}
		changed, account := w.org, w.account
		changed.Name, account.Name = "Neu", "Neu"
		s.write(t, func(tx accounts.Tx) error {
			return firstError(tx.UpdateOrg(ctx, changed), tx.UpdateAccount(ctx, account))
		})
		after, err1 := r.Org(ctx, accounts.ByID(w.org.ID))
		same(t, "the org within one read", before, after)
		stale, err2 := r.Account(ctx, w.org.ID, accounts.ByID(w.account.ID))
		same(t, "the account within one read", w.account, stale)
		return firstError(err1, err2)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, s, getOrg(t, accounts.ByID(w.org.ID))); got.Name != "Neu" {
		t.Errorf("the next read sees %q", got.Name)
	}

	mine := errors.New("mine")
	if err := s.store.Read(ctx, func(accounts.Reader) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("Read = %v, want the error of fn", err)
	}
	// A write sees what it wrote itself.
	s.write(t, func(tx accounts.Tx) error {
		again := newAccount(w.org, "again")
		err := tx.InsertAccount(ctx, again)
		got, err2 := tx.Account(ctx, w.org.ID, accounts.BySlug("again"))
		same(t, "within the write", again, got)
		return firstError(err, err2)
	})
}

func testEndedContext(t *testing.T, s *suite) {
	w := newWorld(t, s, "acme")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, bySecret := s.store.StandingBySecret(ctx, []accounts.Hash{newHash(newSecret(w.credential, 9), 1)})
	_, byClient := s.store.StandingByClient(ctx, "someone", 1)
	_, swept := s.store.Sweep(ctx, start, start)
	for name, err := range map[string]error{
		"Read":             s.store.Read(ctx, func(accounts.Reader) error { return nil }),
		"Write":            s.store.Write(ctx, actor, func(tx accounts.Tx) error { return tx.Record(ctx, newEvent(newID())) }),
		"SaveUsage":        s.store.SaveUsage(ctx, []accounts.Use{w.use}),
		"Sweep":            swept,
		"StandingBySecret": bySecret,
		"StandingByClient": byClient,
	} {
		if !errors.Is(err, context.Canceled) || errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("%s = %v, want the end of ctx", name, err)
		}
	}
	w.check(t, s)
}
