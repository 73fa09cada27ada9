package accounts

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
)

// AuditQuery selects audit events of an org, newest first.
type AuditQuery struct {
	From, To time.Time // [From, To); zero means open
	Actor    string    // sub
	Target   string
	Before   uuid.UUID // continue after this event; zero starts at the newest
	Limit    int
}

// AuditEvent is one acknowledged administrative write.
type AuditEvent = audit.Event

// AuditEvents returns a page of events, and the event to continue after when there are more.
func (s *Service) AuditEvents(ctx context.Context, by authz.Principal, org Ref, q AuditQuery) ([]AuditEvent, uuid.UUID, error) {
	q.Limit = max(q.Limit, 1)
	var events []AuditEvent
	err := s.store.Read(ctx, func(r Reader) error {
		owner, err := reach(ctx, r, by, org, authz.Permission(authz.AuditEvents, authz.Read))
		if err != nil {
			return err
		}
		events, err = r.AuditEvents(ctx, audit.Query{
			OrgID: owner.ID, From: q.From, To: q.To, Actor: q.Actor, Target: q.Target, Before: q.Before, Limit: q.Limit + 1,
		})
		return err
	})
	if err != nil || len(events) <= q.Limit {
		return events, uuid.UUID{}, err
	}
	events = events[:q.Limit]
	return events, events[q.Limit-1].ID, nil
}
