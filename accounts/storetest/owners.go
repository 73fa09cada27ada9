package storetest

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

func (s *suite) wantOwners(t *testing.T, org accounts.Org, want int) {
	t.Helper()
	got := read(t, s, func(r accounts.Reader) (int, error) { return r.EnabledOwners(t.Context(), org.ID) })
	if got != want {
		t.Errorf("%d enabled owners, want %d", got, want)
	}
}

// insertKey gives an account an enabled credential of a kind without secrets.
func insertKey(t *testing.T, tx accounts.Tx, account accounts.ServiceAccount) error {
	return tx.InsertCredential(t.Context(), accounts.Credential{
		ID: newID(), AccountID: account.ID, OrgID: account.OrgID, ClientID: "key-" + account.ID.String(), Kind: "public_key",
		Version: 1, Stamp: newStamp(),
	})
}

func testEnabledOwners(t *testing.T, s *suite) {
	ctx := t.Context()
	w, other := newWorld(t, s, "acme"), newWorld(t, s, "globe")
	s.wantOwners(t, w.org, 0)
	boss, foreign := newAccount(w.org, "boss"), newAccount(other.org, "boss")
	boss.Role, foreign.Role = accounts.RoleOwner, accounts.RoleOwner
	boss.Disabled, foreign.Disabled = false, false
	boss.Scopes, foreign.Scopes, w.account.Scopes = authz.MustSet("*"), authz.Set{}, authz.Set{}
	s.write(t, func(tx accounts.Tx) error {
		return firstError(tx.InsertRole(ctx, newRole(w.org, accounts.RoleOwner)), tx.InsertRole(ctx, newRole(other.org, accounts.RoleOwner)),
			tx.InsertAccount(ctx, boss), tx.InsertAccount(ctx, foreign),
			insertKey(t, tx, boss), insertKey(t, tx, foreign), insertKey(t, tx, w.account))
	})
	s.wantOwners(t, w.org, 1)
	w.group.Roles = []string{accounts.RoleOwner}
	s.write(t, func(tx accounts.Tx) error { return tx.UpdateGroup(ctx, w.group) })
	w.group.Version++
	s.wantOwners(t, w.org, 1) // the member is disabled
	w.account.Disabled = false
	s.write(t, func(tx accounts.Tx) error { return tx.UpdateAccount(ctx, w.account) })
	s.wantOwners(t, w.org, 2)
	w.group.Members = append(w.group.Members, boss.ID)
	s.write(t, func(tx accounts.Tx) error { return tx.UpdateGroup(ctx, w.group) })
	s.wantOwners(t, w.org, 2) // twice an owner is one
	boss.Scopes, boss.Groups, boss.Version = authz.MustSet("orgs:*"), []uuid.UUID{w.group.ID}, boss.Version+1
	s.write(t, func(tx accounts.Tx) error { return tx.UpdateAccount(ctx, boss) })
	s.wantOwners(t, w.org, 1) // what narrows an owner makes it none
	boss.Scopes, boss.Version = authz.Set{}, boss.Version+1
	s.write(t, func(tx accounts.Tx) error { return tx.UpdateAccount(ctx, boss) })
	s.wantOwners(t, w.org, 2)
	boss.Disabled, boss.Groups, boss.Version = true, []uuid.UUID{w.group.ID}, boss.Version+1
	s.write(t, func(tx accounts.Tx) error { return tx.UpdateAccount(ctx, boss) })
	s.wantOwners(t, w.org, 1)
}

// An owner counts by a credential that can be proven and is as good as the account.
func testOwnersCredentials(t *testing.T, s *suite) {
	ctx := t.Context()
	w := newWorld(t, s, "acme")
	boss := newAccount(w.org, "boss")
	boss.Role, boss.Disabled, boss.Scopes = accounts.RoleOwner, false, authz.Set{}
	s.write(t, func(tx accounts.Tx) error {
		return firstError(tx.InsertRole(ctx, newRole(w.org, accounts.RoleOwner)), tx.InsertAccount(ctx, boss))
	})
	s.wantOwners(t, w.org, 0)
	credential := newCredential(boss, "client-boss")
	credential.Disabled, credential.Scopes, credential.ExpiresAt = false, authz.MustSet("*"), time.Time{}
	s.write(t, func(tx accounts.Tx) error { return tx.InsertCredential(ctx, credential) })
	s.wantOwners(t, w.org, 0) // it has no secret
	secret := newSecret(credential, 1)
	end := secret.ExpiresAt
	secret.ExpiresAt = time.Time{}
	s.write(t, func(tx accounts.Tx) error { return tx.InsertSecret(ctx, secret, newHash(secret, w.pepper.Number)) })
	s.wantOwners(t, w.org, 1)

	update := func(want int, change func(*accounts.Credential)) {
		t.Helper()
		change(&credential)
		s.write(t, func(tx accounts.Tx) error { return tx.UpdateCredential(ctx, credential) })
		credential.Version++
		s.wantOwners(t, w.org, want)
	}
	update(0, func(c *accounts.Credential) { c.Disabled = true })
	update(1, func(c *accounts.Credential) { c.Disabled = false })
	update(0, func(c *accounts.Credential) { c.Scopes = authz.MustSet("orgs:*") })
	update(1, func(c *accounts.Credential) { c.Scopes = authz.Set{} })
	update(0, func(c *accounts.Credential) { c.ExpiresAt = end }) // time alone would lock it out
	update(1, func(c *accounts.Credential) { c.ExpiresAt = time.Time{} })
	s.write(t, func(tx accounts.Tx) error { return tx.ExpireSecret(ctx, credential.ID, secret.ID, end) })
	s.wantOwners(t, w.org, 0)
	secret2 := newSecret(credential, 2)
	secret2.ExpiresAt = time.Time{}
	s.write(t, func(tx accounts.Tx) error { return tx.InsertSecret(ctx, secret2, newHash(secret2, w.pepper.Number)) })
	s.wantOwners(t, w.org, 1)

	second := newCredential(boss, "client-boss-2")
	second.Primary = false
	s.write(t, func(tx accounts.Tx) error { return tx.InsertCredential(ctx, second) })
	s.wantOwners(t, w.org, 1) // one that is disabled changes nothing
	s.write(t, func(tx accounts.Tx) error { return tx.DeleteSecret(ctx, credential.ID, secret2.ID) })
	s.wantOwners(t, w.org, 0)
	s.write(t, func(tx accounts.Tx) error { return insertKey(t, tx, boss) })
	s.wantOwners(t, w.org, 1)
}
