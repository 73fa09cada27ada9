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

// Bearer is an honoured token: what it says, and what truth says of the credential behind it.
type Bearer struct {
	Claims   tokens.Claims
	Standing accounts.Standing
}

// Principal proves an administrator by the request's token, which must be for the issuer.
// Every administrative door begins with it.
func (b *Bearers) Principal(r *http.Request) (authz.Principal, error) {
	bearer, err := b.FromRequest(r)
	if err != nil {
		return authz.Principal{}, err
	}
	standing := bearer.Standing
	principal := authz.Principal{
		OrgID: standing.OrgID, System: standing.System(),
		AccountID: standing.AccountID, Subject: standing.Subject(),
		Permissions: bearer.Claims.Scope.Intersect(authz.AdminScopes), Holds: standing.Allowed(),
		CorrelationID: web.CorrelationID(r.Context()),
	}
	if from := web.ClientAddr(r.Context()); from.IsValid() {
		principal.Source = from.String()
	}
	return principal, nil
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
	bearer, err := Bearer{}, ErrBadToken
	if len(header) == 1 {
		bearer, err = b.inspect(r.Context(), raw, b.forIssuer)
	}
	if errors.Is(err, ErrBadToken) {
		return Bearer{}, b.refuse(r.Context())
	}
	if err != nil {
		return Bearer{}, err
	}
	note(r.Context(), bearer.Standing)
	return bearer, nil
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
	return b.inspect(ctx, raw, func(tokens.Claims) bool { return true })
}

// Read checks who made a token and returns what it says. Whether it is still honoured is not
// asked. Asking is as for [Bearers.Inspect].
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
	return Bearer{Claims: claims, Standing: standing}, nil
}
