package tokens

import (
	"time"

	"github.com/signet-issuer/signet/accounts"
)

// BackedBy reports whether the token may still be honoured at now: truth has its account
// and credential live, nothing raised their generation, and all its scope is still allowed.
// Whether it was revoked by its id is another question.
func (c Claims) BackedBy(s accounts.Standing, now time.Time) bool {
	return s.Live(now) && now.Before(c.ExpiresAt) &&
		c.ClientID == s.ClientID && c.SecretSeq == s.SecretSeq &&
		c.Subject == s.Subject() && c.Org == s.OrgSlug && c.Gen == s.Gen &&
		s.Allowed().Contains(c.Scope)
}
