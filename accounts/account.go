package accounts

import (
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/authz"
)

// ServiceAccount is a machine of an org. Its slug is part of the sub of its tokens and is
// never used again.
type ServiceAccount struct {
	ID            uuid.UUID
	OrgID         uuid.UUID
	OrgSlug       string
	Slug          string
	Name          string
	Description   string
	Role          string        // slug, empty: none
	Groups        []uuid.UUID   // sorted
	Scopes        authz.Set     // ceiling; empty adds no restriction
	TokenLifetime time.Duration // whole seconds; 0: the server's default
	Tags          []Tag
	Disabled      bool
	Gen           int64 // raised by what kills its tokens
	Version       int64
	LastUse       LastUse // newest over its credentials
	// TokenExpiresAt is when the token ends that a rotation for [KindToken] would replace; zero:
	// the account has none.
	TokenExpiresAt time.Time
	Stamp
}

// UserID is the sub of the account's tokens.
func (a ServiceAccount) UserID() string { return UserID(a.OrgSlug, a.Slug) }

// UserID spells the sub of an account.
func UserID(orgSlug, slug string) string { return "sa:" + orgSlug + ":" + slug }

// Tag is a label of the administrator's own.
type Tag struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Kind says how a credential is proven.
type Kind string

const (
	// KindSecret is a client id with one or more live secrets.
	KindSecret Kind = "secret"
	// KindToken is a long-lived bearer token. It is presented as it is to whoever administers
	// or introspects, and is never traded for a token as a secret is.
	KindToken Kind = "token"
)

// Credential is one way for an account to prove itself; an account may have many.
type Credential struct {
	ID           uuid.UUID
	AccountID    uuid.UUID
	OrgID        uuid.UUID
	ClientID     string // unique over all orgs
	Kind         Kind
	Shape        Shape // of its client id and secrets
	Name         string
	Description  string
	Scopes       authz.Set      // ceiling; empty adds no restriction
	AllowedCIDRs []netip.Prefix // empty: any address
	ExpiresAt    time.Time      // zero: never, which a token does not know
	Disabled     bool
	Primary      bool  // the one that an account's rotate concerns
	LastSeq      int64 // number of the newest secret
	Gen          int64 // raised by what kills its tokens
	Version      int64
	LastUse      LastUse // newest over its secrets
	Stamp
}

// Secret is one live secret of a credential, or the token of one of [KindToken].
type Secret struct {
	ID           uuid.UUID
	CredentialID uuid.UUID
	Seq          int64  // 1, 2, 3… within the credential; tokens name the secret by it
	Hint         string // last characters
	Gen          int64  // of org, account and credential together when it was made: a token is good for this one only
	CreatedAt    time.Time
	ExpiresAt    time.Time // zero: never
	LastUse      LastUse
}

// Hash is a secret as it is stored: HMAC-SHA-256 under a numbered pepper.
type Hash struct {
	Pepper int64
	Sum    []byte
}

// LastUse is when something was last used for a token, and from where. Zero At with
// Unknown unset means never; with Unknown set, the state that would know did not answer.
type LastUse struct {
	At        time.Time
	Addr      netip.Addr
	UserAgent string
	Unknown   bool
}

// Use is one use of a credential for a token.
type Use struct {
	AccountID    uuid.UUID
	CredentialID uuid.UUID
	SecretID     uuid.UUID // the credential's own id for kinds without secrets
	At           time.Time
	Addr         netip.Addr
	UserAgent    string // [Service.Touch] makes it UTF-8 of at most [MaxUserAgentBytes]
}

// MaxUserAgentBytes is how much of a user agent is kept.
const MaxUserAgentBytes = 128
