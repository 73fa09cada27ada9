package admin

import (
	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
)

type eventWire struct {
	ID            string `json:"id"`
	Time          string `json:"time"`
	Type          string `json:"type"`
	Actor         string `json:"actor"`
	Target        string `json:"target"`
	OrgSlug       string `json:"orgSlug"`
	Outcome       string `json:"outcome"`
	CorrelationID string `json:"correlationId"`
}

type eventList struct {
	Results    []eventWire `json:"results"`
	NextCursor string      `json:"nextCursor,omitzero"`
}

func (a *api) listAuditEvents(c *call) error {
	var bad fieldErrors
	q := accounts.AuditQuery{
		From: bad.instant("from", c.query["from"]), To: bad.instant("to", c.query["to"]),
		Actor: c.query.Get("actor"), Target: c.query.Get("target"), Limit: c.limit(&bad),
	}
	if text, sent := c.query["cursor"]; sent {
		var ok bool
		if q.Before, ok = parseCursor(text[0]); !ok {
			bad.add("cursor", "must be a nextCursor of this list")
		}
	}
	if err := bad.err(); err != nil {
		return err
	}
	events, next, err := a.accounts.AuditEvents(c.r.Context(), c.by, c.org(), q)
	if err != nil {
		return err
	}
	answer := eventList{Results: make([]eventWire, len(events))}
	for i, e := range events {
		answer.Results[i] = eventWire{
			ID: e.ID.String(), Time: wireTime(e.Time), Type: e.Type, Actor: e.Actor, Target: e.Target,
			OrgSlug: e.OrgSlug, Outcome: e.Outcome, CorrelationID: e.CorrelationID,
		}
	}
	if next != uuid.Nil {
		answer.NextCursor = cursor(next)
	}
	return c.list(answer)
}
