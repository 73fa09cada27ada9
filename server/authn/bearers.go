package authn

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/client/verify"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/server/web"
	"github.com/signet-issuer/signet/tokens"
)

var (
	// ErrNoToken answers a request that brings no bearer token along.
	ErrNoToken = errors.New("a bearer token is needed")
	// ErrBadToken answers a token that is not honoured: one error for every cause.
	ErrBadToken = errors.New("the bearer token is not valid")
)

// Revocations knows which tokens were revoked by their id. What it cannot know is
// [accounts.ErrUnavailable].
type Revocations interface {
	Revoked(ctx context.Context, jti string, accountID uuid.UUID) (bool, error)
}

// Bearers proves callers by an access token. It is safe for concurrent use.
//
// Its methods answer [ErrBadToken], or [accounts.ErrUnavailable] when the state of a
// token is not known; those that read a request also [ErrNoToken], and a [*web.Error] of
// kind too many requests to a source that has failed too often.
type Bearers struct {
	Keys        *tokens.Keys
	Accounts    *accounts.Service
	Revocations Revocations
	Limiter     web.Limiter
	Issuer      string
	Now         func() time.Time
}

// Bearer is an honoured token, one that was issued or the token of a credential of
// [accounts.KindToken]: what it says, and what truth says of the credential behind it.
type Bearer struct {
	ID        string // jti; empty for the token of a credential, which has none
	Subject   string
	ClientID  string
	Audience  []string  // never empty
	Scope     authz.Set // of the token of a credential all that it is allowed at the issuer now
	IssuedAt  time.Time
	ExpiresAt time.Time
	Standing  accounts.Standing
}

// Principal proves an administrator by the request's token, which must be for the issuer.
// Every administrative door begins with it.
func (b *Bearers) Principal(r *http.Request) (authz.Principal, error) {
	bearer, err := b.FromRequest(r)
	if err != nil {
		return authz.Principal{}, err
	}
	return bearer.Principal(r.Context()), nil
}

// Principal is the bearer of a token for the issuer as who acts in the request of ctx.
func (b Bearer) Principal(ctx context.Context) authz.Principal {
	standing := b.Standing
	principal := authz.Principal{
		OrgID: standing.OrgID, System: standing.System(),
		AccountID: standing.AccountID, Subject: standing.Subject(), CredentialID: standing.CredentialID, SecretID: standing.SecretID, Gen: standing.Gen,
		Permissions: b.Scope.Intersect(authz.AdminScopes), Holds: standing.Allowed(),
		CorrelationID: web.CorrelationID(ctx),
	}
	if from := web.ClientAddr(ctx); from.IsValid() {
		principal.Source = from.String()
	}
	return principal
}

// FromRequest proves the caller by the request's token, which must be for the issuer. The
// token stands in the header Authorization (RFC 6750, section 2.1) and nowhere else.
func (b *Bearers) FromRequest(r *http.Request) (Bearer, error) {
	header := r.Header.Values("Authorization")
	if len(header) == 0 {
		return Bearer{}, ErrNoToken
	}
	raw, ok := credentialsOf(header[0], "Bearer")
	if !ok && len(header) == 1 {
		return Bearer{}, ErrNoToken
	}
	if len(header) > 1 {
		return Bearer{}, b.refuse(r.Context())
	}
	return b.FromText(r, raw)
}

// FromText is [Bearers.FromRequest] for a token that stands elsewhere in the request and
// proves the caller, such as the subject_token of an exchange.
func (b *Bearers) FromText(r *http.Request, raw string) (Bearer, error) {
	bearer, err := b.prove(r, raw)
	if errors.Is(err, ErrBadToken) {
		return Bearer{}, b.refuse(r.Context())
	}
	if err != nil {
		return Bearer{}, err
	}
	note(r.Context(), bearer.Standing)
	return bearer, nil
}

// prove honours what the caller presents as its own.
func (b *Bearers) prove(r *http.Request, raw string) (Bearer, error) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	if !accounts.OpaqueToken(raw) {
		return b.inspect(ctx, raw, b.forIssuer)
	}
	from := web.ClientAddr(ctx)
	standing, err := b.Accounts.AuthenticateToken(ctx, secret.New(raw), from)
	if errors.Is(err, accounts.ErrUnauthenticated) {
		return Bearer{}, ErrBadToken
	}
	if err != nil {
		return Bearer{}, err
	}
	b.Accounts.Touch(accounts.Use{
		AccountID: standing.AccountID, CredentialID: standing.CredentialID, SecretID: standing.SecretID,
		At: b.Now().UTC(), Addr: from, UserAgent: r.UserAgent(),
	})
	return b.opaque(standing), nil
}

// opaque is what the token of a credential says: no more than truth does.
func (b *Bearers) opaque(standing accounts.Standing) Bearer {
	return Bearer{
		Subject: standing.Subject(), ClientID: standing.ClientID, Audience: []string{b.Issuer},
		Scope:    standing.Allowed().Intersect(authz.AdminScopes),
		IssuedAt: standing.SecretCreatedAt, ExpiresAt: standing.ExpiresAt(), Standing: standing,
	}
}

// refuse counts a failure. A token claims no id that could be guessed at.
func (b *Bearers) refuse(ctx context.Context) error {
	key := sourceKey(web.ClientAddr(ctx))
	if ok, after := b.Limiter.Allow(ctx, key, failuresPerSource, failureWindow); !ok {
		return web.TooManyRequests(failuresPerSource, after)
	}
	return ErrBadToken
}

// Inspect says what a token of any audience is worth now. Asking is who wants to know, as
// just read: its key set is known before the token is judged.
func (b *Bearers) Inspect(ctx context.Context, asking accounts.Standing, raw string) (Bearer, error) {
	if err := b.catchUp(ctx, asking); err != nil {
		return Bearer{}, err
	}
	if !accounts.OpaqueToken(raw) {
		return b.inspect(ctx, raw, func(tokens.Claims) bool { return true })
	}
	standing, err := b.Accounts.TokenStanding(ctx, secret.New(raw))
	if errors.Is(err, accounts.ErrNotFound) {
		return Bearer{}, ErrBadToken
	}
	if err != nil {
		return Bearer{}, err
	}
	return b.opaque(standing), nil
}

// Read checks who issued a token and returns what it says. Whether it is still honoured is not
// asked. The token of a credential says nothing. Asking is as for [Bearers.Inspect].
func (b *Bearers) Read(ctx context.Context, asking accounts.Standing, raw string) (tokens.Claims, error) {
	if err := b.catchUp(ctx, asking); err != nil {
		return tokens.Claims{}, err
	}
	return b.read(ctx, raw)
}

// catchUp makes sure that the keys are at least as new as a standing that was just read, so
// that a dropped key is not honoured and a new one is known.
func (b *Bearers) catchUp(ctx context.Context, standing accounts.Standing) error {
	return b.Keys.Refresh(ctx, standing.KeySetVersion)
}

func (b *Bearers) read(ctx context.Context, raw string) (tokens.Claims, error) {
	_, payload, err := verify.VerifySignature(ctx, raw, ownKeys{b.Keys})
	if unknown, ok := errors.AsType[*verify.UnavailableError](err); ok {
		return tokens.Claims{}, unknown.Err
	}
	if err != nil {
		return tokens.Claims{}, ErrBadToken
	}
	claims, err := tokens.ParseClaims(payload)
	if err != nil || claims.Issuer != b.Issuer {
		return tokens.Claims{}, ErrBadToken
	}
	return claims, nil
}

func (b *Bearers) forIssuer(claims tokens.Claims) bool {
	return slices.Contains(claims.Audience, b.Issuer)
}

// inspect asks memory first and truth only about what this server has signed.
func (b *Bearers) inspect(ctx context.Context, raw string, wanted func(tokens.Claims) bool) (Bearer, error) {
	version := b.Keys.Version() // at most that of the keys that read uses
	claims, err := b.read(ctx, raw)
	if err != nil {
		return Bearer{}, err
	}
	if !wanted(claims) || !b.Now().Before(claims.ExpiresAt) {
		return Bearer{}, ErrBadToken
	}
	standing, err := b.Accounts.Standing(ctx, claims.ClientID, claims.SecretSeq)
	if errors.Is(err, accounts.ErrNotFound) {
		return Bearer{}, ErrBadToken
	}
	if err != nil {
		return Bearer{}, err
	}
	if standing.KeySetVersion > version {
		// The key may have been dropped since.
		if err := b.catchUp(ctx, standing); err != nil {
			return Bearer{}, err
		}
		if _, err := b.read(ctx, raw); err != nil {
			return Bearer{}, err
		}
	}
	if !claims.BackedBy(standing, b.Now()) {
		return Bearer{}, ErrBadToken
	}
	revoked, err := b.Revocations.Revoked(ctx, claims.ID, standing.AccountID)
	if err != nil {
		return Bearer{}, err
	}
	if revoked {
		return Bearer{}, ErrBadToken
	}
	return Bearer{
		ID: claims.ID, Subject: claims.Subject, ClientID: claims.ClientID, Audience: claims.Audience, Scope: claims.Scope,
		IssuedAt: claims.IssuedAt, ExpiresAt: claims.ExpiresAt, Standing: standing,
	}, nil
}
