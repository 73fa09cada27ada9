package accounts_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

func TestBootstrap(t *testing.T) {
	f := newFixture(t) // which bootstraps once
	_, err := f.Bootstrap(t.Context(), false)
	wantErr(t, err, accounts.ErrExists)
	second, err := f.Bootstrap(t.Context(), true)
	must(t, err)
	if second.Account.UserID() != "sa:system:admin-2" || second.Account.CreatedBy != accounts.BootstrapActor {
		t.Errorf("made %+v", second.Account)
	}
	standing := f.alive(second.Credential.ClientID, second.Secret)
	if !standing.System() || !standing.Allowed().Covers("*") {
		t.Errorf("standing %+v", standing)
	}
	done, err := f.Bootstrapped(t.Context())
	must(t, err)
	if !done {
		t.Error("not bootstrapped")
	}
}

func TestI19_ConcurrentBootstrapsMakeOneAdministrator(t *testing.T) {
	f := openUnused(t, filepath.Join(t.TempDir(), "signet.db"))
	f.Service = f.open(f.store)
	results := make([]error, 8)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() { _, results[i] = f.Bootstrap(t.Context(), false) })
	}
	wg.Wait()
	made := 0
	for _, err := range results {
		if err == nil {
			made++
		} else {
			wantErr(t, err, accounts.ErrExists)
		}
	}
	_, page, err := f.Accounts(t.Context(), operator(), accounts.ByID(accounts.SystemOrgID), accounts.Query{})
	must(t, err)
	if made != 1 || page.Total != 1 {
		t.Errorf("%d succeeded, %d administrators", made, page.Total)
	}
	if rows := f.auditRows(); rows != 3 { // the pepper, the org, the account
		t.Errorf("%d audit rows", rows)
	}
}

func TestSystemOrgIsProtected(t *testing.T) {
	f := newFixture(t)
	system := accounts.ByID(accounts.SystemOrgID)
	wantErr(t, f.unchanged(func() error { return f.DeleteOrg(t.Context(), operator(), system, nil) }), accounts.ErrProtected)
	wantErr(t, f.unchanged(func() error {
		return fails(f.UpdateOrg(t.Context(), operator(), system, accounts.OrgPatch{Disabled: accounts.Some(true)}))
	}), accounts.ErrProtected)
	if org := f.systemOrg(); org.ID != accounts.SystemOrgID || org.DefaultRole != accounts.RoleMember {
		t.Errorf("system org %+v", org)
	}
}

// ownerRemovals are the paths on which an owner may go.
var ownerRemovals = map[string]struct {
	grouped bool // the owner has its role by a group
	take    func(ctx context.Context, f *fixture, owner accounts.ServiceAccount, group accounts.Group) error
}{
	"delete": {false, func(ctx context.Context, f *fixture, owner accounts.ServiceAccount, _ accounts.Group) error {
		return f.DeleteAccount(ctx, operator(), refTo(owner), nil)
	}},
	"disable": {false, func(ctx context.Context, f *fixture, owner accounts.ServiceAccount, _ accounts.Group) error {
		return fails(f.UpdateAccount(ctx, operator(), refTo(owner), accounts.AccountPatch{Disabled: accounts.Some(true)}))
	}},
	"role change": {false, func(ctx context.Context, f *fixture, owner accounts.ServiceAccount, _ accounts.Group) error {
		return fails(f.UpdateAccount(ctx, operator(), refTo(owner), accounts.AccountPatch{Role: accounts.Some(accounts.RoleAdmin)}))
	}},
	"role removal": {false, func(ctx context.Context, f *fixture, owner accounts.ServiceAccount, _ accounts.Group) error {
		return fails(f.UpdateAccount(ctx, operator(), refTo(owner), accounts.AccountPatch{Role: accounts.Some("")}))
	}},
	"scopes that narrow it": {false, func(ctx context.Context, f *fixture, owner accounts.ServiceAccount, _ accounts.Group) error {
		return fails(f.UpdateAccount(ctx, operator(), refTo(owner), accounts.AccountPatch{Scopes: accounts.Some(authz.MustSet("orgs:*"))}))
	}},
	"an end of its only credential": {false, func(ctx context.Context, f *fixture, owner accounts.ServiceAccount, _ accounts.Group) error {
		list, _, err := f.Credentials(ctx, operator(), refTo(owner), accounts.Query{Limit: 1})
		if err != nil {
			return err
		}
		return fails(f.UpdateCredential(ctx, operator(), refTo(owner), list[0].ID, accounts.CredentialPatch{
			ExpiresAt: accounts.Some(f.clock.now().Add(time.Hour)),
		}))
	}},
	"leaving the group": {true, func(ctx context.Context, f *fixture, owner accounts.ServiceAccount, _ accounts.Group) error {
		return fails(f.UpdateAccount(ctx, operator(), refTo(owner), accounts.AccountPatch{Groups: accounts.Some([]uuid.UUID{})}))
	}},
	"removal from the group": {true, func(ctx context.Context, f *fixture, _ accounts.ServiceAccount, group accounts.Group) error {
		return fails(f.UpdateGroup(ctx, operator(), accounts.ByID(accounts.SystemOrgID), group.ID, accounts.GroupPatch{Members: accounts.Some([]uuid.UUID{})}))
	}},
	"role of the group": {true, func(ctx context.Context, f *fixture, _ accounts.ServiceAccount, group accounts.Group) error {
		return fails(f.UpdateGroup(ctx, operator(), accounts.ByID(accounts.SystemOrgID), group.ID, accounts.GroupPatch{Roles: accounts.Some([]string{accounts.RoleAdmin})}))
	}},
	"group deletion": {true, func(ctx context.Context, f *fixture, _ accounts.ServiceAccount, group accounts.Group) error {
		return f.DeleteGroup(ctx, operator(), accounts.ByID(accounts.SystemOrgID), group.ID, nil)
	}},
	"disable in the group": {true, func(ctx context.Context, f *fixture, owner accounts.ServiceAccount, _ accounts.Group) error {
		return fails(f.UpdateAccount(ctx, operator(), refTo(owner), accounts.AccountPatch{Disabled: accounts.Some(true)}))
	}},
	"credential deletion": {false, func(ctx context.Context, f *fixture, owner accounts.ServiceAccount, _ accounts.Group) error {
		return f.DeleteCredential(ctx, operator(), refTo(owner), f.onlyCredential(owner), nil)
	}},
	"credential disable": {false, func(ctx context.Context, f *fixture, owner accounts.ServiceAccount, _ accounts.Group) error {
		return fails(f.UpdateCredential(ctx, operator(), refTo(owner), f.onlyCredential(owner), accounts.CredentialPatch{Disabled: accounts.Some(true)}))
	}},
	"scopes that narrow its credential": {true, func(ctx context.Context, f *fixture, owner accounts.ServiceAccount, _ accounts.Group) error {
		return fails(f.UpdateCredential(ctx, operator(), refTo(owner), f.onlyCredential(owner), accounts.CredentialPatch{Scopes: accounts.Some(authz.MustSet("orgs:*"))}))
	}},
	"its only secret": {true, func(ctx context.Context, f *fixture, owner accounts.ServiceAccount, _ accounts.Group) error {
		id := f.onlyCredential(owner)
		secrets, err := f.Secrets(ctx, operator(), refTo(owner), id)
		must(f.t, err)
		return f.RetireSecret(ctx, operator(), refTo(owner), id, secrets[0].ID)
	}},
}

func (f *fixture) onlyCredential(account accounts.ServiceAccount) uuid.UUID {
	f.t.Helper()
	list, page, err := f.Credentials(f.t.Context(), operator(), refTo(account), accounts.Query{Limit: 1})
	must(f.t, err)
	if page.Total != 1 {
		f.t.Fatalf("%d credentials", page.Total)
	}
	return list[0].ID
}

// TestLastOwnerOfTheSystemOrg takes the last enabled owner away by every path.
func TestLastOwnerOfTheSystemOrg(t *testing.T) {
	system := accounts.ByID(accounts.SystemOrgID)
	for name, test := range ownerRemovals {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			owner, err := f.Account(t.Context(), operator(), accounts.AccountRef{Org: system, Account: accounts.BySlug("admin")})
			must(t, err)
			var group accounts.Group
			if test.grouped {
				group = f.group(f.systemOrg(), []string{accounts.RoleOwner}, owner.ID)
				_, err := f.UpdateAccount(t.Context(), operator(), refTo(owner), accounts.AccountPatch{Role: accounts.Some("")})
				must(t, err)
			}
			wantErr(t, f.unchanged(func() error { return test.take(t.Context(), f, owner, group) }), accounts.ErrProtected)

			spare := f.account(f.systemOrg(), accounts.NewAccount{Role: accounts.RoleOwner, Credential: &accounts.FirstCredential{}}).Account
			_, err = f.UpdateAccount(t.Context(), operator(), refTo(spare), accounts.AccountPatch{Disabled: accounts.Some(true)})
			must(t, err)
			wantErr(t, f.unchanged(func() error { return test.take(t.Context(), f, owner, group) }), accounts.ErrProtected)
			_, err = f.UpdateAccount(t.Context(), operator(), refTo(spare), accounts.AccountPatch{Disabled: accounts.Some(false)})
			must(t, err)
			must(t, test.take(t.Context(), f, owner, group))
		})
	}
}

// An owner who cannot prove itself is none.
func TestOwnerWithoutCredentialIsNone(t *testing.T) {
	f := newFixture(t)
	owner, err := f.Account(t.Context(), operator(), accounts.AccountRef{Org: accounts.ByID(accounts.SystemOrgID), Account: accounts.BySlug("admin")})
	must(t, err)
	spare := f.account(f.systemOrg(), accounts.NewAccount{Role: accounts.RoleOwner}).Account
	remove := func() error { return f.DeleteAccount(t.Context(), operator(), refTo(owner), nil) }
	wantErr(t, f.unchanged(remove), accounts.ErrProtected)
	_, err = f.CreateCredential(t.Context(), operator(), refTo(spare), accounts.NewCredential{Kind: accounts.KindSecret, Name: "Any"})
	must(t, err)
	must(t, remove())
}

// The last owner of any other org may go.
func TestOtherOrgsMayLoseTheirOwners(t *testing.T) {
	f := newFixture(t)
	owner := f.account(f.org("acme"), accounts.NewAccount{Role: accounts.RoleOwner}).Account
	must(t, f.DeleteAccount(t.Context(), operator(), refTo(owner), nil))
}

func TestSweep(t *testing.T) {
	f := newFixture(t)
	made := f.account(f.org("acme"), accounts.NewAccount{Credential: &accounts.FirstCredential{}, Once: accounts.Once{Key: "k", Fingerprint: "f"}})
	_, err := f.Rotate(t.Context(), operator(), refTo(made.Account), accounts.Rotation{Overlap: 1e9})
	must(t, err)
	for _, want := range []int{0, 1, 1, 0} { // nothing yet, the receipt, the secret, nothing left
		n, err := f.Sweep(t.Context())
		must(t, err)
		if n != want {
			t.Errorf("swept %d, want %d", n, want)
		}
		f.clock.advance(4 * 24 * 3600e9)
	}
}
