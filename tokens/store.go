package tokens

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
)

// State is where a signing key is in its life.
type State string

// A key goes one way through these states. Only an active key signs; all but removed
// ones are in the published key set.
const (
	Prepared State = "prepared"
	Active   State = "active"
	Retired  State = "retired"
	Removed  State = "removed"
)

// Purpose keeps keys of different uses apart: a key signs for exactly one.
type Purpose string

// AccessTokens is the purpose of the keys that sign access tokens.
const AccessTokens Purpose = "access-token"

// StoredKey is a signing key as it is stored. Its kid is never used again.
type StoredKey struct {
	KID     string
	Purpose Purpose
	Alg     string // JWS name, bound to the kid for ever
	State   State
	Public  []byte // PKIX DER
	Sealed  []byte // PKCS #8 DER under the master key, empty once removed

	PreparedAt  time.Time
	RipeAt      time.Time     // every verifier that follows the caching rules has it from here on
	ActivatedAt time.Time     // zero before
	RetiredAt   time.Time     // zero before
	RemoveAt    time.Time     // fixed at retirement; zero before
	Longest     time.Duration // longest token lifetime in force while it was active
	MaxAge      time.Duration // longest that a key set was cached in which it was the newest key
}

// KeySet is every key that is not removed, at one version. Versions only grow.
type KeySet struct {
	Version int64
	Keys    []StoredKey // sorted by PreparedAt, kid
}

// Revocation ends one token before its time.
type Revocation struct {
	JTI       string
	AccountID uuid.UUID // whose token it is; it ends no other's
	ExpiresAt time.Time // when the row has no more use
	At        time.Time
}

// Store keeps the truth about tokens. A failure that says nothing about the data wraps
// accounts.ErrUnavailable; ctx bounds every wait.
type Store interface {
	// KeySet returns the current keys.
	KeySet(ctx context.Context) (KeySet, error)
	// ChangeKeys runs fn on the current keys in one serializable transaction, stores the keys
	// that fn returns (new or changed), raises the version, records fn's event and returns the
	// new set. fn may run again from the start. With nothing to change it returns no keys and
	// nothing is written. receipt, unless zero, is kept in the same transaction.
	ChangeKeys(ctx context.Context, actor authz.Principal, receipt audit.Receipt,
		fn func(KeySet) (changed []StoredKey, event audit.Event, err error)) (KeySet, error)
	// Receipt returns what an idempotency key made, or accounts.ErrNotFound.
	Receipt(ctx context.Context, actor uuid.UUID, key string) (audit.Receipt, error)

	// Revoke is idempotent. The event, unless zero, is recorded with it.
	Revoke(ctx context.Context, actor authz.Principal, r Revocation, event audit.Event) error
	// Revoked reports whether the account's token was revoked.
	Revoked(ctx context.Context, jti string, accountID uuid.UUID) (bool, error)
	// RevokedOf lists the revoked tokens of an account that have not expired at now.
	RevokedOf(ctx context.Context, accountID uuid.UUID, now time.Time) ([]string, error)
	// Sweep removes revocations whose token has expired before the given time and counts them.
	Sweep(ctx context.Context, expiredBefore time.Time) (int, error)
}

// LiveToken is the record of an issued token. It does not contain the token.
type LiveToken struct {
	JTI          string
	AccountID    uuid.UUID
	CredentialID uuid.UUID
	ClientID     string
	Scope        string
	Audience     []string
	IssuedAt     time.Time
	ExpiresAt    time.Time
	Gen          int64
	SecretSeq    int64
}

// MaxLive is how many records of one account are kept, newest first.
const MaxLive = 1000

// Live keeps records of issued tokens so that administrators can see them. It is never
// asked whether a token is active. Every failure wraps accounts.ErrUnavailable.
type Live interface {
	// Add notes a token and returns at once; under pressure it may drop it.
	Add(token LiveToken)
	// List returns the unexpired records of an account, newest first, this process's own included at once.
	List(ctx context.Context, accountID uuid.UUID) ([]LiveToken, error)
	// Forget removes one record.
	Forget(ctx context.Context, accountID uuid.UUID, jti string) error
}
