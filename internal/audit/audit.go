// Package audit holds the evidence that an administrative write leaves in its own
// transaction: the event, and the receipt of its idempotency key. It knows the
// tables audit_events and receipts and nothing of the database beneath.
package audit

import (
	"context"
	"database/sql"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/authz"
)

// Event is one acknowledged administrative write.
type Event struct {
	ID            uuid.UUID // version 7: ordered by time
	Time          time.Time
	Type          string    // as in "organizations.serviceAccounts.created"
	OrgID         uuid.UUID // the system org for what concerns all, as keys
	OrgSlug       string
	Actor         string // sub of who acted
	Target        string // as in "sa:acme:bot", "role:acme:api", "credential:<id>"
	Outcome       string
	CorrelationID string
	Source        string
}

// By returns the event with what is known of who acted.
func (e Event) By(actor authz.Principal) Event {
	e.Actor, e.CorrelationID, e.Source = actor.Subject, actor.CorrelationID, actor.Source
	return e
}

// Succeeded is the outcome of every event: a write that fails leaves no row.
const Succeeded = "success"

// Query selects the events of one org, newest first.
type Query struct {
	OrgID    uuid.UUID
	From, To time.Time // [From, To); zero means open
	Actor    string
	Target   string
	Before   uuid.UUID // only events older than this one; zero starts at the newest
	Limit    int
}

// Receipt binds an idempotency key to the object that the first request made.
type Receipt struct {
	Actor       uuid.UUID // account that sent the key
	Key         string
	Fingerprint string    // of method, path and body
	OrgID       uuid.UUID // zero for what concerns no org; its deletion takes the receipt along
	Target      string    // id of the object
	Time        time.Time
}

// Execer is what Append and Keep need of a transaction.
type Execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Queryer is what Find and Recall need of a transaction.
type Queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}
