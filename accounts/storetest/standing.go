package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

// noStanding demands that neither way leads to the credential of w.
func noStanding(t *testing.T, s *suite, what string, w *world) {
	t.Helper()
	if got, err := s.store.StandingBySecret(t.Context(), []accounts.Hash{w.hash}); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("standing by secret %s: %v, %v", what, got, err)
	}
	if got, err := s.store.StandingByClient(t.Context(), w.credential.ClientID, 1); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("standing by client %s: %v, %v", what, got, err)
	}
}

// standings demands that both ways lead to want.
func (s *suite) standings(t *testing.T, what string, w *world, want accounts.Standing) {
	t.Helper()
	for range 2 { // once read, once remembered
		got, err := s.store.StandingBySecret(t.Context(), []accounts.Hash{w.hash})
		if err != nil {
			t.Fatalf("%s, by secret: %v", what, err)
		}
		got.Remembered = true // it is the same either way
		same(t, what+", by secret", want, got)
		got, err = s.store.StandingByClient(t.Context(), w.credential.ClientID, w.secret.Seq)
		if err != nil {
			t.Fatalf("%s, by client: %v", what, err)
		}
		got.Remembered = true
		same(t, what+", by client", want, got)
	}
}

// standing is what a store should say of w.
func (w *world) standing() accounts.Standing {
	return accounts.Standing{
		OrgID: w.org.ID, OrgSlug: w.org.Slug, OrgDisabled: w.org.Disabled,
		Audiences: w.org.Audiences, DefaultAudience: w.org.DefaultAudience,
		AccountID: w.account.ID, AccountSlug: w.account.Slug, AccountDisabled: w.account.Disabled,
		AccountScopes: w.account.Scopes, TokenLifetime: w.account.TokenLifetime,
		CredentialID: w.credential.ID, ClientID: w.credential.ClientID, Kind: w.credential.Kind,
		CredentialScopes: w.credential.Scopes, CredentialDisabled: w.credential.Disabled,
		CredentialExpiresAt: w.credential.ExpiresAt, AllowedCIDRs: w.credential.AllowedCIDRs,
		SecretID: w.secret.ID, SecretSeq: w.secret.Seq, SecretGen: w.secret.Gen,
		SecretCreatedAt: w.secret.CreatedAt, SecretExpiresAt: w.secret.ExpiresAt,
		RolePermissions: w.role.Permissions.Union(w.extra.Permissions),
		Gen:             w.org.Gen + w.account.Gen + w.credential.Gen,
		KeySetVersion:   KeySetVersion,
		Remembered:      true, // or not: nobody compares it
	}
}

func testStanding(t *testing.T, s *suite) {
	ctx := t.Context()
	w, other := newWorld(t, s, "acme"), newWorld(t, s, "globe")
	requireNoZero(t, w.standing())
	s.standings(t, "first", w, w.standing())
	s.standings(t, "other", other, other.standing())

	second := newSecret(w.credential, 2)
	hash := newHash(second, other.pepper.Number)
	s.write(t, func(tx accounts.Tx) error { return tx.InsertSecret(ctx, second, hash) })
	s.standings(t, "beside another secret", w, w.standing())
	first := w.hash
	w.secret, w.hash = second, hash
	s.standings(t, "the other secret", w, w.standing())

	// A presented secret has one hash for each pepper, and only one of them is stored.
	under := func(pepper int64) accounts.Hash { return newHash(newSecret(w.credential, 9), pepper) }
	got, err := s.store.StandingBySecret(ctx, []accounts.Hash{under(1), hash, under(2)})
	if err != nil {
		t.Fatal(err)
	}
	got.Remembered = true
	same(t, "among several peppers", w.standing(), got)
	swapped := []accounts.Hash{{Pepper: hash.Pepper, Sum: first.Sum}, {Pepper: first.Pepper, Sum: hash.Sum}}
	if got, err := s.store.StandingBySecret(ctx, swapped); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("sums under each other's peppers: %v, %v", got, err)
	}
}

func testBareStanding(t *testing.T, s *suite) {
	ctx := t.Context()
	org := accounts.Org{ID: newID(), Slug: "small", Version: 1, Stamp: newStamp()}
	account := accounts.ServiceAccount{ID: newID(), OrgID: org.ID, OrgSlug: "small", Slug: "bot", Version: 1, Stamp: newStamp()}
	credential := accounts.Credential{
		ID: newID(), AccountID: account.ID, OrgID: org.ID, ClientID: "small-client", Kind: "public_key", Version: 1, Stamp: newStamp(),
	}
	s.write(t, func(tx accounts.Tx) error {
		return firstError(tx.InsertOrg(ctx, org), tx.InsertAccount(ctx, account), tx.InsertCredential(ctx, credential))
	})
	got, err := s.store.StandingByClient(ctx, "small-client", 0)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "a kind without secrets", accounts.Standing{
		OrgID: org.ID, OrgSlug: "small", AccountID: account.ID, AccountSlug: "bot",
		CredentialID: credential.ID, ClientID: "small-client", Kind: "public_key", KeySetVersion: KeySetVersion,
	}, got)
}

func testNoStanding(t *testing.T, s *suite) {
	ctx := t.Context()
	w := newWorld(t, s, "acme")
	unknown := newSecret(w.credential, 2)
	for name, hashes := range map[string][]accounts.Hash{
		"no hash":         nil,
		"unknown":         {newHash(unknown, w.pepper.Number)},
		"another pepper":  {{Pepper: w.hash.Pepper + 1, Sum: w.hash.Sum}},
		"part of a hash":  {{Pepper: w.hash.Pepper, Sum: w.hash.Sum[:16]}},
		"an empty hash":   {{Pepper: w.hash.Pepper, Sum: []byte{}}},
		"no bytes at all": {{Pepper: w.hash.Pepper}},
	} {
		if got, err := s.store.StandingBySecret(ctx, hashes); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for name, id := range map[string]string{"unknown": "client-acm", "another case": "CLIENT-ACME", "empty": "", "an id": w.account.ID.String()} {
		if got, err := s.store.StandingByClient(ctx, id, 1); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("client id %s: %v, %v", name, got, err)
		}
	}
	for _, seq := range []int64{2, -1} {
		if got, err := s.store.StandingByClient(ctx, w.credential.ClientID, seq); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("secret number %d: %v, %v", seq, got, err)
		}
	}
	// What was not found may come into being at any time.
	s.write(t, func(tx accounts.Tx) error { return tx.InsertSecret(ctx, unknown, newHash(unknown, w.pepper.Number)) })
	w.secret, w.hash = unknown, newHash(unknown, w.pepper.Number)
	s.standings(t, "found at last", w, w.standing())
}

// testStandingFollows changes one thing after another and looks after each.
func testStandingFollows(t *testing.T, s *suite) {
	ctx := t.Context()
	w := newWorld(t, s, "acme")
	s.standings(t, "at first", w, w.standing())
	for _, step := range standingSteps(t, w) {
		s.write(t, step.run)
		s.standings(t, step.name, w, w.standing())
	}
	s.write(t, func(tx accounts.Tx) error { return tx.DeleteSecret(ctx, w.credential.ID, w.secret.ID) })
	noStanding(t, s, "of a deleted secret", w)
}

type standingStep struct {
	name string
	run  func(accounts.Tx) error
}

// standingSteps keep w as the store should have it; w.extra stands for what groups give.
func standingSteps(t *testing.T, w *world) []standingStep {
	ctx := t.Context()
	return []standingStep{
		{"enable the org", func(tx accounts.Tx) error {
			w.org.Disabled, w.org.Gen, w.org.Audiences, w.org.DefaultAudience = false, 4, nil, ""
			return tx.UpdateOrg(ctx, w.org)
		}},
		{"enable the account", func(tx accounts.Tx) error {
			w.account.Disabled, w.account.Gen, w.account.Scopes, w.account.TokenLifetime = false, 30, authz.Set{}, 0
			w.account.Version++
			return tx.UpdateAccount(ctx, down(w.account))
		}},
		{"enable the credential", func(tx accounts.Tx) error {
			w.credential.Disabled, w.credential.Gen, w.credential.Scopes = false, 300, authz.Set{}
			w.credential.ExpiresAt, w.credential.AllowedCIDRs = time.Time{}, nil
			return tx.UpdateCredential(ctx, w.credential)
		}},
		{"end the secret", func(tx accounts.Tx) error {
			w.secret.ExpiresAt = start
			return tx.ExpireSecret(ctx, w.credential.ID, w.secret.ID, start)
		}},
		{"change the role", func(tx accounts.Tx) error {
			w.role.Permissions = authz.MustSet("q:*")
			return tx.UpdateRole(ctx, w.role)
		}},
		{"change the group's role", func(tx accounts.Tx) error {
			w.extra.Permissions = authz.MustSet("r:*", "q:1")
			return tx.UpdateRole(ctx, w.extra)
		}},
		{"leave the group", func(tx accounts.Tx) error {
			w.group.Members, w.extra.Permissions = nil, authz.Set{}
			return tx.UpdateGroup(ctx, w.group)
		}},
		{"lose the role", func(tx accounts.Tx) error {
			account, err := tx.Account(ctx, w.org.ID, accounts.ByID(w.account.ID))
			account.Role, account.Groups, w.role.Permissions = "", []uuid.UUID{w.group.ID}, w.role.Permissions.Union(authz.MustSet("r:*"))
			return firstError(err, tx.UpdateAccount(ctx, account))
		}},
	}
}

// down is the account as it is stored, one version before.
func down(a accounts.ServiceAccount) accounts.ServiceAccount {
	a.Version--
	return a
}
