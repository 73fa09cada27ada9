package accounts

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/secret"
)

// How long a token of a credential of [KindToken] lives, and may live.
const (
	DefaultTokenLife = 90 * 24 * time.Hour
	MaxTokenLife     = 366 * 24 * time.Hour
)

// AuthenticateToken proves whoever presents the token of a credential of [KindToken] from an
// address. Every cause of a refusal is one and the same [ErrUnauthenticated]; storage that
// does not answer is [ErrUnavailable].
func (s *Service) AuthenticateToken(ctx context.Context, presented secret.Text, from netip.Addr) (Standing, error) {
	standing, err := s.honoured(ctx, presented, func(found Standing) bool { return found.admits(from) })
	if errors.Is(err, ErrNotFound) {
		return Standing{}, ErrUnauthenticated
	}
	return standing, err
}

// TokenStanding returns what truth says now of the credential behind such a token, wherever
// it may be used from. A token that is not honoured is [ErrNotFound].
func (s *Service) TokenStanding(ctx context.Context, presented secret.Text) (Standing, error) {
	return s.honoured(ctx, presented, func(Standing) bool { return true })
}

// honoured costs one look-up whenever it refuses a token that could be one, as
// [Service.Authenticate] does.
func (s *Service) honoured(ctx context.Context, presented secret.Text, admits func(Standing) bool) (Standing, error) {
	if !OpaqueToken(presented.Reveal()) {
		return Standing{}, ErrNotFound
	}
	standing, err := directory{s}.BySecret(ctx, presented)
	if err != nil {
		return Standing{}, err
	}
	if standing.tokenLive(s.now()) && admits(standing) {
		return standing, nil
	}
	if err := s.lookAgain(ctx, standing); err != nil {
		return Standing{}, err
	}
	return Standing{}, ErrNotFound
}

// tokenLive reports whether a token is good at now. What raises a generation ends it for
// ever, also when the account that was disabled is enabled again.
func (s Standing) tokenLive(now time.Time) bool {
	return s.Kind == KindToken && s.SecretGen == s.Gen && s.Live(now)
}

// Self returns the caller's own account and its org, for which no permission is needed.
func (s *Service) Self(ctx context.Context, by authz.Principal) (Org, ServiceAccount, error) {
	var org Org
	var account ServiceAccount
	err := s.store.Read(ctx, func(r Reader) (err error) {
		if org, err = r.Org(ctx, ByID(by.OrgID)); err != nil {
			return err
		}
		account, err = r.Account(ctx, org.ID, ByID(by.AccountID))
		return err
	})
	if err != nil {
		return Org{}, ServiceAccount{}, err
	}
	account.LastUse = s.seen(ctx, account.ID).merge(account.ID, account.LastUse)
	return org, account, nil
}
