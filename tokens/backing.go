package tokens

import (
	"slices"
	"time"

	"github.com/signet-issuer/signet/accounts"
)

// BackedBy reports whether the token may still be honoured at now: truth has its account
// and credential live, nothing raised their generation, all its scope is still allowed, and
// its audiences still are the issuer or the org's. Whether it was revoked by its id is
// another question.
func (c Claims) BackedBy(s accounts.Standing, now time.Time) bool {
	return s.Live(now) && now.Before(c.ExpiresAt) &&
		c.ClientID == s.ClientID && c.SecretSeq == s.SecretSeq &&
		c.Subject == s.Subject() && c.Org == s.OrgSlug && c.Gen == s.Gen &&
		s.Allowed().Contains(c.Scope) && ownsAll(c.Issuer, s, c.Audience)
}

// ownsAll reports whether each audience is the issuer or the org's.
func ownsAll(issuer string, s accounts.Standing, audiences []string) bool {
	return !slices.ContainsFunc(audiences, func(audience string) bool {
		return audience != issuer && !accounts.OwnsAudience(issuer, s.OrgSlug, s.Audiences, audience)
	})
}
