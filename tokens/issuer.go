package tokens

import (
	"context"
	"errors"
	"fmt"
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

// IssuerConfig is what an [Issuer] works with. Every field but Passports, StrictScopes and PerOrgRate is required.
type IssuerConfig struct {
	Keys            *Keys
	Passports       *Keys  // of the purpose [Passports]; nil: no passport is issued
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

// Issuer makes access tokens and passports. It is safe for concurrent use.
type Issuer struct {
	keys            *Keys
	passports       *Keys
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
	if cfg.Passports != nil && cfg.Passports.purpose != Passports {
		return nil, fmt.Errorf("passports: the keys are for %s", cfg.Passports.purpose)
	}
	perSecond := cfg.PerOrgRate
	if perSecond <= 0 {
		perSecond = defaultRate()
	}
	return &Issuer{
		keys: cfg.Keys, passports: cfg.Passports, issuer: cfg.Issuer, live: cfg.Live, usage: cfg.Usage,
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
	var claims Claims
	value, err := i.mint(ctx, i.keys, bearer{standing, now}, func(longest time.Duration) (payload []byte, err error) {
		if claims, err = i.decide(standing, req, now, longest); err != nil {
			return nil, err
		}
		return claims.marshal()
	})
	if err != nil {
		return Token{}, err
	}
	i.record(standing, req, claims, now)
	return Token{Value: value, Claims: claims, Lifetime: claims.ExpiresAt.Sub(claims.IssuedAt)}, nil
}

// bearer is for whom a token is made, and when.
type bearer struct {
	accounts.Standing
	now time.Time
}

// mint is the only way to a signer: no token comes about without these steps. Decide writes
// the payload, for no longer than the key may sign for.
func (i *Issuer) mint(ctx context.Context, keys *Keys, b bearer, decide func(longest time.Duration) ([]byte, error)) (secret.Text, error) {
	// The zero Standing is the one that nobody had to authenticate for.
	if b.CredentialID == uuid.Nil || !b.Live(b.now) {
		return secret.Text{}, accounts.ErrUnauthenticated
	}
	if err := i.throttle.take(b.OrgID, b.now); err != nil {
		return secret.Text{}, err
	}
	// The proof may be newer than the keys in memory: nothing is signed with keys of before.
	if err := keys.Refresh(ctx, b.KeySetVersion); err != nil {
		return secret.Text{}, err
	}
	signer := keys.current.Load().signer
	payload, err := decide(signer.longest)
	if err != nil {
		return secret.Text{}, err
	}
	value, err := signer.sign(payload)
	if err != nil {
		return secret.Text{}, err
	}
	return secret.New(value), nil
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

// UsualLifetime is what a token lives whose client asks for none, when its account has this
// lifetime, or 0 for the server's.
func (i *Issuer) UsualLifetime(ofAccount time.Duration) time.Duration {
	longest := i.keys.current.Load().signer.longest
	return i.lifetime(accounts.Standing{TokenLifetime: ofAccount}, 0, time.Time{}, longest)
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
