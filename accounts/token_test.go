package accounts_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/secret"
)

var here = netip.MustParseAddr("192.0.2.7")

// bearer makes an account that has a token and nothing else.
func (f *fixture) bearer(org accounts.Org, slug, role string) accounts.Issued {
	f.t.Helper()
	return f.account(org, accounts.NewAccount{Slug: slug, Role: role, Credential: &accounts.FirstCredential{Kind: accounts.KindToken}})
}

// presents is who presents a token, as the doors of administration see it.
func (f *fixture) presents(token secret.Text) authz.Principal {
	f.t.Helper()
	standing, err := f.AuthenticateToken(f.t.Context(), token, here)
	must(f.t, err)
	return authz.Principal{
		OrgID: standing.OrgID, System: standing.System(), AccountID: standing.AccountID, CredentialID: standing.CredentialID,
		SecretID: standing.SecretID, Gen: standing.Gen,
		Subject: standing.Subject(), Permissions: standing.Allowed().Intersect(authz.AdminScopes), Holds: standing.Allowed(),
	}
}

// noToken checks that a token is refused on both ways, without saying why.
func (f *fixture) noToken(what string, token secret.Text) {
	f.t.Helper()
	standing, err := f.AuthenticateToken(f.t.Context(), token, here)
	if err != accounts.ErrUnauthenticated || standing.AccountID != uuid.Nil { //nolint:errorlint // the very value: no cause may shine through
		f.t.Errorf("%s: presented, %v", what, err)
	}
	standing, err = f.TokenStanding(f.t.Context(), token)
	if err != accounts.ErrNotFound || standing.AccountID != uuid.Nil { //nolint:errorlint // the same
		f.t.Errorf("%s: asked about, %v", what, err)
	}
}

func TestTokenOfACredential(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	f.role(acme, "clerk", "orgs:roles:read", "llm:*")
	made := f.bearer(acme, "bot", "clerk")
	text := made.Secret.Reveal()
	if !regexp.MustCompile(`^sat_acme_[A-Za-z0-9_-]{43}$`).MatchString(text) || !accounts.OpaqueToken(text) {
		t.Errorf("token %q", text)
	}
	if raw, err := base64.RawURLEncoding.DecodeString(text[len("sat_acme_"):]); err != nil || len(raw) < 14 {
		t.Errorf("%d random bytes, %v", len(raw), err)
	}
	end := start.Add(accounts.DefaultTokenLife)
	if made.Credential.Kind != accounts.KindToken || !made.Credential.Primary || !made.Credential.ExpiresAt.Equal(end) || !made.Account.TokenExpiresAt.Equal(end) {
		t.Errorf("made %+v", made)
	}
	read, err := f.Account(t.Context(), operator(), refTo(made.Account))
	must(t, err)
	if !read.TokenExpiresAt.Equal(end) {
		t.Errorf("the account's token ends %v", read.TokenExpiresAt)
	}
	f.clock.advance(time.Hour)
	standing, err := f.AuthenticateToken(t.Context(), made.Secret, here)
	must(t, err)
	if standing.Subject() != "sa:acme:bot" || standing.ClientID != made.Credential.ClientID || !standing.SecretCreatedAt.Equal(start) ||
		!standing.ExpiresAt().Equal(end) || standing.Allowed().String() != "llm:* orgs:roles:read" {
		t.Errorf("standing %+v", standing)
	}
	if strings.Contains(f.dump(), text[len("sat_acme_"):]) {
		t.Error("the token is stored")
	}
}

// TestI4_Row15_NoOtherToken tries every proper prefix and every change of one character.
func TestI4_Row15_NoOtherToken(t *testing.T) {
	f := newFixture(t)
	made := f.bearer(f.org("acme"), "bot", accounts.RoleViewer)
	f.bearer(f.org("acmes"), "bot", accounts.RoleViewer)
	right := made.Secret.Reveal()
	for i := range right {
		f.noToken("a prefix", secret.New(right[:i]))
		for _, other := range []byte{right[i] ^ 1, right[i] ^ 0x20, 'A', '-', '_', '.'} {
			if changed := []byte(right); other != right[i] {
				changed[i] = other
				f.noToken("a change", secret.New(string(changed)))
			}
		}
	}
	for _, wrong := range []string{
		right + "A", "A" + right, " " + right, right + "\n", right + "\x00", strings.Replace(right, "acme", "acmes", 1), strings.ToUpper(right),
		strings.TrimPrefix(right, "sat_"), "sat_", "sat__" + right[9:], "sat_" + right[9:], "", strings.Repeat("x", 1<<16), "sat_acme_" + strings.Repeat("A", 43),
	} {
		f.noToken("another text", secret.New(wrong))
	}
	f.noToken("no text", secret.Text{})
	f.presents(made.Secret)
}

// A token proves no client, and a client's secret is no token.
func TestKindsDoNotMix(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	made := f.bearer(acme, "bot", accounts.RoleOwner)
	for _, id := range []string{made.Credential.ClientID, made.Account.ID.String(), accounts.ShortID(made.Account.ID), "sa:acme:bot"} {
		f.dead(id, made.Secret)
	}
	_, err := f.Authenticate(t.Context(), accounts.Claim{At: refTo(made.Account), From: here}, accounts.SecretProof{Secret: made.Secret})
	wantErr(t, err, accounts.ErrUnauthenticated)
	for _, seq := range []int64{0, 1} { // no JWT rests on it either
		wantErr(t, fails(f.Standing(t.Context(), made.Credential.ClientID, seq)), accounts.ErrNotFound)
	}
	for _, shape := range []accounts.Shape{accounts.Native, accounts.Alphanumeric, accounts.Prefixed} {
		keeper := f.account(acme, accounts.NewAccount{Role: accounts.RoleOwner, Credential: &accounts.FirstCredential{Shape: shape}})
		f.alive(keeper.Credential.ClientID, keeper.Secret)
		f.noToken("a secret", keeper.Secret)
	}
}

// tokenEnds are all the ways on which a token ends. Those that can be taken back are.
var tokenEnds = map[string]struct {
	end  func(ctx context.Context, f *fixture, m accounts.Issued) error
	back func(ctx context.Context, f *fixture, m accounts.Issued) error
}{
	"org disabled":        {orgDisabled(true), orgDisabled(false)},
	"account disabled":    {accountDisabled(true), accountDisabled(false)},
	"credential disabled": {credentialDisabled(true), credentialDisabled(false)},
	"org deleted": {func(ctx context.Context, f *fixture, m accounts.Issued) error {
		return f.DeleteOrg(ctx, operator(), accounts.ByID(m.Account.OrgID), nil)
	}, nil},
	"account deleted": {func(ctx context.Context, f *fixture, m accounts.Issued) error {
		return f.DeleteAccount(ctx, operator(), refTo(m.Account), nil)
	}, nil},
	"credential deleted": {func(ctx context.Context, f *fixture, m accounts.Issued) error {
		return f.DeleteCredential(ctx, operator(), refTo(m.Account), m.Credential.ID, nil)
	}, nil},
	"tokens revoked": {func(ctx context.Context, f *fixture, m accounts.Issued) error {
		return f.RevokeTokens(ctx, operator(), refTo(m.Account))
	}, nil},
	"rotated": {func(ctx context.Context, f *fixture, m accounts.Issued) error {
		return fails(f.Rotate(ctx, operator(), refTo(m.Account), accounts.Rotation{}))
	}, nil},
	"rotated by itself": {func(ctx context.Context, f *fixture, m accounts.Issued) error {
		return fails(f.RotateOwn(ctx, f.presents(m.Secret), refTo(m.Account), accounts.Rotation{}))
	}, nil},
	"expired": {func(_ context.Context, f *fixture, m accounts.Issued) error {
		f.clock.advance(accounts.DefaultTokenLife - time.Microsecond)
		f.presents(m.Secret)
		f.clock.advance(time.Microsecond)
		return nil
	}, nil},
	"shortened": {func(ctx context.Context, f *fixture, m accounts.Issued) error {
		err := fails(f.UpdateCredential(ctx, operator(), refTo(m.Account), m.Credential.ID, accounts.CredentialPatch{ExpiresAt: accounts.Some(start.Add(time.Hour))}))
		f.clock.advance(time.Hour)
		return err
	}, nil},
}

func orgDisabled(yes bool) func(context.Context, *fixture, accounts.Issued) error {
	return func(ctx context.Context, f *fixture, m accounts.Issued) error {
		return fails(f.UpdateOrg(ctx, operator(), accounts.ByID(m.Account.OrgID), accounts.OrgPatch{Disabled: accounts.Some(yes)}))
	}
}

func accountDisabled(yes bool) func(context.Context, *fixture, accounts.Issued) error {
	return func(ctx context.Context, f *fixture, m accounts.Issued) error {
		return fails(f.UpdateAccount(ctx, operator(), refTo(m.Account), accounts.AccountPatch{Disabled: accounts.Some(yes)}))
	}
}

func credentialDisabled(yes bool) func(context.Context, *fixture, accounts.Issued) error {
	return func(ctx context.Context, f *fixture, m accounts.Issued) error {
		return fails(f.UpdateCredential(ctx, operator(), refTo(m.Account), m.Credential.ID, accounts.CredentialPatch{Disabled: accounts.Some(yes)}))
	}
}

func TestI9_I12_I14_TokensEndForEver(t *testing.T) {
	for name, way := range tokenEnds {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			acme := f.org("acme")
			made, other := f.bearer(acme, "bot", accounts.RoleViewer), f.bearer(f.org("other"), "bot", accounts.RoleViewer)
			f.presents(made.Secret)
			must(t, way.end(t.Context(), f, made))
			f.noToken("at once", made.Secret)
			f.noToken("once more", made.Secret)
			if way.back != nil {
				must(t, way.back(t.Context(), f, made))
				f.noToken("taken back", made.Secret)
				rotated, err := f.Rotate(t.Context(), operator(), refTo(made.Account), accounts.Rotation{})
				must(t, err)
				f.presents(rotated.Secret)
			}
			if name != "expired" {
				f.presents(other.Secret)
			}
		})
	}
}

func TestTokenFromAllowedAddresses(t *testing.T) {
	f := newFixture(t)
	account := f.account(f.org("acme"), accounts.NewAccount{}).Account
	made, err := f.CreateCredential(t.Context(), operator(), refTo(account), accounts.NewCredential{
		Kind: accounts.KindToken, Name: "N", AllowedCIDRs: prefixes("10.0.0.0/8"),
	})
	must(t, err)
	for text, want := range map[string]error{"10.1.2.3": nil, "::ffff:10.1.2.3": nil, "192.0.2.7": accounts.ErrUnauthenticated, "": accounts.ErrUnauthenticated} {
		var from netip.Addr
		if text != "" {
			from = netip.MustParseAddr(text)
		}
		if _, err := f.AuthenticateToken(t.Context(), made.Secret, from); !errors.Is(err, want) {
			t.Errorf("from %q: %v", text, err)
		}
	}
	must(t, fails(f.TokenStanding(t.Context(), made.Secret))) // who asks about it does not use it
}

func TestI11_TokenWithoutStorage(t *testing.T) {
	f := newFixture(t)
	made := f.bearer(f.org("acme"), "bot", accounts.RoleViewer)
	down := f.open(brokenStore{Store: f.store, bySecret: accounts.ErrUnavailable})
	for _, value := range []secret.Text{made.Secret, secret.New("sat_acme_" + strings.Repeat("A", 43))} {
		_, presented := down.AuthenticateToken(t.Context(), value, here)
		_, asked := down.TokenStanding(t.Context(), value)
		for _, err := range []error{presented, asked} {
			wantErr(t, err, accounts.ErrUnavailable)
			if errors.Is(err, accounts.ErrUnauthenticated) || errors.Is(err, accounts.ErrNotFound) {
				t.Errorf("an outage reads as a bad token: %v", err)
			}
		}
	}
}

// A token that ends is refused from memory. When the look-up that evens out the time finds no
// database, nobody may learn more than that.
func TestI11_RememberedTokenWithoutStorage(t *testing.T) {
	f := newFixture(t)
	made := f.bearer(f.org("acme"), "bot", accounts.RoleViewer)
	f.presents(made.Secret)
	f.clock.advance(accounts.DefaultTokenLife)
	f.noToken("while there is storage", made.Secret)
	must(t, f.db.Close())
	_, err := f.AuthenticateToken(t.Context(), made.Secret, here)
	wantErr(t, err, accounts.ErrUnavailable)
}

func TestTokensMustEnd(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	account := f.account(acme, accounts.NewAccount{}).Account
	last := start.Add(accounts.MaxTokenLife)
	for end, ok := range map[time.Time]bool{{}: true, start.Add(time.Second): true, last: true, last.Add(time.Microsecond): false, start: false} {
		in := accounts.NewCredential{Kind: accounts.KindToken, Name: "N", ExpiresAt: end}
		first := accounts.NewAccount{Name: "N", Credential: &accounts.FirstCredential{Kind: accounts.KindToken, ExpiresAt: end}}
		create := func() error { return fails(f.CreateCredential(t.Context(), operator(), refTo(account), in)) }
		createAccount := func() error { return fails(f.CreateAccount(t.Context(), operator(), accounts.ByID(acme.ID), first)) }
		if ok {
			must(t, errors.Join(create(), createAccount()))
			continue
		}
		wantInvalid(t, f.unchanged(create), "expiresAt")
		wantInvalid(t, f.unchanged(createAccount), "expiresAt")
	}
	made := f.bearer(acme, "bot", accounts.RoleViewer)
	for _, end := range []time.Time{{}, last.Add(time.Second), start} {
		wantInvalid(t, f.unchanged(func() error {
			return fails(f.UpdateCredential(t.Context(), operator(), refTo(made.Account), made.Credential.ID, accounts.CredentialPatch{ExpiresAt: accounts.Some(end)}))
		}), "expiresAt")
	}
	wantErr(t, f.unchanged(func() error {
		return fails(f.AddSecret(t.Context(), operator(), refTo(made.Account), made.Credential.ID, accounts.NewSecret{}))
	}), accounts.ErrNotFound)
}

// A token hands over the account's power as a secret does.
func TestI34_TokensAreHandedToWhoMayHaveThem(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	boss := f.bearer(acme, "boss", accounts.RoleOwner)
	clerk := admin(acme, "orgs:*")
	token := accounts.NewCredential{Kind: accounts.KindToken, Name: "Mine", Scopes: authz.MustSet("orgs:roles:*")}
	for what, hand := range map[string]func() error{
		"a new one": func() error { return fails(f.CreateCredential(t.Context(), clerk, refTo(boss.Account), token)) },
		"a rotation": func() error {
			return fails(f.Rotate(t.Context(), clerk, refTo(boss.Account), accounts.Rotation{}))
		},
		"a rotation of the kind": func() error {
			return fails(f.Rotate(t.Context(), clerk, refTo(boss.Account), accounts.Rotation{Kind: accounts.KindToken}))
		},
		"a rotation where an account may replace its own": func() error {
			return fails(f.RotateOwn(t.Context(), clerk, refTo(boss.Account), accounts.Rotation{}))
		},
		"an account": func() error {
			return fails(f.CreateAccount(t.Context(), clerk, accounts.ByID(acme.ID), accounts.NewAccount{
				Name: "Mine", Role: accounts.RoleOwner, Credential: &accounts.FirstCredential{Kind: accounts.KindToken},
			}))
		},
	} {
		err := f.unchanged(hand)
		t.Log(what)
		wantDenied(t, err, "")
	}
	f.presents(boss.Secret)
}
