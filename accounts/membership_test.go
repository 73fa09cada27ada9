package accounts_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

// However somebody joins, no account is in too many groups.
func TestGroupsOfAnAccountAreLimitedFromBothSides(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	org := accounts.ByID(acme.ID)
	full, idle := f.account(acme, accounts.NewAccount{}).Account, f.account(acme, accounts.NewAccount{}).Account
	var groups []uuid.UUID
	for range accounts.MaxGroupsOfAccount {
		groups = append(groups, f.group(acme, nil, full.ID).ID)
	}
	spare := f.group(acme, nil, idle.ID)
	wantErr(t, f.unchanged(func() error {
		return fails2(f.CreateGroup(t.Context(), operator(), org, accounts.NewGroup{Name: "G", Members: []uuid.UUID{idle.ID, full.ID}}))
	}), accounts.ErrLimit)
	join := accounts.GroupPatch{Members: accounts.Some([]uuid.UUID{idle.ID, full.ID})}
	wantErr(t, f.unchanged(func() error { return fails(f.UpdateGroup(t.Context(), operator(), org, spare.ID, join)) }), accounts.ErrLimit)
	wantInvalid(t, f.unchanged(func() error {
		return fails(f.UpdateAccount(t.Context(), operator(), refTo(full), accounts.AccountPatch{Groups: accounts.Some(append(groups, spare.ID))}))
	}), "groups")

	_, err := f.UpdateAccount(t.Context(), operator(), refTo(full), accounts.AccountPatch{Groups: accounts.Some(groups[1:])})
	must(t, err)
	_, err = f.UpdateGroup(t.Context(), operator(), org, spare.ID, join)
	must(t, err)
}

// However somebody joins, no group has too many members.
func TestMembersOfAGroupAreLimitedFromBothSides(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	org := accounts.ByID(acme.ID)
	members := f.crowd(acme, accounts.MaxMembersOfGroup)
	group := f.group(acme, nil, members...)
	wantInvalid(t, f.unchanged(func() error {
		return fails(f.UpdateGroup(t.Context(), operator(), org, group.ID, accounts.GroupPatch{Members: accounts.Some(append(members, uuid.New()))}))
	}), "members")
	wantErr(t, f.unchanged(func() error {
		return fails(f.CreateAccount(t.Context(), operator(), org, accounts.NewAccount{Name: "Bot", Groups: []uuid.UUID{group.ID}}))
	}), accounts.ErrLimit)
	late := f.account(acme, accounts.NewAccount{}).Account
	join := accounts.AccountPatch{Groups: accounts.Some([]uuid.UUID{group.ID})}
	wantErr(t, f.unchanged(func() error { return fails(f.UpdateAccount(t.Context(), operator(), refTo(late), join)) }), accounts.ErrLimit)

	_, err := f.UpdateGroup(t.Context(), operator(), org, group.ID, accounts.GroupPatch{Members: accounts.Some(members[1:])})
	must(t, err)
	_, err = f.UpdateAccount(t.Context(), operator(), refTo(late), join)
	must(t, err)
	_, err = f.UpdateAccount(t.Context(), operator(), refTo(late), accounts.AccountPatch{Name: accounts.Some("Renamed")})
	must(t, err)
}

// crowd stores n accounts in one write.
func (f *fixture) crowd(org accounts.Org, n int) []uuid.UUID {
	f.t.Helper()
	ids := manyIDs(n)
	must(f.t, f.store.Write(f.t.Context(), operator(), func(tx accounts.Tx) error {
		for i, id := range ids {
			account := accounts.ServiceAccount{ID: id, OrgID: org.ID, Slug: fmt.Sprintf("crowd-%d", i), Name: "Bot", Version: 1}
			if err := tx.InsertAccount(f.t.Context(), account); err != nil {
				return err
			}
		}
		return tx.Record(f.t.Context(), accounts.AuditEvent{ID: uuid.New()})
	}))
	return ids
}

// TestI35_TenantsMustAgree: the org of the caller's token, of the path and of whatever the
// body names are one, or nothing happens.
func TestI35_TenantsMustAgree(t *testing.T) {
	f := newFixture(t)
	acme, other := f.org("acme"), f.org("other")
	by, path, foreignPath := admin(acme, "*"), accounts.ByID(acme.ID), accounts.ByID(other.ID)
	mine := f.account(acme, accounts.NewAccount{Slug: "mine", Credential: &accounts.FirstCredential{}})
	theirs := f.account(other, accounts.NewAccount{Slug: "theirs", Credential: &accounts.FirstCredential{}})
	f.role(other, "foreign", "a:b")
	group, foreign := f.group(acme, nil), f.group(other, nil)
	ctx := t.Context()
	for name, test := range map[string]struct {
		field string // of the body; empty: the object is absent
		write func(by authz.Principal) error
	}{
		"path": {"", func(authz.Principal) error {
			return fails(f.CreateAccount(ctx, by, foreignPath, accounts.NewAccount{Name: "Bot"}))
		}},
		"account under another path": {"", func(by authz.Principal) error {
			return fails(f.UpdateAccount(ctx, by, accounts.AccountRef{Org: path, Account: accounts.ByID(theirs.Account.ID)}, accounts.AccountPatch{Name: accounts.Some("x")}))
		}},
		"credential under another account": {"", func(by authz.Principal) error {
			return f.DeleteCredential(ctx, by, refTo(mine.Account), theirs.Credential.ID, nil)
		}},
		"group under another path": {"", func(by authz.Principal) error {
			return f.DeleteGroup(ctx, by, path, foreign.ID, nil)
		}},
		"member in the body": {"members", func(by authz.Principal) error {
			return fails(f.UpdateGroup(ctx, by, path, group.ID, accounts.GroupPatch{Members: accounts.Some([]uuid.UUID{theirs.Account.ID})}))
		}},
		"group in the body": {"groups", func(by authz.Principal) error {
			return fails(f.UpdateAccount(ctx, by, refTo(mine.Account), accounts.AccountPatch{Groups: accounts.Some([]uuid.UUID{foreign.ID})}))
		}},
		"role in the body": {"roleSlug", func(by authz.Principal) error {
			return fails(f.UpdateAccount(ctx, by, refTo(mine.Account), accounts.AccountPatch{Role: accounts.Some("foreign")}))
		}},
		"audience in the body": {"defaultAudience", func(by authz.Principal) error {
			return fails(f.UpdateOrg(ctx, by, path, accounts.OrgPatch{DefaultAudience: accounts.Some(issuer + "/orgs/other")}))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			// Who reaches both orgs may mix them as little as who reaches one.
			for _, caller := range []authz.Principal{by, operator()} {
				err := f.unchanged(func() error { return test.write(caller) })
				if test.field == "" {
					wantErr(t, err, accounts.ErrNotFound)
				} else {
					wantInvalid(t, err, test.field)
				}
			}
		})
	}
	claim := accounts.Claim{At: accounts.AccountRef{Org: foreignPath, Account: accounts.ByID(mine.Account.ID)}}
	_, err := f.Authenticate(ctx, claim, accounts.SecretProof{Secret: mine.Secret})
	wantErr(t, err, accounts.ErrUnauthenticated)
}
