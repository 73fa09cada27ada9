package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
)

func newReceipt(key string) audit.Receipt {
	return audit.Receipt{
		Actor: actor.AccountID, Key: key, Fingerprint: "print of " + key, OrgID: newID(), Target: newID().String(), Time: newStamp().CreatedAt,
	}
}

func getReceipt(t *testing.T, receipt audit.Receipt) func(accounts.Reader) (audit.Receipt, error) {
	return func(r accounts.Reader) (audit.Receipt, error) {
		return r.Receipt(t.Context(), receipt.Actor, receipt.Key)
	}
}

func events(t *testing.T, s *suite, q audit.Query) []audit.Event {
	t.Helper()
	return read(t, s, func(r accounts.Reader) ([]audit.Event, error) { return r.AuditEvents(t.Context(), q) })
}

func testEvidence(t *testing.T, s *suite) {
	ctx := t.Context()
	w := newWorld(t, s, "acme")
	mine := newEvent(newID())
	mine.OrgID, mine.OrgSlug, mine.Time = w.org.ID, "acme", start.Add(time.Hour)
	forged := mine
	forged.Actor, forged.CorrelationID, forged.Source = "sa:system:someone-else", "forged", "203.0.113.1"
	// A deletion's event stays when the org is gone.
	err := s.store.Write(ctx, actor, func(tx accounts.Tx) error {
		return firstError(tx.DeleteOrg(ctx, w.org.ID, start), tx.Record(ctx, forged))
	})
	if err != nil {
		t.Fatal(err)
	}
	mine.Actor, mine.CorrelationID, mine.Source = actor.Subject, actor.CorrelationID, actor.Source
	requireNoZero(t, mine)
	same(t, "the event", []audit.Event{mine}, events(t, s, audit.Query{OrgID: w.org.ID, Limit: 10}))

	none := newEvent(newID())
	none.OrgID, none.OrgSlug = uuid.Nil, ""
	operator := authz.Operator("signet:keys")
	if err := s.store.Write(ctx, operator, func(tx accounts.Tx) error { return tx.Record(ctx, none) }); err != nil {
		t.Fatal(err)
	}
	none.Actor = operator.Subject
	same(t, "an event of no org", []audit.Event{none}, events(t, s, audit.Query{Limit: 10}))
	same(t, "by actor", []audit.Event{none}, events(t, s, audit.Query{Actor: operator.Subject, Limit: 10}))
	same(t, "by another actor", nil, events(t, s, audit.Query{Actor: actor.Subject, Limit: 10}))

	again := newEvent(none.ID)
	err = s.store.Write(ctx, actor, func(tx accounts.Tx) error { return tx.Record(ctx, again) })
	if !errors.Is(err, accounts.ErrExists) {
		t.Errorf("an event id again: %v", err)
	}
}

func testOneEvent(t *testing.T, s *suite) {
	ctx := t.Context()
	org, ids := newOrg("acme"), []uuid.UUID{newID(), newID()}
	for n := range 3 {
		if n == 1 {
			continue
		}
		err := s.store.Write(ctx, actor, func(tx accounts.Tx) error {
			for _, id := range ids[:n] {
				if err := tx.Record(ctx, newEvent(id)); err != nil {
					return err
				}
			}
			return tx.InsertOrg(ctx, org)
		})
		if err == nil || errors.Is(err, accounts.ErrUnavailable) {
			t.Errorf("a write with %d events: %v", n, err)
		}
	}
	absent(t, s, "what the refused writes made", getOrg(t, accounts.ByID(org.ID)))
	same(t, "their events", nil, events(t, s, audit.Query{OrgID: newEvent(ids[0]).OrgID, Limit: 10}))

	// An event that could not be recorded does not count.
	s.write(t, func(tx accounts.Tx) error { return tx.InsertOrg(ctx, org) })
	taken := events(t, s, audit.Query{OrgID: newEvent(ids[0]).OrgID, Limit: 1})[0].ID
	err := s.store.Write(ctx, actor, func(tx accounts.Tx) error {
		if err := tx.Record(ctx, newEvent(taken)); !errors.Is(err, accounts.ErrExists) {
			t.Errorf("an event id again: %v", err)
		}
		return tx.DeleteOrg(ctx, org.ID, start)
	})
	if err == nil {
		t.Error("a write whose event was refused went through")
	}
	same(t, "the org", org, read(t, s, getOrg(t, accounts.ByID(org.ID))))
}

func testReceipts(t *testing.T, s *suite) {
	ctx := t.Context()
	first, other := newReceipt("key"), newReceipt("key")
	other.Actor = newID()
	requireNoZero(t, first)
	absent(t, s, "before", getReceipt(t, first))
	keep := func(receipt audit.Receipt) {
		t.Helper()
		s.write(t, func(tx accounts.Tx) error { return tx.KeepReceipt(ctx, receipt) })
	}
	keep(first)
	keep(other)
	same(t, "kept", first, read(t, s, getReceipt(t, first)))
	second := newReceipt("key")
	second.OrgID = uuid.Nil
	keep(second)
	same(t, "replaced", second, read(t, s, getReceipt(t, first)))
	same(t, "of another actor", other, read(t, s, getReceipt(t, other)))
	absent(t, s, "another key", getReceipt(t, newReceipt("kez")))

	w := newWorld(t, s, "acme")
	ofOrg := newReceipt("of-org")
	ofOrg.OrgID = w.org.ID
	keep(ofOrg)
	s.write(t, func(tx accounts.Tx) error { return tx.DeleteOrg(ctx, w.org.ID, start) })
	absent(t, s, "of a deleted org", getReceipt(t, ofOrg))
	same(t, "of no org", second, read(t, s, getReceipt(t, second)))
}
