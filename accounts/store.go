package accounts

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
)

// Store keeps the truth about accounts. Times keep microseconds and come back in UTC.
// A failure that says nothing about the data wraps [ErrUnavailable]; ctx bounds every wait.
type Store interface {
	// Read runs fn on one consistent snapshot.
	Read(ctx context.Context, fn func(Reader) error) error
	// Write runs fn in one serializable transaction, again from the start when the database
	// asks for it, and returns after the commit. Every replica's next standing shows the
	// result. Nothing is committed when a writing method failed, even if fn hides that, nor
	// unless fn records exactly one event.
	Write(ctx context.Context, actor authz.Principal, fn func(Tx) error) error

	// StandingBySecret finds the credential by the hash of one of its live secrets under any
	// pepper, and StandingByClient by client id and number of the secret (0: a kind without
	// secrets). Both answer [ErrNotFound] and are never older than the last acknowledged write.
	StandingBySecret(ctx context.Context, hashes []Hash) (Standing, error)
	StandingByClient(ctx context.Context, clientID string, seq int64) (Standing, error)

	// SaveUsage keeps the newest use of each secret; what no longer exists is passed over.
	SaveUsage(ctx context.Context, uses []Use) error
	// Sweep removes receipts and secrets that nothing can need any more, and counts them.
	Sweep(ctx context.Context, receiptsBefore, secretsExpiredBefore time.Time) (int, error)
}

// Query selects one page of a list: by Offset, sorted by creation time and id, or by id alone,
// which is the order of creation too. A list by id can be read from the object with the id
// After or up to the one with the id Before; whether that object still exists does not matter.
type Query struct {
	Search string // case-insensitive substring of name or slug
	Limit  int
	Offset int       // not with After or Before
	ByID   bool      // implied by After and Before
	After  uuid.UUID // zero: from the first; not with Before
	Before uuid.UUID // zero: to the last; the page is still in rising order
}

// Page says where a page lies in its list, at the instant at which it was read.
type Page struct {
	Total int  // all that match Search
	Next  bool // more follow
	Prev  bool // some come before
}

// Reader reads. A missing object, or one of another org or account than named, is a
// [*NotFoundError].
type Reader interface {
	OrgReader
	RoleReader
	GroupReader
	AccountReader
	CredentialReader
	SecretReader
	EvidenceReader
}

// Tx reads and writes. Inserts answer [ErrExists] for a name that is taken, by the living or
// the dead. Updates are conditional on the object's Version, which they raise by one, and
// answer [ErrConflict] otherwise. Deletes of what is absent answer a [*NotFoundError].
type Tx interface {
	Reader
	OrgWriter
	RoleWriter
	GroupWriter
	AccountWriter
	CredentialWriter
	SecretWriter
	EvidenceWriter
}

// OrgReader reads orgs.
type OrgReader interface {
	Org(ctx context.Context, ref Ref) (Org, error)
	Orgs(ctx context.Context, q Query) (orgs []Org, page Page, err error)
}

// OrgWriter writes orgs. An audience of another org is [ErrExists].
type OrgWriter interface {
	InsertOrg(ctx context.Context, org Org) error
	UpdateOrg(ctx context.Context, org Org) error
	// DeleteOrg removes the org with everything in it and leaves its slug taken.
	DeleteOrg(ctx context.Context, id uuid.UUID, at time.Time) error
	// AccountIDs lists every account of the org.
	AccountIDs(ctx context.Context, orgID uuid.UUID) ([]uuid.UUID, error)
}

// RoleReader reads roles.
type RoleReader interface {
	Role(ctx context.Context, orgID uuid.UUID, ref Ref) (Role, error)
	Roles(ctx context.Context, orgID uuid.UUID, q Query) (roles []Role, page Page, err error)
}

// RoleWriter writes roles. DeleteRole answers [ErrInUse] while an account or group has it.
type RoleWriter interface {
	InsertRole(ctx context.Context, role Role) error
	UpdateRole(ctx context.Context, role Role) error
	DeleteRole(ctx context.Context, orgID uuid.UUID, slug string) error
}

// GroupReader reads groups.
type GroupReader interface {
	Group(ctx context.Context, orgID, id uuid.UUID) (Group, error)
	Groups(ctx context.Context, orgID uuid.UUID, q Query) (groups []Group, page Page, err error)
	// MostGroups counts the groups of that member of the group which is in the most of them.
	MostGroups(ctx context.Context, groupID uuid.UUID) (int, error)
	// MostMembers counts the members of the largest group of the account.
	MostMembers(ctx context.Context, accountID uuid.UUID) (int, error)
}

// GroupWriter writes groups with their roles and members. Who joins or leaves gets a new
// version too, so that neither side's conditional update overwrites the other's.
type GroupWriter interface {
	InsertGroup(ctx context.Context, group Group) error
	UpdateGroup(ctx context.Context, group Group) error
	DeleteGroup(ctx context.Context, orgID, id uuid.UUID) error
}

// AccountReader reads service accounts, with their groups and last use.
type AccountReader interface {
	Account(ctx context.Context, orgID uuid.UUID, ref Ref) (ServiceAccount, error)
	Accounts(ctx context.Context, orgID uuid.UUID, q Query) (list []ServiceAccount, page Page, err error)
	// EnabledOwners counts the enabled accounts of the org that have the role owner, directly or
	// by a group, and an enabled credential with a secret, if it is of that kind. Neither the
	// account nor that credential has scopes that narrow it, nor do credential or secret expire.
	EnabledOwners(ctx context.Context, orgID uuid.UUID) (int, error)
	// SlugTaken reports whether an account of the org has the slug, or had it.
	SlugTaken(ctx context.Context, orgID uuid.UUID, slug string) (bool, error)
}

// AccountWriter writes service accounts with their group memberships. Groups that one joins
// or leaves get a new version too.
type AccountWriter interface {
	// InsertAccount answers [ErrLimit] when the org is full, counting the living.
	InsertAccount(ctx context.Context, account ServiceAccount) error
	UpdateAccount(ctx context.Context, account ServiceAccount) error
	// DeleteAccount removes the account with its credentials and leaves its slug taken.
	DeleteAccount(ctx context.Context, orgID, id uuid.UUID, at time.Time) error
}

// CredentialReader reads credentials.
type CredentialReader interface {
	Credential(ctx context.Context, accountID, id uuid.UUID) (Credential, error)
	Credentials(ctx context.Context, accountID uuid.UUID, q Query) (list []Credential, page Page, err error)
	// MainCredential is the one that an account's rotate concerns: the primary one, or for a
	// kind the oldest of that kind, the primary one first.
	MainCredential(ctx context.Context, accountID uuid.UUID, kind Kind) (Credential, error)
	// ClientIDTaken reports whether any credential of any org has the client id.
	ClientIDTaken(ctx context.Context, clientID string) (bool, error)
}

// CredentialWriter writes credentials. The last use of a deleted one stays with its account.
type CredentialWriter interface {
	InsertCredential(ctx context.Context, credential Credential) error
	UpdateCredential(ctx context.Context, credential Credential) error
	DeleteCredential(ctx context.Context, accountID, id uuid.UUID) error
}

// SecretReader reads secrets, oldest first. No method reads a hash.
type SecretReader interface {
	Secrets(ctx context.Context, credentialID uuid.UUID) ([]Secret, error)
	// Peppers lists the sealed peppers, oldest first.
	Peppers(ctx context.Context) ([]SealedPepper, error)
}

// SecretWriter writes secrets. The last use of a deleted one stays with its credential.
type SecretWriter interface {
	InsertSecret(ctx context.Context, secret Secret, hash Hash) error
	// ExpireSecret sets the end of a secret.
	ExpireSecret(ctx context.Context, credentialID, id uuid.UUID, at time.Time) error
	DeleteSecret(ctx context.Context, credentialID, id uuid.UUID) error
	InsertPepper(ctx context.Context, pepper SealedPepper) error
}

// EvidenceReader reads what writes left behind. Receipt and DeletedAt answer [ErrNotFound].
type EvidenceReader interface {
	// DeletedAt is when the account of the org was deleted, if it was.
	DeletedAt(ctx context.Context, orgID, accountID uuid.UUID) (time.Time, error)
	AuditEvents(ctx context.Context, q audit.Query) ([]audit.Event, error)
	Receipt(ctx context.Context, actor uuid.UUID, key string) (audit.Receipt, error)
}

// EvidenceWriter leaves evidence in the writing transaction. Record takes actor,
// correlation id and source from the principal that [Store.Write] was given.
type EvidenceWriter interface {
	Record(ctx context.Context, event audit.Event) error
	// KeepReceipt replaces an older receipt under the same actor and key.
	KeepReceipt(ctx context.Context, receipt audit.Receipt) error
}

// SealedPepper is a pepper as it is stored.
type SealedPepper struct {
	Number    int64
	Sealed    []byte
	CreatedAt time.Time
}

// Usage shares last uses among replicas until they are in the [Store]. It is a
// convenience: it may forget, and no request waits for it. Every failure wraps [ErrUnavailable].
type Usage interface {
	// Touch notes a use and returns at once; under pressure it may drop it.
	Touch(use Use)
	// Seen returns the newest use of each secret of the accounts, this process's own included at once.
	Seen(ctx context.Context, accounts []uuid.UUID) ([]Use, error)
	// Erase removes everything that the state has of the accounts.
	Erase(ctx context.Context, accounts []uuid.UUID) error
}
