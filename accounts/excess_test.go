package accounts_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

// excessive makes an account whose two groups add up to more than it may hold, and each
// alone to all that it may.
func (f *fixture) excessive(org accounts.Org) (accounts.Issued, []uuid.UUID) {
	f.t.Helper()
	made := f.account(org, accounts.NewAccount{Role: accounts.RoleMember, Credential: &accounts.FirstCredential{}})
	var groups []uuid.UUID
	for g := range 2 {
		groups = append(groups, f.group(org, f.manyRoles(org, fmt.Sprint("g", g)), made.Account.ID).ID)
	}
	if allowed := f.alive(made.Credential.ClientID, made.Secret).Allowed(); !allowed.Empty() {
		f.t.Fatalf("%d patterns allowed", allowed.Len())
	}
	return made, groups
}

// manyRoles makes roles that add up to as much as one may hold.
func (f *fixture) manyRoles(org accounts.Org, prefix string) (slugs []string) {
	f.t.Helper()
	for r := range authz.MaxHeld / authz.MaxPatterns {
		patterns := make([]string, authz.MaxPatterns)
		for i := range patterns {
			patterns[i] = fmt.Sprintf("%s:r%d:p%d", prefix, r, i)
		}
		slugs = append(slugs, f.role(org, fmt.Sprintf("%s-r%d", prefix, r), patterns...).Slug)
	}
	return slugs
}

// Groups can add up to more than an account may hold. It then holds nothing, and can be cut
// off, freed of a group and used again.
func TestI9_TooManyPermissionsStopNoCutOff(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	made, groups := f.excessive(acme)
	for _, disabled := range []bool{true, false} {
		_, err := f.UpdateCredential(t.Context(), operator(), refTo(made.Account), made.Credential.ID, accounts.CredentialPatch{Disabled: accounts.Some(disabled)})
		must(t, err)
		_, err = f.UpdateAccount(t.Context(), operator(), refTo(made.Account), accounts.AccountPatch{Disabled: accounts.Some(disabled)})
		must(t, err)
	}
	_, err := f.UpdateAccount(t.Context(), operator(), refTo(made.Account), accounts.AccountPatch{Groups: accounts.Some(groups[:1])})
	must(t, err)
	if allowed := f.alive(made.Credential.ClientID, made.Secret).Allowed(); allowed.Len() != authz.MaxHeld {
		t.Errorf("%d patterns allowed", allowed.Len())
	}
}

// A rotation without overlap is the cut-off for a secret that leaked.
func TestI9_TooManyPermissionsStopNoRotation(t *testing.T) {
	f := newFixture(t)
	made, _ := f.excessive(f.org("acme"))
	for _, overlap := range []time.Duration{time.Hour, 0} {
		rotated, err := f.Rotate(t.Context(), operator(), refTo(made.Account), accounts.Rotation{Overlap: overlap})
		must(t, err)
		f.alive(rotated.Credential.ClientID, rotated.Secret)
	}
	f.dead(made.Credential.ClientID, made.Secret)
	must(t, f.DeleteCredential(t.Context(), operator(), refTo(made.Account), made.Credential.ID, nil))
	_, err := f.Rotate(t.Context(), operator(), refTo(made.Account), accounts.Rotation{})
	must(t, err)
}

// What allows nothing now, because it is too much, may allow something when a role shrinks:
// whoever lacks it must get no means to act with it.
func TestI34_TooManyPermissionsAreNotNone(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	made, groups := f.excessive(acme)
	narrow, err := f.CreateCredential(t.Context(), operator(), refTo(made.Account), accounts.NewCredential{
		Kind: accounts.KindSecret, Name: "Narrow", Scopes: authz.MustSet("g0:r0:p0"),
	})
	must(t, err)
	clerk := admin(acme, "orgs:credentials:*", "orgs:service-accounts:*")
	at := refTo(made.Account)
	for name, write := range map[string]func() error{
		"rotate": func() error { return fails(f.Rotate(t.Context(), clerk, at, accounts.Rotation{})) },
		"secret": func() error {
			return fails(f.AddSecret(t.Context(), clerk, at, narrow.Credential.ID, accounts.NewSecret{}))
		},
		"credential": func() error {
			return fails(f.CreateCredential(t.Context(), clerk, at, accounts.NewCredential{Kind: accounts.KindSecret, Name: "Mine"}))
		},
		"wider credential": func() error {
			return fails(f.UpdateCredential(t.Context(), clerk, at, narrow.Credential.ID, accounts.CredentialPatch{Scopes: accounts.Some(authz.Set{})}))
		},
		"revival": func() error {
			return fails(f.UpdateAccount(t.Context(), clerk, at, accounts.AccountPatch{Groups: accounts.Some(groups[:1])}))
		},
	} {
		t.Run(name, func(t *testing.T) { wantDenied(t, f.unchanged(write), "") })
	}
	_, err = f.UpdateAccount(t.Context(), operator(), at, accounts.AccountPatch{Disabled: accounts.Some(true)})
	must(t, err)
	wantDenied(t, f.unchanged(func() error {
		return fails(f.UpdateAccount(t.Context(), clerk, at, accounts.AccountPatch{Disabled: accounts.Some(false)}))
	}), "")
}

// Nobody may be given roles that together allow nothing; the answer says where they stand.
func TestTooManyPermissionsAreNotGiven(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	first, second := f.manyRoles(acme, "a"), f.manyRoles(acme, "b")
	org, full := accounts.ByID(acme.ID), []uuid.UUID{f.group(acme, first).ID}
	extra := f.group(acme, second[:1]).ID
	bot := refTo(f.account(acme, accounts.NewAccount{Role: accounts.RoleMember, Groups: full}).Account)
	both := append(slices.Clone(first), second[0])
	for name, test := range map[string]struct {
		field string
		write func() error
	}{
		"new account": {"groups", func() error {
			return fails(f.CreateAccount(t.Context(), operator(), org, accounts.NewAccount{Name: "Bot", Role: second[0], Groups: full}))
		}},
		"one more group": {"groups", func() error {
			return fails(f.UpdateAccount(t.Context(), operator(), bot, accounts.AccountPatch{Groups: accounts.Some(append(full, extra))}))
		}},
		"another role": {"roleSlug", func() error {
			return fails(f.UpdateAccount(t.Context(), operator(), bot, accounts.AccountPatch{Role: accounts.Some(second[0])}))
		}},
		"new group": {"roles", func() error {
			return fails2(f.CreateGroup(t.Context(), operator(), org, accounts.NewGroup{Name: "G", Roles: both}))
		}},
		"one more role of a group": {"roles", func() error {
			return fails(f.UpdateGroup(t.Context(), operator(), org, full[0], accounts.GroupPatch{Roles: accounts.Some(both)}))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			err := f.unchanged(test.write)
			wantInvalid(t, err, test.field)
			if want := fmt.Sprintf("%s: adds up to more than %d permissions", test.field, authz.MaxHeld); !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want %q", err, want)
			}
		})
	}
}
