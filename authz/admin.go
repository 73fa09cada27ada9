package authz

import (
	"fmt"

	"github.com/google/uuid"
)

// adminPrefix is the first segment of what Signet itself serves: administration.
const adminPrefix = "orgs"

// AdminScopes is everything the issuer serves as a resource server of its own. Tokens
// for it carry nothing else, and tokens for any other audience carry none of it.
var AdminScopes = MustSet(adminPrefix + ":*")

// Resource is a noun that administrators hold permissions on.
type Resource string

// The resources of administration.
const (
	ServiceAccounts Resource = "service-accounts"
	Credentials     Resource = "credentials"
	Roles           Resource = "roles"
	Groups          Resource = "groups"
	Tokens          Resource = "tokens"
	AuditEvents     Resource = "audit-events"
	Settings        Resource = "settings"
)

// Action is a verb of administration.
type Action string

// The actions of administration. Rotating, adding and retiring a secret is Update of [Credentials].
const (
	Create Action = "create"
	Read   Action = "read"
	Update Action = "update"
	Delete Action = "delete"
)

// Permission names what an administrator needs: orgs:{resource}:{action}.
func Permission(resource Resource, action Action) Pattern {
	return Pattern(adminPrefix + ":" + string(resource) + ":" + string(action))
}

// DeniedError says that the caller is known and may not do this. Permission is what it
// lacks, and empty when no permission would do.
type DeniedError struct {
	Permission Pattern
	Reason     string
}

func (e *DeniedError) Error() string {
	if e.Permission != "" {
		return fmt.Sprintf("permission %s is needed", e.Permission)
	}
	return e.Reason
}

// Principal is who acts: an authenticated account, or the operator at the machine.
// It lives as long as one request.
type Principal struct {
	OrgID     uuid.UUID
	System    bool // its org is the system org: it reaches every org
	AccountID uuid.UUID
	Subject   string // the sub of its tokens, stored as createdBy and as the actor of audit rows
	// CredentialID is the credential that it has proven, or that its token was traded for.
	CredentialID uuid.UUID
	SecretID     uuid.UUID // of that credential
	Gen          int64     // of account, org and credential, when that was proven

	Permissions Set // the administrative permissions that its token carries
	Holds       Set // everything its account is allowed now, of any resource

	CorrelationID string
	Source        string // network address that the request came from
}

// Operator is whoever holds the data directory and the master key: it may do
// everything. Name says which command acts, as in "signet:bootstrap".
func Operator(name string) Principal {
	all := MustSet(wildcard)
	return Principal{System: true, Subject: name, Permissions: all, Holds: all}
}

// Reaches reports whether p may know of the org at all. What is in an org that
// p does not reach must look absent.
func (p Principal) Reaches(orgID uuid.UUID) bool { return p.System || p.OrgID == orgID }

// Demand returns a [*DeniedError] unless p holds the permission.
func (p Principal) Demand(permission Pattern) error {
	if !p.Permissions.Covers(permission) {
		return &DeniedError{Permission: permission}
	}
	return nil
}

// Allows reports whether p holds the permission, by the decision of [Principal.Demand].
func (p Principal) Allows(permission Pattern) bool { return p.Demand(permission) == nil }

// DemandSystem returns a [*DeniedError] unless p is of the system org and holds the permission.
func (p Principal) DemandSystem(permission Pattern) error {
	if !p.System {
		return &DeniedError{Reason: "only an account of the system organization may do this"}
	}
	return p.Demand(permission)
}

// MayGrant reports whether p may hand on everything in set: it is allowed all of it,
// and its token was not narrowed below the administrative part of it.
func (p Principal) MayGrant(set Set) bool {
	return p.Holds.Contains(set) && p.Permissions.Contains(set.Intersect(AdminScopes))
}

// Administrative reports whether the set is not empty and the issuer serves all of it.
func (s Set) Administrative() bool { return !s.Empty() && AdminScopes.Contains(s) }

// WithoutAdministrative drops the patterns that only the issuer serves.
func (s Set) WithoutAdministrative() Set {
	return s.Filter(func(p Pattern) bool { return !AdminScopes.Covers(p) })
}
