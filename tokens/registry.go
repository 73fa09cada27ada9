package tokens

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
)

// AccountAuthority is what a [Registry] asks about accounts; accounts.Service answers it.
type AccountAuthority interface {
	// AuthorizeAccount finds the account if p may know of it and holds the permission there:
	// accounts.ErrNotFound or a [*authz.DeniedError] otherwise.
	AuthorizeAccount(ctx context.Context, p authz.Principal, at accounts.AccountRef, permission authz.Pattern) (accounts.Org, accounts.ServiceAccount, error)
	// Standing returns what truth says now of the credential behind a token, or accounts.ErrNotFound.
	Standing(ctx context.Context, clientID string, seq int64) (accounts.Standing, error)
}

// forgetTimeout is how long a request waits for the state to forget what nobody is shown any more.
const forgetTimeout = 250 * time.Millisecond

// RegistryConfig is what a [Registry] works with. Every field is required.
type RegistryConfig struct {
	Issuer      string // URL, without a final slash
	Store       Store
	Live        Live
	Accounts    AccountAuthority
	MaxLifetime time.Duration // of a token
	Now         func() time.Time
	Random      io.Reader
}

// Registry shows the live tokens of an account and ends single ones before their time.
type Registry struct {
	issuer      string
	store       Store
	live        Live
	accounts    AccountAuthority
	maxLifetime time.Duration
	now         func() time.Time
	random      io.Reader
}

// NewRegistry returns a Registry on its parts.
func NewRegistry(cfg RegistryConfig) *Registry {
	return &Registry{
		issuer: cfg.Issuer, store: cfg.Store, live: cfg.Live, accounts: cfg.Accounts, maxLifetime: cfg.MaxLifetime,
		now:    func() time.Time { return cfg.Now().UTC().Truncate(time.Microsecond) },
		random: cfg.Random,
	}
}

// List returns the account's tokens that are known and active, newest first.
func (r *Registry) List(ctx context.Context, p authz.Principal, at accounts.AccountRef) ([]LiveToken, error) {
	_, account, err := r.accounts.AuthorizeAccount(ctx, p, at, authz.Permission(authz.Tokens, authz.Read))
	if err != nil {
		return nil, err
	}
	known, err := r.live.List(ctx, account.ID)
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	now := r.now()
	revoked, err := r.store.RevokedOf(ctx, account.ID, now)
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	judge := r.newJudge(now, revoked)
	active := []LiveToken{}
	for _, token := range known {
		ok, err := judge.active(ctx, token)
		if err != nil {
			return nil, fmt.Errorf("list tokens: %w", err)
		}
		if ok {
			active = append(active, token)
		}
	}
	return active, nil
}

// origin is what a token was issued for.
type origin struct {
	clientID string
	seq      int64
}

// judge compares records of tokens with the truth. It asks once for each origin.
type judge struct {
	issuer    string
	accounts  AccountAuthority
	now       time.Time
	revoked   map[string]bool
	standings map[origin]*backing // nil: gone
}

// backing is what tokens of one origin rest on. What is allowed is worked out once for all of them.
type backing struct {
	accounts.Standing
	allowed authz.Set
}

func (r *Registry) newJudge(now time.Time, revoked []string) judge {
	j := judge{issuer: r.issuer, accounts: r.accounts, now: now, revoked: map[string]bool{}, standings: map[origin]*backing{}}
	for _, jti := range revoked {
		j.revoked[jti] = true
	}
	return j
}

func (j judge) active(ctx context.Context, token LiveToken) (bool, error) {
	if j.revoked[token.JTI] || !j.now.Before(token.ExpiresAt) {
		return false, nil
	}
	from := origin{token.ClientID, token.SecretSeq}
	standing, asked := j.standings[from]
	if !asked {
		found, err := j.accounts.Standing(ctx, token.ClientID, token.SecretSeq)
		switch {
		case err == nil:
			standing = &backing{Standing: found, allowed: found.Allowed()}
		case !errors.Is(err, accounts.ErrNotFound):
			return false, err
		}
		j.standings[from] = standing
	}
	return standing != nil && standing.AccountID == token.AccountID && standing.Live(j.now) &&
		standing.Gen == token.Gen && standing.allowed.Contains(authz.TrustedSet(token.Scope)) &&
		ownsAll(j.issuer, standing.Standing, token.Audience), nil
}

// Revoke ends a token of the account, also one that is not known. It may be repeated. Text
// that cannot be the id of a token is accounts.ErrNotFound.
func (r *Registry) Revoke(ctx context.Context, p authz.Principal, at accounts.AccountRef, jti string) error {
	org, account, err := r.accounts.AuthorizeAccount(ctx, p, at, authz.Permission(authz.Tokens, authz.Delete))
	if err != nil {
		return err
	}
	if !ValidID(jti) {
		return accounts.ErrNotFound
	}
	now := r.now()
	end, err := r.lastExpiry(ctx, now)
	if err != nil {
		return fmt.Errorf("revoke token: %w", err)
	}
	event, err := audit.New(r.random, now, audit.TokenRevoked, audit.Org{ID: org.ID, Slug: org.Slug}, "token:"+jti)
	if err != nil {
		return fmt.Errorf("revoke token: %w", err)
	}
	err = r.store.Revoke(ctx, p, Revocation{JTI: jti, AccountID: account.ID, ExpiresAt: end, At: now}, event)
	if err != nil {
		return fmt.Errorf("revoke token: %w", err)
	}
	r.forget(ctx, account.ID, jti)
	return nil
}

// lastExpiry is when no token of now can be unexpired any more. Live is not asked: a record
// with a wrong time would let the revocation be swept too early.
func (r *Registry) lastExpiry(ctx context.Context, now time.Time) (time.Time, error) {
	set, err := r.store.KeySet(ctx)
	if err != nil {
		return time.Time{}, err
	}
	longest := r.maxLifetime
	for _, key := range keysOf(set, AccessTokens) {
		longest = max(longest, key.Longest)
	}
	return now.Add(longest + Skew), nil
}

// RevokeOwn ends a token at the wish of the client that it was issued to (RFC 7009). Exp is
// the one of its verified claims.
func (r *Registry) RevokeOwn(ctx context.Context, standing accounts.Standing, jti string, exp time.Time) error {
	actor := authz.Principal{
		OrgID: standing.OrgID, System: standing.System(),
		AccountID: standing.AccountID, Subject: standing.Subject(),
	}
	revocation := Revocation{JTI: jti, AccountID: standing.AccountID, ExpiresAt: exp.Add(Skew), At: r.now()}
	if err := r.store.Revoke(ctx, actor, revocation, audit.Event{}); err != nil {
		return fmt.Errorf("revoke token: %w", err)
	}
	r.forget(ctx, standing.AccountID, jti)
	return nil
}

// forget frees the record of a revoked token. List does not show it anyway, so that a
// failure changes nothing.
func (r *Registry) forget(ctx context.Context, accountID uuid.UUID, jti string) {
	ctx, cancel := context.WithTimeout(ctx, forgetTimeout)
	defer cancel()
	_ = r.live.Forget(ctx, accountID, jti)
}

// Revoked reports whether the account's token was revoked. When that cannot be known it
// answers accounts.ErrUnavailable.
func (r *Registry) Revoked(ctx context.Context, jti string, accountID uuid.UUID) (bool, error) {
	return r.store.Revoked(ctx, jti, accountID)
}
