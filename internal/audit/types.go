package audit

import (
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
)

// The types of events, by the object that the write is about.
const (
	OrgCreated = "organizations.created"
	OrgUpdated = "organizations.updated"
	OrgDeleted = "organizations.deleted"

	RoleCreated = "organizations.roles.created"
	RoleUpdated = "organizations.roles.updated"
	RoleDeleted = "organizations.roles.deleted"

	GroupCreated = "organizations.groups.created"
	GroupUpdated = "organizations.groups.updated"
	GroupDeleted = "organizations.groups.deleted"

	AccountCreated       = "organizations.serviceAccounts.created"
	AccountUpdated       = "organizations.serviceAccounts.updated"
	AccountDeleted       = "organizations.serviceAccounts.deleted"
	AccountRotated       = "organizations.serviceAccounts.rotated"
	AccountTokensRevoked = "organizations.serviceAccounts.tokensRevoked"

	CredentialCreated = "organizations.credentials.created"
	CredentialUpdated = "organizations.credentials.updated"
	CredentialDeleted = "organizations.credentials.deleted"

	SecretAdded   = "organizations.secrets.added"
	SecretRetired = "organizations.secrets.retired"

	TokenRevoked = "organizations.tokens.revoked"

	KeysCreated  = "keys.created"  // the first pair of the installation
	KeysPrepared = "keys.prepared" // a new key to come
	KeysRotated  = "keys.rotated"
	KeysDropped  = "keys.dropped"
	KeysRemoved  = "keys.removed"  // at the end of its time
	KeysExtended = "keys.extended" // a longer lifetime or max-age came into force
	KeysReplaced = "keys.replaced" // all of them

	PepperCreated        = "peppers.created"
	MasterKeyRotated     = "masterKey.rotated"
	InstallationRestored = "installation.restored"
)

// Org says in whose log an event stands.
type Org struct {
	ID   uuid.UUID
	Slug string
}

// New describes a write that succeeds. Who acted is filled in by the store that writes it.
func New(random io.Reader, now time.Time, eventType string, org Org, target string) (Event, error) {
	id, err := uuid.NewV7FromReader(random)
	if err != nil {
		return Event{}, fmt.Errorf("make an id: %w", err)
	}
	return Event{
		ID: id, Time: now, Type: eventType, OrgID: org.ID, OrgSlug: org.Slug, Target: target, Outcome: Succeeded,
	}, nil
}
