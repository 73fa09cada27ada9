package accounts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
)

func TestI44_WhatAnEventSays(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	by := admin(acme, "*")
	_, err := f.CreateAccount(t.Context(), by, accounts.ByID(acme.ID), accounts.NewAccount{Slug: "bot", Name: "Bot"})
	must(t, err)
	events, next, err := f.AuditEvents(t.Context(), by, accounts.ByID(acme.ID), accounts.AuditQuery{Limit: 1, Actor: by.Subject})
	must(t, err)
	if len(events) != 1 || next != uuid.Nil {
		t.Fatalf("events %+v, next %v", events, next)
	}
	want := audit.Event{
		ID: events[0].ID, Time: start, Type: "organizations.serviceAccounts.created", OrgID: acme.ID, OrgSlug: "acme",
		Actor: "sa:acme:tester", Target: "sa:acme:bot", Outcome: audit.Succeeded, CorrelationID: "correlation-1", Source: "192.0.2.1",
	}
	if diff := cmp.Diff(want, events[0]); diff != "" {
		t.Errorf("event (-want +got)\n%s", diff)
	}
}

func TestAuditEventsByPages(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	for _, slug := range []string{"a", "b", "c", "d"} {
		f.clock.advance(time.Minute)
		f.account(acme, accounts.NewAccount{Slug: slug})
	}
	var targets []string
	q := accounts.AuditQuery{Limit: 2}
	for {
		events, next, err := f.AuditEvents(t.Context(), operator(), accounts.ByID(acme.ID), q)
		must(t, err)
		for _, event := range events {
			targets = append(targets, event.Target)
		}
		if next == uuid.Nil {
			break
		}
		q.Before = next
	}
	if got := strings.Join(targets, " "); got != "sa:acme:d sa:acme:c sa:acme:b sa:acme:a org:acme" {
		t.Errorf("targets %s", got)
	}
	window := accounts.AuditQuery{Limit: 9, From: start.Add(2 * time.Minute), To: start.Add(4 * time.Minute)}
	events, _, err := f.AuditEvents(t.Context(), operator(), accounts.ByID(acme.ID), window)
	must(t, err)
	if len(events) != 2 || events[0].Target != "sa:acme:c" || events[1].Target != "sa:acme:b" {
		t.Errorf("from two to four minutes: %+v", events)
	}
	for _, limit := range []int{0, -1} { // a page has at least one event
		events, next, err := f.AuditEvents(t.Context(), operator(), accounts.ByID(acme.ID), accounts.AuditQuery{Limit: limit})
		must(t, err)
		if len(events) != 1 || next != events[0].ID {
			t.Errorf("limit %d: %d events, next %v", limit, len(events), next)
		}
	}
}

// An org sees no event of another one.
func TestI33_AuditEventsOfOneOrg(t *testing.T) {
	f := newFixture(t)
	acme, other := f.org("acme"), f.org("other")
	f.account(other, accounts.NewAccount{Slug: "bot"})
	events, _, err := f.AuditEvents(t.Context(), admin(acme, "*"), accounts.ByID(acme.ID), accounts.AuditQuery{Limit: 9, Target: "sa:other:bot"})
	must(t, err)
	if len(events) != 0 {
		t.Errorf("events %+v", events)
	}
}

// TestI29_NoValueInAnError breaks every rule with a text that no error may repeat.
func TestI29_NoValueInAnError(t *testing.T) {
	const canary = "CANARY"
	f := newFixture(t)
	acme := f.org("acme")
	org, at := accounts.ByID(acme.ID), refTo(f.account(acme, accounts.NewAccount{Slug: "bot"}).Account)
	ctx, by, long := t.Context(), operator(), strings.Repeat(canary, 200)
	for name, err := range map[string]error{
		"org":        fails2(f.CreateOrg(ctx, by, accounts.NewOrg{Slug: canary, Name: long, Audiences: []string{canary}, DefaultAudience: canary})),
		"org role":   fails2(f.CreateOrg(ctx, by, accounts.NewOrg{Slug: "x", Name: "X", DefaultRole: canary})),
		"role":       fails2(f.CreateRole(ctx, by, org, accounts.NewRole{Slug: canary, Name: long})),
		"group":      fails2(f.CreateGroup(ctx, by, org, accounts.NewGroup{Name: long, Roles: []string{canary}})),
		"group role": fails2(f.CreateGroup(ctx, by, org, accounts.NewGroup{Name: "G", Roles: []string{canary}})),
		"account": fails(f.CreateAccount(ctx, by, org, accounts.NewAccount{
			Slug: canary, Name: long, Description: long, Tags: []accounts.Tag{{Name: long}},
		})),
		"account role": fails(f.CreateAccount(ctx, by, org, accounts.NewAccount{Name: "A", Role: canary})),
		"scopes":       fails(f.CreateAccount(ctx, by, org, accounts.NewAccount{Name: "A", Scopes: authz.MustSet(canary)})),
		"kind":         fails(f.CreateCredential(ctx, by, at, accounts.NewCredential{Kind: canary, Name: long, Scopes: authz.MustSet(canary)})),
		"taken":        fails(f.CreateAccount(ctx, by, org, accounts.NewAccount{Slug: "bot", Name: canary})),
		"absent":       fails(f.Role(ctx, by, org, accounts.BySlug(canary))),
		"denied": fails2(f.CreateRole(ctx, admin(acme, "orgs:*"), org, accounts.NewRole{
			Slug: "x", Name: "X", Permissions: authz.MustSet(canary),
		})),
	} {
		if err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
