package accounts_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/secret"
)

func TestAuthenticateByEverySpellingOfTheID(t *testing.T) {
	f := newFixture(t)
	bot := f.account(f.org("acme"), accounts.NewAccount{Slug: "bot", Credential: &accounts.FirstCredential{}})
	second := f.account(f.org("other"), accounts.NewAccount{Slug: "bot", Credential: &accounts.FirstCredential{}})
	for id, right := range map[string]bool{
		bot.Credential.ClientID: true, bot.Account.ID.String(): true, accounts.ShortID(bot.Account.ID): true, "sa:acme:bot": true,
		strings.ToUpper(bot.Credential.ClientID): false, strings.ToUpper(bot.Account.ID.String()): false, "sa:ACME:bot": false,
		bot.Credential.ID.String(): false, "bot": false, "acme:bot": false, "": false, "sa-" + bot.Account.ID.String(): false,
		bot.Credential.ClientID + " ": false, uuid.NewString(): false,
		// another tenant's names with the right secret
		second.Credential.ClientID: false, second.Account.ID.String(): false, "sa:other:bot": false, bot.Account.OrgID.String(): false,
	} {
		if right {
			standing := f.alive(id, bot.Secret)
			if standing.AccountID != bot.Account.ID || standing.OrgID != bot.Account.OrgID || standing.ClientID != bot.Credential.ClientID || standing.SecretSeq != 1 {
				t.Errorf("%q leads to %+v", id, standing)
			}
			continue
		}
		f.dead(id, bot.Secret)
	}
}

// TestI4_Row15_NoOtherSecret tries every prefix and every change of one character.
func TestI4_Row15_NoOtherSecret(t *testing.T) {
	f := newFixture(t)
	bot := f.account(f.org("acme"), accounts.NewAccount{Slug: "bot", Credential: &accounts.FirstCredential{}})
	other := f.account(f.org("other"), accounts.NewAccount{Slug: "bot", Credential: &accounts.FirstCredential{}})
	right, id := bot.Secret.Reveal(), bot.Credential.ClientID
	f.alive(id, bot.Secret)
	for i := range right {
		f.dead(id, secret.New(right[:i]))
		changed := []byte(right)
		changed[i] ^= 1
		f.dead(id, secret.New(string(changed)))
	}
	for _, wrong := range []string{right + "x", " " + right, right + "\n", strings.ToUpper(right), "", "\x00", strings.Repeat("x", 1<<16)} {
		f.dead(id, secret.New(wrong))
	}
	f.dead(id, secret.Text{})
	f.dead(id, other.Secret)
}

func TestAuthenticateOnlyTheLive(t *testing.T) {
	ends := start.Add(time.Hour)
	for name, end := range map[string]func(ctx context.Context, f *fixture, bot accounts.Issued) error{
		"org disabled": func(ctx context.Context, f *fixture, bot accounts.Issued) error {
			return fails(f.UpdateOrg(ctx, operator(), accounts.ByID(bot.Account.OrgID), accounts.OrgPatch{Disabled: accounts.Some(true)}))
		},
		"org deleted": func(ctx context.Context, f *fixture, bot accounts.Issued) error {
			return f.DeleteOrg(ctx, operator(), accounts.ByID(bot.Account.OrgID), nil)
		},
		"account disabled": func(ctx context.Context, f *fixture, bot accounts.Issued) error {
			return fails(f.UpdateAccount(ctx, operator(), refTo(bot.Account), accounts.AccountPatch{Disabled: accounts.Some(true)}))
		},
		"account deleted": func(ctx context.Context, f *fixture, bot accounts.Issued) error {
			return f.DeleteAccount(ctx, operator(), refTo(bot.Account), nil)
		},
		"credential disabled": func(ctx context.Context, f *fixture, bot accounts.Issued) error {
			return fails(f.UpdateCredential(ctx, operator(), refTo(bot.Account), bot.Credential.ID, accounts.CredentialPatch{Disabled: accounts.Some(true)}))
		},
		"credential deleted": func(ctx context.Context, f *fixture, bot accounts.Issued) error {
			return f.DeleteCredential(ctx, operator(), refTo(bot.Account), bot.Credential.ID, nil)
		},
		"credential expired": func(ctx context.Context, f *fixture, bot accounts.Issued) error {
			err := fails(f.UpdateCredential(ctx, operator(), refTo(bot.Account), bot.Credential.ID, accounts.CredentialPatch{ExpiresAt: accounts.Some(ends)}))
			f.clock.advance(time.Hour - time.Microsecond)
			f.alive(bot.Credential.ClientID, bot.Secret)
			f.clock.advance(time.Microsecond)
			return err
		},
		"rotated": func(ctx context.Context, f *fixture, bot accounts.Issued) error {
			return fails(f.Rotate(ctx, operator(), refTo(bot.Account), accounts.Rotation{}))
		},
		"addresses": func(ctx context.Context, f *fixture, bot accounts.Issued) error {
			return fails(f.UpdateCredential(ctx, operator(), refTo(bot.Account), bot.Credential.ID, accounts.CredentialPatch{AllowedCIDRs: accounts.Some(prefixes("10.0.0.0/8"))}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			bot := f.account(f.org("acme"), accounts.NewAccount{Slug: "bot", Credential: &accounts.FirstCredential{}})
			f.alive(bot.Credential.ClientID, bot.Secret)
			must(t, end(t.Context(), f, bot))
			f.dead(bot.Credential.ClientID, bot.Secret)
			f.dead("sa:acme:bot", bot.Secret)
		})
	}
}

func TestAuthenticateFromAllowedAddresses(t *testing.T) {
	f := newFixture(t)
	account := f.account(f.org("acme"), accounts.NewAccount{Slug: "bot"}).Account
	made, err := f.CreateCredential(t.Context(), operator(), refTo(account), accounts.NewCredential{
		Kind: accounts.KindSecret, Name: "N", AllowedCIDRs: prefixes("192.0.2.0/24", "2001:db8::/32"),
	})
	must(t, err)
	for text, allowed := range map[string]bool{
		"192.0.2.0": true, "192.0.2.255": true, "::ffff:192.0.2.9": true, "2001:db8::1": true,
		"192.0.3.0": false, "::ffff:192.0.3.9": false, "2001:db9::1": false, "::192.0.2.9": false, "": false,
	} {
		var from netip.Addr
		if text != "" {
			from = netip.MustParseAddr(text)
		}
		client, err := f.Authenticate(t.Context(), accounts.Claim{ID: made.Credential.ClientID, From: from}, accounts.SecretProof{Secret: made.Secret})
		if (err == nil) != allowed || !allowed && !errors.Is(err, accounts.ErrUnauthenticated) {
			t.Errorf("from %q: %v", text, err)
		}
		if !allowed && client.Standing().AccountID != uuid.Nil {
			t.Errorf("from %q: an error with a client", text)
		}
	}
}

func TestI11_AuthenticateWithoutStorage(t *testing.T) {
	f := newFixture(t)
	bot := f.account(f.org("acme"), accounts.NewAccount{Slug: "bot", Credential: &accounts.FirstCredential{}})
	down := f.open(brokenStore{Store: f.store, bySecret: accounts.ErrUnavailable})
	for _, value := range []secret.Text{bot.Secret, secret.New("wrong")} {
		_, err := down.Authenticate(t.Context(), accounts.Claim{ID: bot.Credential.ClientID}, accounts.SecretProof{Secret: value})
		wantErr(t, err, accounts.ErrUnavailable)
		if errors.Is(err, accounts.ErrUnauthenticated) {
			t.Error("an outage reads as a wrong secret")
		}
	}
	must(t, f.db.Close())
	_, err := f.authenticate(bot.Credential.ClientID, secret.New("not cached"))
	wantErr(t, err, accounts.ErrUnavailable)
	wantErr(t, f.RevokeTokens(t.Context(), operator(), refTo(bot.Account)), accounts.ErrUnavailable)
}

// Who lacks roles still authenticates: it gets a token that permits nothing.
func TestAuthenticateWithoutPermissions(t *testing.T) {
	f := newFixture(t)
	bot := f.account(f.org("acme"), accounts.NewAccount{Role: accounts.RoleMember, Credential: &accounts.FirstCredential{}})
	if allowed := f.alive(bot.Credential.ClientID, bot.Secret).Allowed(); !allowed.Empty() {
		t.Errorf("allowed %v", allowed)
	}
}

// A token names the secret that it was traded for. One that names none must not pass for a
// credential that has secrets, whatever becomes of them.
func TestI9_StandingOfASecretNeedsItsNumber(t *testing.T) {
	f := newFixture(t)
	made := f.account(f.org("acme"), accounts.NewAccount{Credential: &accounts.FirstCredential{}})
	id := made.Credential.ClientID
	standing, err := f.Standing(t.Context(), id, 1)
	must(t, err)
	if standing.ClientID != id || standing.SecretSeq != 1 {
		t.Errorf("standing %+v", standing)
	}
	for _, seq := range []int64{0, 2, -1} {
		standing, err := f.Standing(t.Context(), id, seq)
		wantErr(t, err, accounts.ErrNotFound)
		if standing.AccountID != uuid.Nil {
			t.Errorf("secret %d: an error and a standing", seq)
		}
	}

	keyed := accounts.Credential{
		ID: uuid.New(), AccountID: made.Account.ID, OrgID: made.Account.OrgID, ClientID: "keyed", Kind: "public_key", Version: 1,
	}
	must(t, f.store.Write(t.Context(), operator(), func(tx accounts.Tx) error {
		return errors.Join(tx.InsertCredential(t.Context(), keyed), tx.Record(t.Context(), accounts.AuditEvent{ID: uuid.New()}))
	}))
	standing, err = f.Standing(t.Context(), "keyed", 0)
	must(t, err)
	if standing.CredentialID != keyed.ID {
		t.Errorf("standing %+v", standing)
	}
}
