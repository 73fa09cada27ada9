package accounts

import (
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/authz"
)

// SystemOrg is the slug of the reserved org whose accounts administer every org.
const SystemOrg = "system"

// SystemOrgID is the id of that org in every installation.
var SystemOrgID = uuid.MustParse("00000000-0000-7000-8000-000000000001")

// Stamp says who made an object and who changed it last, by the sub of the actor.
type Stamp struct {
	CreatedAt time.Time
	CreatedBy string
	UpdatedAt time.Time
	UpdatedBy string
}

// Org is a tenant. Its slug is part of every sub and is never used again.
type Org struct {
	ID                 uuid.UUID
	Slug               string
	Name               string
	DefaultRole        string   // slug of the role that an account gets when none is named
	Audiences          []string // sorted; each URI belongs to one org of the whole installation
	DefaultAudience    string   // empty: {issuer}/orgs/{slug}
	MaxServiceAccounts *int64   // nil: no limit
	Disabled           bool
	Gen                int64 // raised by what kills its tokens
	Version            int64
	Stamp
}

// Role is a named set of permissions of one org.
type Role struct {
	ID          uuid.UUID
	OrgID       uuid.UUID
	Slug        string
	Name        string
	Permissions authz.Set
	Delegable   bool // whoever may create accounts may give it
	BuiltIn     bool // cannot be changed or deleted
	Version     int64
	Stamp
}

// Group gives its roles to its members.
type Group struct {
	ID          uuid.UUID
	OrgID       uuid.UUID
	Name        string
	Description string
	Roles       []string    // slugs, sorted
	RoleIDs     []uuid.UUID // of Roles, which stores write; sorted by themselves
	Members     []uuid.UUID // accounts, sorted
	Tags        []Tag
	Version     int64
	Stamp
}
