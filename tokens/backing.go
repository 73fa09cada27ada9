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
		s.Allowed().Contains(c.Scope) && !slices.ContainsFunc(c.Audience, func(audience string) bool {
		return audience != c.Issuer && !accounts.OwnsAudience(c.Issuer, s.OrgSlug, s.Audiences, audience)
	})
}
