package tokens

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/secret"
)

// Toucher is what an [Issuer] needs of accounts.Service.
type Toucher interface {
	// Touch notes a use and returns at once. The user agent is as the client sent it.
	Touch(use accounts.Use)
}

// IssuerConfig is what an [Issuer] works with. Every field but StrictScopes and PerOrgRate is required.
type IssuerConfig struct {
	Keys            *Keys
	Issuer          string // URL, without a final slash
	Live            Live
	Usage           Toucher
	DefaultLifetime time.Duration
	MaxLifetime     time.Duration
	StrictScopes    bool // refuse a scope outside what is allowed instead of dropping it
	PerOrgRate      int  // tokens a second, burst included, that one org may have; 0: by number of processors
	Now             func() time.Time
	Random          io.Reader
}

// Issuer makes access tokens. It is safe for concurrent use.
type Issuer struct {
	keys            *Keys
	issuer          string
	live            Live
	usage           Toucher
	defaultLifetime time.Duration
	maxLifetime     time.Duration
	strict          bool
	throttle        *throttle
	now             func() time.Time
	random          io.Reader
}

// NewIssuer returns an Issuer on its parts.
func NewIssuer(cfg IssuerConfig) (*Issuer, error) {
	if err := CheckLifetimes(cfg.DefaultLifetime, cfg.MaxLifetime); err != nil {
		return nil, err
	}
	if !accounts.ValidResource(cfg.Issuer) || strings.HasSuffix(cfg.Issuer, "/") {
		return nil, errors.New("issuer: must be an absolute URL without a final slash")
	}
	perSecond := cfg.PerOrgRate
	if perSecond <= 0 {
		perSecond = defaultRate()
	}
	return &Issuer{
		keys: cfg.Keys, issuer: cfg.Issuer, live: cfg.Live, usage: cfg.Usage,
		defaultLifetime: cfg.DefaultLifetime, maxLifetime: cfg.MaxLifetime, strict: cfg.StrictScopes,
		throttle: newThrottle(perSecond), now: cfg.Now, random: cfg.Random,
	}, nil
}

// Request is what a client asks for.
type Request struct {
	Scope        authz.Set     // empty: everything allowed
	Resources    []string      // empty: the issuer decides
	Lifetime     time.Duration // 0: the account's or the server's default
	PreferIssuer bool          // without Resources, the issuer is the audience

	From      netip.Addr
	UserAgent string
}

// Token is an issued access token.
type Token struct {
	Value    secret.Text
	Claims   Claims
	Lifetime time.Duration
}

// Issue decides what the client gets, signs it and records it; a refusal leaves no record.
// It answers accounts.ErrUnavailable, accounts.ErrUnauthenticated for a client whose time is
// over, a [*ThrottledError], a [*TargetError], or an error of [authz.Grant] about the scope.
func (i *Issuer) Issue(ctx context.Context, client accounts.Client, req Request) (Token, error) {
	standing, now := client.Standing(), i.now().UTC()
	// The zero Client is the one that nobody had to authenticate for.
	if standing.CredentialID == uuid.Nil || !standing.Live(now) {
		return Token{}, accounts.ErrUnauthenticated
	}
	if err := i.throttle.take(standing.OrgID, now); err != nil {
		return Token{}, err
	}
	// The proof may be newer than the keys in memory: nothing is signed with keys of before.
	if err := i.keys.Refresh(ctx, standing.KeySetVersion); err != nil {
		return Token{}, err
	}
	signer := i.keys.current.Load().signer
	claims, err := i.decide(standing, req, now, signer.longest)
	if err != nil {
		return Token{}, err
	}
	payload, err := claims.marshal()
	if err != nil {
		return Token{}, err
	}
	value, err := signer.sign(payload)
	if err != nil {
		return Token{}, err
	}
	i.record(standing, req, claims, now)
	return Token{Value: secret.New(value), Claims: claims, Lifetime: claims.ExpiresAt.Sub(claims.IssuedAt)}, nil
}

// decide is everything between the proof and the signature.
func (i *Issuer) decide(standing accounts.Standing, req Request, now time.Time, longest time.Duration) (Claims, error) {
	audience, served, err := i.audience(standing, req)
	if err != nil {
		return Claims{}, err
	}
	scope, err := grant(req.Scope, served, audience[0] == i.issuer, i.strict)
	if err != nil {
		return Claims{}, err
	}
	jti, err := randomText(i.random)
	if err != nil {
		return Claims{}, err
	}
	issuedAt := now.Truncate(time.Second)
	return Claims{
		Issuer: i.issuer, Subject: standing.Subject(), Audience: audience, ClientID: standing.ClientID,
		ID: jti, IssuedAt: issuedAt, ExpiresAt: issuedAt.Add(i.lifetime(standing, req.Lifetime, issuedAt, longest)),
		Scope: scope, Org: standing.OrgSlug, Gen: standing.Gen, SecretSeq: standing.SecretSeq,
	}, nil
}

// grant is [authz.Grant] for one audience. Only the issuer's tokens carry administrative
// scope, even where a wider pattern such as "*" allows it.
func grant(requested, served authz.Set, issuer, strict bool) (authz.Set, error) {
	if !issuer && !requested.Empty() {
		kept := requested.WithoutAdministrative()
		if strict && kept.Len() < requested.Len() {
			return authz.Set{}, authz.ErrScopeRefused
		}
		if kept.Empty() {
			return authz.Set{}, authz.ErrScopeEmpty
		}
		requested = kept
	}
	return authz.Grant(requested, served, strict)
}

// lifetime is at least a second and at most what the request, the account, the server and
// the key allow. It ends with the credential.
func (i *Issuer) lifetime(standing accounts.Standing, requested time.Duration, issuedAt time.Time, longest time.Duration) time.Duration {
	lifetime := requested
	if lifetime == 0 {
		lifetime = standing.TokenLifetime
	}
	if lifetime == 0 {
		lifetime = i.defaultLifetime
	}
	if standing.TokenLifetime > 0 {
		lifetime = min(lifetime, standing.TokenLifetime)
	}
	if end := standing.ExpiresAt(); !end.IsZero() {
		lifetime = min(lifetime, end.Sub(issuedAt))
	}
	// A key is published only as long as the tokens that were announced for it may live.
	lifetime = min(lifetime, i.maxLifetime, longest)
	return max(lifetime.Truncate(time.Second), time.Second)
}

func (i *Issuer) record(standing accounts.Standing, req Request, claims Claims, now time.Time) {
	i.live.Add(LiveToken{
		JTI: claims.ID, AccountID: standing.AccountID, CredentialID: standing.CredentialID, ClientID: claims.ClientID,
		Scope: claims.Scope.String(), Audience: claims.Audience, IssuedAt: claims.IssuedAt, ExpiresAt: claims.ExpiresAt,
		Gen: claims.Gen, SecretSeq: claims.SecretSeq,
	})
	used := standing.SecretID
	if used == uuid.Nil {
		used = standing.CredentialID
	}
	i.usage.Touch(accounts.Use{
		AccountID: standing.AccountID, CredentialID: standing.CredentialID, SecretID: used,
		At: now, Addr: req.From, UserAgent: req.UserAgent,
	})
}
