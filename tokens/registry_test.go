package tokens_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
	"github.com/signet-issuer/signet/internal/sqldb"
	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/sqlstore"
)

var (
	_ tokens.AccountAuthority = (*accounts.Service)(nil)
	_ tokens.Toucher          = (*accounts.Service)(nil)
)

// authority knows one account and its only credential.
type authority struct {
	org      accounts.Org
	account  accounts.ServiceAccount
	standing accounts.Standing
	gone     bool  // the credential, or the secret
	down     error // of the storage
	asked    []authz.Pattern
}

func (a *authority) AuthorizeAccount(_ context.Context, p authz.Principal, at accounts.AccountRef, permission authz.Pattern) (accounts.Org, accounts.ServiceAccount, error) {
	a.asked = append(a.asked, permission)
	if at.Account.ID != a.account.ID || !p.Reaches(a.org.ID) {
		return accounts.Org{}, accounts.ServiceAccount{}, accounts.ErrNotFound
	}
	return a.org, a.account, p.Demand(permission)
}

func (a *authority) Standing(_ context.Context, clientID string, seq int64) (accounts.Standing, error) {
	if a.down != nil {
		return accounts.Standing{}, a.down
	}
	if a.gone || clientID != a.standing.ClientID || seq != a.standing.SecretSeq {
		return accounts.Standing{}, accounts.ErrNotFound
	}
	return a.standing, nil
}

// registering is a registry with one account that has one live token.
type registering struct {
	*tokens.Registry
	db        *sqldb.DB
	clock     *clock
	authority *authority
	live      *recorder
	token     tokens.LiveToken
	at        accounts.AccountRef
	admin     authz.Principal
}

func newRegistering(t *testing.T) registering {
	t.Helper()
	r := registering{db: openDB(t), clock: newClock(), live: &recorder{}}
	standing := newStanding()
	r.authority = &authority{
		org:      accounts.Org{ID: standing.OrgID, Slug: standing.OrgSlug},
		account:  accounts.ServiceAccount{ID: standing.AccountID, OrgID: standing.OrgID},
		standing: standing,
	}
	r.at = accounts.AccountRef{Org: accounts.ByID(standing.OrgID), Account: accounts.ByID(standing.AccountID)}
	r.admin = authz.Principal{OrgID: standing.OrgID, Subject: "sa:acme:admin", Permissions: authz.MustSet("orgs:tokens:*")}
	r.token = tokens.LiveToken{
		JTI: strings.Repeat("A", 26), AccountID: standing.AccountID, CredentialID: standing.CredentialID, ClientID: standing.ClientID,
		Scope: "api:read", Audience: []string{orgURL}, IssuedAt: r.clock.Now(), ExpiresAt: r.clock.Now().Add(15 * time.Minute),
		Gen: standing.Gen, SecretSeq: standing.SecretSeq,
	}
	r.live.Add(r.token)
	addAccount(t, r.db, standing.OrgID, standing.AccountID)
	r.Registry = tokens.NewRegistry(tokens.RegistryConfig{
		Issuer: issuerURL, Store: sqlstore.New(r.db), Live: r.live, Accounts: r.authority,
		MaxLifetime: time.Hour, Now: r.clock.Now, Random: rand.Reader,
	})
	return r
}

func addAccount(t *testing.T, db *sqldb.DB, org, account uuid.UUID) {
	t.Helper()
	err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO orgs (id, slug, name, search_text, default_role, default_audience,
				disabled, gen, version, created_at, created_by, updated_at, updated_by)
			VALUES ($1, 'acme', 'Acme', 'acme', 'member', '', FALSE, 1, 1, 0, '', 0, '')`, org.String())
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(t.Context(), `INSERT INTO service_accounts (id, org_id, slug, name, search_text, description,
				scopes, token_lifetime, tags, disabled, gen, version, created_at, created_by, updated_at, updated_by)
			VALUES ($1, $2, 'bot', '', '', '', '', 0, '', FALSE, 1, 1, 0, '', 0, '')`, account.String(), org.String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (r registering) sweep(t *testing.T) (int, error) {
	t.Helper()
	return sqlstore.New(r.db).Sweep(t.Context(), r.clock.Now())
}

func (r registering) events(t *testing.T) []audit.Event {
	t.Helper()
	var events []audit.Event
	err := r.db.Read(t.Context(), func(tx *sqldb.Tx) (err error) {
		events, err = audit.Find(t.Context(), tx, audit.Query{OrgID: r.authority.org.ID, Limit: 100})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func (r registering) isRevoked(t *testing.T, jti string) bool {
	t.Helper()
	revoked, err := r.Revoked(t.Context(), jti, r.authority.account.ID)
	if err != nil {
		t.Fatal(err)
	}
	return revoked
}

func TestListShowsActiveTokensOnly(t *testing.T) {
	for name, change := range map[string]func(*testing.T, registering){
		"expired": func(_ *testing.T, r registering) { r.clock.advance(15 * time.Minute) },
		"revoked": func(t *testing.T, r registering) {
			if err := r.Revoke(t.Context(), r.admin, r.at, r.token.JTI); err != nil {
				t.Fatal(err)
			}
		},
		"gen raised":               func(_ *testing.T, r registering) { r.authority.standing.Gen++ },
		"secret retired":           func(_ *testing.T, r registering) { r.authority.standing.SecretExpiresAt = r.clock.Now() },
		"secret deleted":           func(_ *testing.T, r registering) { r.authority.gone = true },
		"account disabled":         func(_ *testing.T, r registering) { r.authority.standing.AccountDisabled = true },
		"scope no longer allowed":  func(_ *testing.T, r registering) { r.authority.standing.RolePermissions = authz.MustSet("api:write") },
		"audience no longer its":   func(_ *testing.T, r registering) { r.authority.standing.OrgSlug = "other" },
		"credential of another":    func(_ *testing.T, r registering) { r.authority.standing.AccountID = uuid.New() },
		"record of another secret": func(_ *testing.T, r registering) { r.live.tokens[0].SecretSeq++ },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRegistering(t)
			before, err := r.List(t.Context(), r.admin, r.at)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]tokens.LiveToken{r.token}, before); diff != "" {
				t.Fatal("a live token is not listed:", diff)
			}
			change(t, r)
			after, err := r.List(t.Context(), r.admin, r.at)
			if err != nil {
				t.Fatal(err)
			}
			if len(after) != 0 {
				t.Errorf("still listed: %+v", after)
			}
		})
	}
}

func TestI33_RegistryAsksForPermission(t *testing.T) {
	r := newRegistering(t)
	if _, err := r.List(t.Context(), r.admin, r.at); err != nil {
		t.Fatal(err)
	}
	if err := r.Revoke(t.Context(), r.admin, r.at, r.token.JTI); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]authz.Pattern{"orgs:tokens:read", "orgs:tokens:delete"}, r.authority.asked); diff != "" {
		t.Error(diff)
	}
	stranger := authz.Principal{OrgID: uuid.New(), Permissions: authz.MustSet("*")}
	if _, err := r.List(t.Context(), stranger, r.at); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("a stranger lists: %v", err)
	}
	other := strings.Repeat("B", 26)
	if err := r.Revoke(t.Context(), stranger, r.at, other); !errors.Is(err, accounts.ErrNotFound) || r.isRevoked(t, other) {
		t.Errorf("a stranger revokes: %v", err)
	}
}

func TestI11_ListWithoutTruthIsAnError(t *testing.T) {
	r := newRegistering(t)
	r.authority.down = accounts.ErrUnavailable
	if list, err := r.List(t.Context(), r.admin, r.at); !errors.Is(err, accounts.ErrUnavailable) {
		t.Errorf("got %v, %v", list, err)
	}
}

// silentLive is a state that does not answer.
type silentLive struct{ *recorder }

func (silentLive) List(context.Context, uuid.UUID) ([]tokens.LiveToken, error) {
	return nil, fmt.Errorf("%w: closed", accounts.ErrUnavailable)
}

func (silentLive) Forget(context.Context, uuid.UUID, string) error { return accounts.ErrUnavailable }

func TestI11_StateThatDoesNotAnswer(t *testing.T) {
	r := newRegistering(t)
	r.Registry = tokens.NewRegistry(tokens.RegistryConfig{
		Issuer: issuerURL, Store: sqlstore.New(r.db), Live: silentLive{r.live}, Accounts: r.authority,
		MaxLifetime: time.Hour, Now: r.clock.Now, Random: rand.Reader,
	})
	if found, err := r.List(t.Context(), r.admin, r.at); !errors.Is(err, accounts.ErrUnavailable) {
		t.Errorf("List answers %v, %v", found, err)
	}
	// Only SQL makes a revocation, so that it must not fail with the state.
	if err := r.Revoke(t.Context(), r.admin, r.at, r.token.JTI); err != nil || !r.isRevoked(t, r.token.JTI) {
		t.Errorf("Revoke answers %v", err)
	}
}

func TestI12_RevokeIsIdempotentAndOutlivesTheToken(t *testing.T) {
	r := newRegistering(t)
	unknown := strings.Repeat("Z", 26)
	// This token was issued when tokens lived longer than now; its key still knows.
	keysConfig := newConfig(t, r.clock.Now)
	keysConfig.Store, keysConfig.MaxLifetime = sqlstore.New(r.db), 5*time.Hour
	openKeys(t, keysConfig)
	for range 2 {
		if err := r.Revoke(t.Context(), r.admin, r.at, unknown); err != nil {
			t.Fatal(err)
		}
	}
	r.clock.advance(5 * time.Hour)
	if n, err := r.sweep(t); n != 0 || err != nil || !r.isRevoked(t, unknown) {
		t.Errorf("the revocation did not outlive the token: %d swept, %v", n, err)
	}
	r.clock.advance(tokens.Skew + time.Second)
	if n, err := r.sweep(t); n != 1 || err != nil {
		t.Errorf("%d swept when no token can need it, %v", n, err)
	}
	events := r.events(t)
	if len(events) != 2 || events[0].Type != "organizations.tokens.revoked" || events[0].Target != "token:"+unknown ||
		events[0].Actor != "sa:acme:admin" || events[0].OrgSlug != "acme" {
		t.Errorf("I44: events %+v", events)
	}
}

func TestRevokeMalformedID(t *testing.T) {
	r := newRegistering(t)
	for _, jti := range []string{
		"", "A", strings.Repeat("A", 27), strings.Repeat("a", 26), strings.Repeat("1", 26),
		strings.Repeat("A", 25) + "\x00", "../" + strings.Repeat("A", 23), strings.Repeat("A", 25) + "ä",
	} {
		if err := r.Revoke(t.Context(), r.admin, r.at, jti); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("%q: got %v", jti, err)
		}
	}
	if events := r.events(t); len(events) != 0 {
		t.Errorf("events %+v", events)
	}
}

func TestRFC7009_RevokeOwn(t *testing.T) {
	r := newRegistering(t)
	if err := r.RevokeOwn(t.Context(), r.authority.standing, r.token.JTI, r.token.ExpiresAt); err != nil {
		t.Fatal(err)
	}
	if !r.isRevoked(t, r.token.JTI) {
		t.Error("the token is not revoked")
	}
	if events := r.events(t); len(events) != 0 {
		t.Errorf("a client's own revocation is no administrative write: %+v", events)
	}
	r.clock.advance(15*time.Minute + tokens.Skew)
	if n, err := r.sweep(t); n != 0 || err != nil {
		t.Errorf("%d swept within the leeway of verifiers, %v", n, err)
	}
	if other, err := r.Revoked(t.Context(), r.token.JTI, uuid.New()); other || err != nil {
		t.Errorf("another account's token is revoked: %v, %v", other, err)
	}
}
