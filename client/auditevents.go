package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// AuditEvent is one change that an administrator made.
type AuditEvent struct {
	ID            string    `json:"id"`
	Time          time.Time `json:"time"`
	Type          string    `json:"type"`
	Actor         string    `json:"actor"`
	Target        string    `json:"target"`
	OrgSlug       string    `json:"orgSlug"`
	Outcome       string    `json:"outcome"`
	CorrelationID string    `json:"correlationId"`
}

// AuditQuery selects events. Zero fields select everything.
type AuditQuery struct {
	From, To time.Time // [From, To)
	Actor    string    // sub
	Target   string
}

func (q AuditQuery) values() url.Values {
	values := url.Values{"limit": {strconv.Itoa(pageSize)}}
	for name, at := range map[string]time.Time{"from": q.From, "to": q.To} {
		if !at.IsZero() {
			values.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	for name, text := range map[string]string{"actor": q.Actor, "target": q.Target} {
		if text != "" {
			values.Set(name, text)
		}
	}
	return values
}

// AuditEvents yields what was changed in an organization, newest first, and at most one
// error, the last.
func (c *Client) AuditEvents(ctx context.Context, org string, q AuditQuery) iter.Seq2[AuditEvent, error] {
	return func(yield func(AuditEvent, error) bool) {
		query := q.values()
		for {
			var got struct {
				Results    []AuditEvent `json:"results"`
				NextCursor string       `json:"nextCursor"`
			}
			if err := c.call(ctx, http.MethodGet, orgPath(org, "audit-events")+"?"+query.Encode(), nil, &got, nil); err != nil {
				yield(AuditEvent{}, err)
				return
			}
			for _, event := range got.Results {
				if !yield(event, nil) {
					return
				}
			}
			if got.NextCursor == "" {
				return
			}
			query.Set("cursor", got.NextCursor)
		}
	}
}
