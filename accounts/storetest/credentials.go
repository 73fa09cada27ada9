package storetest

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

func getCredential(t *testing.T, c accounts.Credential) func(accounts.Reader) (accounts.Credential, error) {
	return func(r accounts.Reader) (accounts.Credential, error) {
		return r.Credential(t.Context(), c.AccountID, c.ID)
	}
}

func listSecrets(t *testing.T, credential uuid.UUID) func(accounts.Reader) ([]accounts.Secret, error) {
	return func(r accounts.Reader) ([]accounts.Secret, error) { return r.Secrets(t.Context(), credential) }
}

func testCredentials(t *testing.T, s *suite) {
	ctx := t.Context()
	w, other := newWorld(t, s, "acme"), newWorld(t, s, "globe")
	bare := accounts.Credential{
		ID: newID(), AccountID: w.account.ID, OrgID: w.org.ID, ClientID: "bare", Kind: "public_key", Version: 1, Stamp: newStamp(),
	}
	s.write(t, func(tx accounts.Tx) error { return tx.InsertCredential(ctx, bare) })
	same(t, "a credential of little", bare, read(t, s, getCredential(t, bare)))
	same(t, "list", page[accounts.Credential]{[]accounts.Credential{w.credential, bare}, 2},
		read(t, s, func(r accounts.Reader) (page[accounts.Credential], error) {
			return paged(r.Credentials(ctx, w.account.ID, all))
		}))

	insert := func(what string, target error, change func(*accounts.Credential)) {
		t.Helper()
		c := newCredential(w.account, "another")
		c.Primary = false
		change(&c)
		s.refuse(t, what, target, func(tx accounts.Tx) error { return tx.InsertCredential(ctx, c) })
	}
	insert("client id of the living", accounts.ErrExists, func(c *accounts.Credential) { c.ClientID = "client-acme" })
	insert("client id in another org", accounts.ErrExists, func(c *accounts.Credential) { c.ClientID = "client-globe" })
	insert("id of the living", accounts.ErrExists, func(c *accounts.Credential) { c.ID = bare.ID })
	insert("an absent account", accounts.ErrNotFound, func(c *accounts.Credential) { c.AccountID = newID() })
	insert("another org than the account's", accounts.ErrNotFound, func(c *accounts.Credential) { c.OrgID = other.org.ID })

	testChangedCredential(t, s, w, bare)

	foreign := other.credential
	foreign.AccountID = w.account.ID
	s.refuse(t, "update in another account", accounts.ErrConflict, func(tx accounts.Tx) error { return tx.UpdateCredential(ctx, foreign) })
	s.refuse(t, "delete in another account", accounts.ErrNotFound, func(tx accounts.Tx) error {
		return tx.DeleteCredential(ctx, w.account.ID, other.credential.ID)
	})
	other.check(t, s)
	s.write(t, func(tx accounts.Tx) error { return tx.DeleteCredential(ctx, w.account.ID, w.credential.ID) })
	absent(t, s, "deleted", getCredential(t, w.credential))
	noStanding(t, s, "of a deleted credential", w)
	same(t, "its secrets", nil, read(t, s, listSecrets(t, w.credential.ID)))
	s.refuse(t, "a second delete", accounts.ErrNotFound, func(tx accounts.Tx) error {
		return tx.DeleteCredential(ctx, w.account.ID, w.credential.ID)
	})
}

func testChangedCredential(t *testing.T, s *suite, w *world, bare accounts.Credential) {
	t.Helper()
	changed := w.credential
	changed.Name, changed.Description, changed.Scopes = "Neu", "anders", authz.MustSet("y:*")
	changed.AllowedCIDRs = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/25"), netip.MustParsePrefix("0.0.0.0/0")}
	changed.ExpiresAt, changed.LastSeq, changed.Gen = start.Add(time.Hour), 2, 101
	changed.UpdatedAt, changed.UpdatedBy = newStamp().UpdatedAt, "sa:system:else"
	versioned[accounts.Credential]{
		get:     getCredential(t, w.credential),
		update:  func(tx accounts.Tx, c accounts.Credential) error { return tx.UpdateCredential(t.Context(), c) },
		version: func(c *accounts.Credential) *int64 { return &c.Version },
	}.check(t, s, changed)

	cleared := bare
	cleared.ID, cleared.ClientID, cleared.Kind, cleared.Shape = w.credential.ID, w.credential.ClientID, w.credential.Kind, w.credential.Shape
	cleared.Version, cleared.Stamp = changed.Version+1, changed.Stamp
	s.write(t, func(tx accounts.Tx) error { return tx.UpdateCredential(t.Context(), cleared) })
	cleared.Version, cleared.LastUse = cleared.Version+1, w.credential.LastUse
	same(t, "cleared", cleared, read(t, s, getCredential(t, w.credential)))
}

func testMain(t *testing.T, s *suite) {
	ctx := t.Context()
	w, other := newWorld(t, s, "acme"), newWorld(t, s, "globe")
	primary := func(account uuid.UUID) func(accounts.Reader) (accounts.Credential, error) {
		return func(r accounts.Reader) (accounts.Credential, error) { return r.MainCredential(ctx, account, "") }
	}
	second := newCredential(w.account, "second")
	s.refuse(t, "two primary ones", accounts.ErrExists, func(tx accounts.Tx) error { return tx.InsertCredential(ctx, second) })
	second.Primary = false
	s.write(t, func(tx accounts.Tx) error { return tx.InsertCredential(ctx, second) })
	same(t, "the primary one", w.credential, read(t, s, primary(w.account.ID)))

	w.credential.Primary, second.Primary = false, true
	s.refuse(t, "the second too", accounts.ErrExists, func(tx accounts.Tx) error { return tx.UpdateCredential(ctx, second) })
	s.write(t, func(tx accounts.Tx) error {
		return firstError(tx.UpdateCredential(ctx, w.credential), tx.UpdateCredential(ctx, second))
	})
	second.Version++
	same(t, "after the change", second, read(t, s, primary(w.account.ID)))
	s.write(t, func(tx accounts.Tx) error { return tx.DeleteCredential(ctx, w.account.ID, second.ID) })
	absent(t, s, "after its deletion", primary(w.account.ID))
	absent(t, s, "of an absent account", primary(newID()))
	same(t, "of another account", other.credential, read(t, s, primary(other.account.ID)))
	testMainOfAKind(t, s, other)
}

// testMainOfAKind has the account of w, whose primary credential is a token, with others of its kind.
func testMainOfAKind(t *testing.T, s *suite, w *world) {
	t.Helper()
	main := func(kind accounts.Kind) func(accounts.Reader) (accounts.Credential, error) {
		return func(r accounts.Reader) (accounts.Credential, error) {
			return r.MainCredential(t.Context(), w.account.ID, kind)
		}
	}
	absent(t, s, "of a kind that it has none of", main(accounts.KindSecret))
	older, newer := newCredential(w.account, "older"), newCredential(w.account, "newer")
	older.Primary, newer.Primary = false, false
	token := older
	token.ID, token.ClientID, token.Kind = newID(), "second-token", accounts.KindToken
	token.ExpiresAt = start.Add(2000 * time.Hour)
	for _, c := range []accounts.Credential{newer, older, token} {
		s.write(t, func(tx accounts.Tx) error { return tx.InsertCredential(t.Context(), c) })
	}
	same(t, "the oldest secret", older, read(t, s, main(accounts.KindSecret)))
	same(t, "the primary token", w.credential, read(t, s, main(accounts.KindToken)))
	same(t, "end of the primary token", w.credential.ExpiresAt, read(t, s, getAccount(t, w.account)).TokenExpiresAt)
	s.write(t, func(tx accounts.Tx) error { return tx.DeleteCredential(t.Context(), w.account.ID, w.credential.ID) })
	same(t, "the other token", token, read(t, s, main(accounts.KindToken)))
	same(t, "end of the other token", token.ExpiresAt, read(t, s, getAccount(t, w.account)).TokenExpiresAt)
	s.write(t, func(tx accounts.Tx) error { return tx.DeleteCredential(t.Context(), w.account.ID, token.ID) })
	same(t, "without a token", time.Time{}, read(t, s, getAccount(t, w.account)).TokenExpiresAt)
}

func testSecrets(t *testing.T, s *suite) {
	ctx := t.Context()
	w, other := newWorld(t, s, "acme"), newWorld(t, s, "globe")
	third, second := newSecret(w.credential, 3), newSecret(w.credential, 2)
	second.ExpiresAt = time.Time{}
	s.write(t, func(tx accounts.Tx) error {
		return firstError(tx.InsertSecret(ctx, third, newHash(third, w.pepper.Number)), tx.InsertSecret(ctx, second, newHash(second, w.pepper.Number)))
	})
	same(t, "oldest first", []accounts.Secret{w.secret, second, third}, read(t, s, listSecrets(t, w.credential.ID)))

	insert := func(what string, target error, change func(*accounts.Secret, *accounts.Hash)) {
		t.Helper()
		secret := newSecret(w.credential, 4)
		hash := newHash(secret, w.pepper.Number)
		change(&secret, &hash)
		s.refuse(t, what, target, func(tx accounts.Tx) error { return tx.InsertSecret(ctx, secret, hash) })
	}
	insert("a hash of the living", accounts.ErrExists, func(_ *accounts.Secret, h *accounts.Hash) { h.Sum = other.hash.Sum })
	insert("a number of the living", accounts.ErrExists, func(s *accounts.Secret, _ *accounts.Hash) { s.Seq = 2 })
	insert("an id of the living", accounts.ErrExists, func(s *accounts.Secret, _ *accounts.Hash) { s.ID = other.secret.ID })
	insert("an absent credential", accounts.ErrNotFound, func(s *accounts.Secret, _ *accounts.Hash) { s.CredentialID = newID() })
	insert("an absent pepper", accounts.ErrNotFound, func(_ *accounts.Secret, h *accounts.Hash) { h.Pepper = -1 })

	end := start.Add(42 * time.Minute)
	s.write(t, func(tx accounts.Tx) error { return tx.ExpireSecret(ctx, w.credential.ID, second.ID, end) })
	second.ExpiresAt = end
	s.write(t, func(tx accounts.Tx) error { return tx.DeleteSecret(ctx, w.credential.ID, third.ID) })
	same(t, "one ended, one deleted", []accounts.Secret{w.secret, second}, read(t, s, listSecrets(t, w.credential.ID)))
	for what, id := range map[string]uuid.UUID{"of another credential": other.secret.ID, "deleted": third.ID} {
		s.refuse(t, "expire "+what, accounts.ErrNotFound, func(tx accounts.Tx) error { return tx.ExpireSecret(ctx, w.credential.ID, id, end) })
		s.refuse(t, "delete "+what, accounts.ErrNotFound, func(tx accounts.Tx) error { return tx.DeleteSecret(ctx, w.credential.ID, id) })
	}
	same(t, "of nothing", nil, read(t, s, listSecrets(t, newID())))
	other.check(t, s)
}

func testPeppers(t *testing.T, s *suite) {
	ctx := t.Context()
	list := func(r accounts.Reader) ([]accounts.SealedPepper, error) { return r.Peppers(ctx) }
	same(t, "none", nil, read(t, s, list))
	second, first := newPepper(1<<40), newPepper(3)
	requireNoZero(t, first)
	s.write(t, func(tx accounts.Tx) error {
		return firstError(tx.InsertPepper(ctx, second), tx.InsertPepper(ctx, first))
	})
	same(t, "oldest first", []accounts.SealedPepper{first, second}, read(t, s, list))
	s.refuse(t, "a number again", accounts.ErrExists, func(tx accounts.Tx) error { return tx.InsertPepper(ctx, newPepper(3)) })
}
