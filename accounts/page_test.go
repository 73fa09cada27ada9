package accounts_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
)

// Who sees one org alone reads it by the same cursors as who sees them all.
func TestCursorsOfOneOrg(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	before, after := acme.ID, acme.ID
	before[15]--
	after[15]++
	for q, want := range map[accounts.Query]accounts.Page{
		{Limit: 1}:                             {Total: 1},
		{Limit: 1, ByID: true}:                 {Total: 1},
		{Limit: 1, After: before}:              {Total: 1},
		{Limit: 1, Before: after}:              {Total: 1},
		{Limit: 1, After: acme.ID}:             {Total: 1, Prev: true},
		{Limit: 1, After: after}:               {Total: 1, Prev: true},
		{Limit: 1, Before: acme.ID}:            {Total: 1, Next: true},
		{Limit: 1, Before: before}:             {Total: 1, Next: true},
		{Limit: 1, Offset: 1}:                  {Total: 1, Prev: true},
		{Limit: 0}:                             {Total: 1, Next: true},
		{Limit: 1, Search: "x"}:                {},
		{Limit: 1, Search: "ACME", ByID: true}: {Total: 1},
	} {
		shown := 0
		if !want.Next && !want.Prev {
			shown = want.Total
		}
		orgs, page, err := f.Orgs(t.Context(), admin(acme, "orgs:settings:read"), q)
		must(t, err)
		if page != want || len(orgs) != shown {
			t.Errorf("%+v: %d of %+v, want %+v", q, len(orgs), page, want)
		}
		if q.Search == "" { // the store of all orgs agrees, with its only other org before
			all, page, err := f.Orgs(t.Context(), operator(), q)
			must(t, err)
			if page.Total != 2 || len(all) > q.Limit {
				t.Errorf("%+v, all: %d of %+v", q, len(all), page)
			}
		}
	}
}

// A page lies in one place.
func TestContradictoryCursors(t *testing.T) {
	f := newFixture(t)
	o := f.objects(f.org("acme"))
	id := uuid.New()
	for q, field := range map[accounts.Query]string{
		{Limit: 1, After: id, Before: id}:  "before",
		{Limit: 1, After: id, Offset: 1}:   "offset",
		{Limit: 1, Before: id, Offset: 10}: "offset",
	} {
		_, _, orgs := f.Orgs(t.Context(), operator(), q)
		_, _, _, roles := f.Roles(t.Context(), operator(), o.org, q)
		_, _, groups := f.Groups(t.Context(), operator(), o.org, q)
		_, _, list := f.Accounts(t.Context(), operator(), o.org, q)
		_, _, credentials := f.Credentials(t.Context(), operator(), o.account, q)
		for _, err := range []error{orgs, roles, groups, list, credentials} {
			wantInvalid(t, err, field)
		}
	}
}

func TestListsByCursor(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	ref := accounts.ByID(acme.ID)
	var made []accounts.ServiceAccount
	for i := range 3 {
		made = append(made, f.account(acme, accounts.NewAccount{Slug: fmt.Sprintf("bot-%d", i)}).Account)
	}
	list, page, err := f.Accounts(t.Context(), operator(), ref, accounts.Query{After: made[0].ID, Limit: 1})
	must(t, err)
	if len(list) != 1 || list[0].ID != made[1].ID || page != (accounts.Page{Total: 3, Next: true, Prev: true}) {
		t.Errorf("%+v, %+v", list, page)
	}
	var credentials []accounts.Credential
	for range 3 {
		issued, err := f.CreateCredential(t.Context(), operator(), refTo(made[0]), accounts.NewCredential{Kind: accounts.KindSecret, Name: "N"})
		must(t, err)
		credentials = append(credentials, issued.Credential)
	}
	of, page, err := f.Credentials(t.Context(), operator(), refTo(made[0]), accounts.Query{Before: credentials[2].ID, Limit: 1})
	must(t, err)
	if len(of) != 1 || of[0].ID != credentials[1].ID || page != (accounts.Page{Total: 3, Next: true, Prev: true}) {
		t.Errorf("%+v, %+v", of, page)
	}
}

// What is missing is named to whoever may know of what it is missing in.
func TestNotFoundNamesWhat(t *testing.T) {
	f := newFixture(t)
	acme, other := f.org("acme"), f.org("other")
	mine := f.objects(acme)
	by, none := admin(acme, "*"), uuid.New()
	absent := accounts.AccountRef{Org: mine.org, Account: accounts.ByID(none)}
	_, _, foreign := f.Accounts(t.Context(), by, accounts.ByID(other.ID), accounts.Query{Limit: 1})
	for what, errs := range map[string][]error{
		accounts.WhatOrg: {
			fails(f.Org(t.Context(), by, accounts.ByID(other.ID))), fails(f.Org(t.Context(), by, accounts.ByID(none))),
			foreign, fails(f.Rotate(t.Context(), by, accounts.AccountRef{Org: accounts.ByID(other.ID)}, accounts.Rotation{})),
		},
		accounts.WhatRole:       {fails(f.Role(t.Context(), by, mine.org, accounts.ByID(none)))},
		accounts.WhatGroup:      {fails(f.Group(t.Context(), by, mine.org, none)), f.DeleteGroup(t.Context(), by, mine.org, none, nil)},
		accounts.WhatAccount:    {fails(f.Account(t.Context(), by, absent)), f.DeleteAccount(t.Context(), by, absent, nil)},
		accounts.WhatCredential: {fails(f.Credential(t.Context(), by, mine.account, none)), f.DeleteCredential(t.Context(), by, mine.account, none, nil)},
		accounts.WhatSecret:     {f.RetireSecret(t.Context(), by, mine.account, mine.credential, none)},
	} {
		for i, err := range errs {
			wantErr(t, err, accounts.ErrNotFound)
			if named := namedIn(err); named != what {
				t.Errorf("%s, call %d: %q is missing (%v)", what, i, named, err)
			}
		}
	}
}

func namedIn(err error) string {
	absent, ok := errors.AsType[*accounts.NotFoundError](err)
	if !ok {
		return ""
	}
	return absent.What
}
