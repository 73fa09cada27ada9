package accounts

import (
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/authz"
)

// Standing is everything that a decision about a token needs to know of a credential, as
// truth has it at the instant of one indexed read. It states facts; [Service] judges them.
type Standing struct {
	OrgID           uuid.UUID
	OrgSlug         string
	OrgDisabled     bool
	Audiences       []string
	DefaultAudience string // empty: {issuer}/orgs/{slug}

	AccountID       uuid.UUID
	AccountSlug     string
	AccountDisabled bool
	AccountScopes   authz.Set
	TokenLifetime   time.Duration // 0: the server's default

	CredentialID        uuid.UUID
	ClientID            string
	Kind                Kind
	CredentialScopes    authz.Set
	CredentialDisabled  bool
	CredentialExpiresAt time.Time // zero: never
	AllowedCIDRs        []netip.Prefix

	SecretID        uuid.UUID // of the secret or token; zero for kinds without
	SecretSeq       int64
	SecretGen       int64 // Gen when it was made
	SecretCreatedAt time.Time
	SecretExpiresAt time.Time // zero: never

	RolePermissions authz.Set // role ∪ roles of groups
	Gen             int64     // org + account + credential
	KeySetVersion   int64     // of the signing keys, at the same instant

	Remembered bool // answered from memory, hence sooner than what the store had to look up
}

// Allowed is what the credential may be granted: (role ∪ groups) ∩ account ∩ credential.
// Roles that add up to more than [authz.MaxHeld] patterns allow nothing.
func (s Standing) Allowed() authz.Set {
	if s.RolePermissions.Len() > authz.MaxHeld {
		return authz.Set{}
	}
	return s.RolePermissions.Restrict(s.AccountScopes).Restrict(s.CredentialScopes)
}

// Subject is the sub of its tokens.
func (s Standing) Subject() string { return UserID(s.OrgSlug, s.AccountSlug) }

// System reports whether the account is in the org that administers all others.
func (s Standing) System() bool { return s.OrgSlug == SystemOrg }

// ExpiresAt is the instant after which neither the credential nor the secret is good; zero: never.
func (s Standing) ExpiresAt() time.Time {
	first, second := s.CredentialExpiresAt, s.SecretExpiresAt
	if first.IsZero() || (!second.IsZero() && second.Before(first)) {
		return second
	}
	return first
}

// Live reports whether the credential may stand for its account at now: nothing on the
// way is disabled or expired.
func (s Standing) Live(now time.Time) bool {
	end := s.ExpiresAt()
	return !s.OrgDisabled && !s.AccountDisabled && !s.CredentialDisabled && (end.IsZero() || now.Before(end))
}
