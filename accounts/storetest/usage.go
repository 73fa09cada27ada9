package storetest

import (
	"net/netip"
	"testing"
	"time"

	"github.com/signet-issuer/signet/accounts"
)

func (s *suite) save(t *testing.T, uses ...accounts.Use) {
	t.Helper()
	if err := s.store.SaveUsage(t.Context(), uses); err != nil {
		t.Fatal(err)
	}
}

func testLastUse(t *testing.T, s *suite) {
	ctx := t.Context()
	w, other := newWorld(t, s, "acme"), newWorld(t, s, "globe")
	second := newSecret(w.credential, 2)
	keyed := newCredential(w.account, "keyed")
	keyed.Primary, keyed.Kind = false, "public_key"
	s.write(t, func(tx accounts.Tx) error {
		return firstError(tx.InsertSecret(ctx, second, newHash(second, w.pepper.Number)), tx.InsertCredential(ctx, keyed))
	})
	s.save(t) // nothing to do
	check := func(what string, first, secondUse, ofCredential, ofKeyed, ofAccount accounts.LastUse) {
		t.Helper()
		secrets := read(t, s, listSecrets(t, w.credential.ID))
		same(t, what+": secrets", []accounts.LastUse{first, secondUse}, []accounts.LastUse{secrets[0].LastUse, secrets[1].LastUse})
		same(t, what+": credential", ofCredential, read(t, s, getCredential(t, w.credential)).LastUse)
		same(t, what+": other credential", ofKeyed, read(t, s, getCredential(t, keyed)).LastUse)
		same(t, what+": account", ofAccount, read(t, s, getAccount(t, w.account)).LastUse)
		same(t, what+": listed", ofAccount, read(t, s, listAccounts(t, w.org.ID, all)).List[0].LastUse)
	}
	u1, never := lastUse(w.use), accounts.LastUse{}
	check("never used", u1, never, u1, never, u1)

	use2 := newUse(second, w.account.ID, start.Add(2*time.Minute))
	s.save(t, use2)
	u2 := lastUse(use2)
	check("the newer secret", u1, u2, u2, never, u2)

	use3 := newUse(accounts.Secret{ID: keyed.ID, CredentialID: keyed.ID}, w.account.ID, start.Add(3*time.Minute))
	use3.Addr = netip.MustParseAddr("192.0.2.77")
	older := newUse(second, w.account.ID, start.Add(90*time.Second))
	s.save(t, older, use3, older)
	u3 := lastUse(use3)
	check("a kind without secrets, and an older use", u1, u2, u2, u3, u3)

	// In one call the newest wins wherever it stands, and what is missing stays missing.
	use5, use4 := newUse(w.secret, w.account.ID, start.Add(5*time.Minute)), newUse(w.secret, w.account.ID, start.Add(4*time.Minute))
	use5.Addr, use5.UserAgent = netip.Addr{}, ""
	s.save(t, use4, use5, use4)
	u5 := lastUse(use5)
	check("several at once", u5, u2, u5, u3, u5)
	other.check(t, s)
}

func testLastUseFolds(t *testing.T, s *suite) {
	ctx := t.Context()
	w := newWorld(t, s, "acme")
	second, unused := newSecret(w.credential, 2), newSecret(w.credential, 3)
	s.write(t, func(tx accounts.Tx) error {
		return firstError(tx.InsertSecret(ctx, second, newHash(second, w.pepper.Number)),
			tx.InsertSecret(ctx, unused, newHash(unused, w.pepper.Number)))
	})
	newest := newUse(second, w.account.ID, start.Add(time.Hour))
	s.save(t, newest)
	check := func(what string, credential bool) {
		t.Helper()
		if credential {
			same(t, what+": credential", lastUse(newest), read(t, s, getCredential(t, w.credential)).LastUse)
		}
		same(t, what+": account", lastUse(newest), read(t, s, getAccount(t, w.account)).LastUse)
	}
	// The newest use goes first, then an older and a missing one: the maximum stays.
	for _, secret := range []accounts.Secret{second, w.secret, unused} {
		s.write(t, func(tx accounts.Tx) error { return tx.DeleteSecret(ctx, w.credential.ID, secret.ID) })
		check("after a secret was deleted", true)
	}
	same(t, "no secret is left", nil, read(t, s, listSecrets(t, w.credential.ID)))

	later := newSecret(w.credential, 4)
	s.write(t, func(tx accounts.Tx) error { return tx.InsertSecret(ctx, later, newHash(later, w.pepper.Number)) })
	newest = newUse(later, w.account.ID, start.Add(2*time.Hour))
	s.save(t, newest)
	check("a new secret", true)

	idle := newCredential(w.account, "idle")
	idle.Primary = false
	s.write(t, func(tx accounts.Tx) error { return tx.InsertCredential(ctx, idle) })
	for _, credential := range []accounts.Credential{w.credential, idle} {
		s.write(t, func(tx accounts.Tx) error { return tx.DeleteCredential(ctx, w.account.ID, credential.ID) })
		check("after a credential was deleted", false)
	}
	testLastUseAfterTheDead(t, s, w, newest)
}

func testLastUseAfterTheDead(t *testing.T, s *suite, w *world, newest accounts.Use) {
	t.Helper()
	ctx := t.Context()
	check := func(what string) {
		t.Helper()
		same(t, what, lastUse(newest), read(t, s, getAccount(t, w.account)).LastUse)
	}
	// What the dead left behind does not pass to a new credential, and is beaten by a newer use.
	fresh := newCredential(w.account, "fresh")
	secret := newSecret(fresh, 1)
	s.write(t, func(tx accounts.Tx) error {
		return firstError(tx.InsertCredential(ctx, fresh), tx.InsertSecret(ctx, secret, newHash(secret, w.pepper.Number)))
	})
	same(t, "a new credential", accounts.LastUse{}, read(t, s, getCredential(t, fresh)).LastUse)
	s.save(t, newUse(secret, w.account.ID, start.Add(time.Hour)))
	check("an older use of the new one")
	newest = newUse(secret, w.account.ID, start.Add(3*time.Hour))
	s.save(t, newest)
	check("a newer use of the new one")
}

func testStrayUses(t *testing.T, s *suite) {
	ctx := t.Context()
	w, other := newWorld(t, s, "acme"), newWorld(t, s, "globe")
	dead := newSecret(w.credential, 2)
	s.write(t, func(tx accounts.Tx) error { return tx.InsertSecret(ctx, dead, newHash(dead, w.pepper.Number)) })
	s.write(t, func(tx accounts.Tx) error { return tx.DeleteSecret(ctx, w.credential.ID, dead.ID) })

	late := start.Add(9 * time.Hour)
	good := newUse(w.secret, w.account.ID, start.Add(time.Hour))
	mixed := newUse(w.secret, w.account.ID, late)
	mixed.SecretID = other.secret.ID
	nobody := newUse(accounts.Secret{ID: newID(), CredentialID: newID()}, newID(), late)
	s.save(t, newUse(dead, w.account.ID, late), newUse(w.secret, other.account.ID, late), mixed, nobody, good)

	w.secret.LastUse, w.credential.LastUse, w.account.LastUse = lastUse(good), lastUse(good), lastUse(good)
	w.check(t, s)
	other.check(t, s)
}

func testSweep(t *testing.T, s *suite) {
	ctx := t.Context()
	w := newWorld(t, s, "acme")
	ended, kept, eternal := newSecret(w.credential, 2), newSecret(w.credential, 3), newSecret(w.credential, 4)
	ended.ExpiresAt, kept.ExpiresAt, eternal.ExpiresAt = start.Add(time.Hour), start.Add(2*time.Hour), time.Time{}
	before, after := newReceipt("before"), newReceipt("after")
	before.Time, after.Time = start.Add(time.Hour), start.Add(2*time.Hour)
	s.write(t, func(tx accounts.Tx) error {
		for _, secret := range []accounts.Secret{ended, kept, eternal} {
			if err := tx.InsertSecret(ctx, secret, newHash(secret, w.pepper.Number)); err != nil {
				return err
			}
		}
		return firstError(tx.KeepReceipt(ctx, before), tx.KeepReceipt(ctx, after))
	})
	use := newUse(ended, w.account.ID, start.Add(30*time.Minute))
	s.save(t, use)
	sweep := func(receipts, secrets time.Time, want int) {
		t.Helper()
		n, err := s.store.Sweep(ctx, receipts, secrets)
		if err != nil || n != want {
			t.Errorf("Sweep = %d, %v, want %d", n, err, want)
		}
	}
	sweep(start.Add(time.Hour), start.Add(time.Hour), 0) // the bound itself stays
	sweep(start.Add(2*time.Hour), start.Add(2*time.Hour), 2)
	sweep(start.Add(2*time.Hour), start.Add(2*time.Hour), 0)

	same(t, "secrets", []accounts.Secret{w.secret, kept, eternal}, read(t, s, listSecrets(t, w.credential.ID)))
	same(t, "last use of what was swept", lastUse(use), read(t, s, getCredential(t, w.credential)).LastUse)
	absent(t, s, "an old receipt", getReceipt(t, before))
	same(t, "a receipt", after, read(t, s, getReceipt(t, after)))
	if _, err := s.store.StandingBySecret(ctx, []accounts.Hash{newHash(kept, w.pepper.Number)}); err != nil {
		t.Errorf("standing of a kept secret: %v", err)
	}
}
