package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Append writes an event in the transaction of the write that it is about.
func Append(ctx context.Context, tx Execer, e Event) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO audit_events
		(id, time, type, org_id, org_slug, actor, target, outcome, correlation_id, source)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		e.ID.String(), e.Time.UnixMicro(), e.Type, idText(e.OrgID), e.OrgSlug,
		e.Actor, e.Target, e.Outcome, e.CorrelationID, e.Source)
	if err != nil {
		return fmt.Errorf("append audit event: %w", err)
	}
	return nil
}

// Find returns at most q.Limit events, newest first.
func Find(ctx context.Context, tx Queryer, q Query) ([]Event, error) {
	where, args := q.conditions()
	rows, err := tx.QueryContext(ctx, `SELECT id, time, type, org_id, org_slug, actor, target, outcome, correlation_id, source
		FROM audit_events WHERE `+where+` ORDER BY id DESC LIMIT $1`, args...)
	if err != nil {
		return nil, fmt.Errorf("find audit events: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var events []Event
	for rows.Next() {
		event, err := scanEvent(rows)
		if err != nil {
			return nil, fmt.Errorf("find audit events: %w", err)
		}
		events = append(events, event)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("find audit events: %w", err)
	}
	return events, nil
}

// conditions has $1 for the limit. No text of the query becomes part of the statement.
func (q Query) conditions() (where string, args []any) {
	args = []any{q.Limit}
	var parts []string
	add := func(condition string, value any) {
		args = append(args, value)
		parts = append(parts, fmt.Sprintf("%s $%d", condition, len(args)))
	}
	add("org_id =", idText(q.OrgID))
	if !q.From.IsZero() {
		add("time >=", q.From.UnixMicro())
	}
	if !q.To.IsZero() {
		add("time <", q.To.UnixMicro())
	}
	if q.Actor != "" {
		add("actor =", q.Actor)
	}
	if q.Target != "" {
		add("target =", q.Target)
	}
	if q.Before != uuid.Nil {
		add("id <", q.Before.String())
	}
	return strings.Join(parts, " AND "), args
}

func scanEvent(rows *sql.Rows) (Event, error) {
	var e Event
	var id, orgID string
	var micros int64
	err := rows.Scan(&id, &micros, &e.Type, &orgID, &e.OrgSlug, &e.Actor, &e.Target, &e.Outcome, &e.CorrelationID, &e.Source)
	if err != nil {
		return Event{}, err
	}
	if e.ID, err = uuid.Parse(id); err != nil {
		return Event{}, err
	}
	if e.OrgID, err = parseID(orgID); err != nil {
		return Event{}, err
	}
	e.Time = time.UnixMicro(micros).UTC()
	return e, nil
}

// Keep stores a receipt and replaces an older one under the same actor and key.
func Keep(ctx context.Context, tx Execer, r Receipt) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO receipts (actor_id, key, fingerprint, org_id, target, created_at)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (actor_id, key) DO UPDATE SET fingerprint = excluded.fingerprint, org_id = excluded.org_id,
			target = excluded.target, created_at = excluded.created_at`,
		r.Actor.String(), r.Key, r.Fingerprint, idText(r.OrgID), r.Target, r.Time.UnixMicro())
	if err != nil {
		return fmt.Errorf("keep receipt: %w", err)
	}
	return nil
}

// Recall returns what was kept under the actor and key, however old, and whether anything was.
func Recall(ctx context.Context, tx Queryer, actor uuid.UUID, key string) (r Receipt, found bool, err error) {
	rows, err := tx.QueryContext(ctx,
		"SELECT fingerprint, org_id, target, created_at FROM receipts WHERE actor_id = $1 AND key = $2", actor.String(), key)
	if err != nil {
		return Receipt{}, false, fmt.Errorf("recall receipt: %w", err)
	}
	defer func() { _ = rows.Close() }()
	if !rows.Next() {
		return Receipt{}, false, rows.Err()
	}
	r = Receipt{Actor: actor, Key: key}
	var orgID string
	var micros int64
	if err := rows.Scan(&r.Fingerprint, &orgID, &r.Target, &micros); err != nil {
		return Receipt{}, false, fmt.Errorf("recall receipt: %w", err)
	}
	if r.OrgID, err = parseID(orgID); err != nil {
		return Receipt{}, false, fmt.Errorf("recall receipt: %w", err)
	}
	r.Time = time.UnixMicro(micros).UTC()
	return r, true, errors.Join(rows.Close(), rows.Err())
}

// idText writes the zero id, which stands for no org, as the empty text.
func idText(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

func parseID(text string) (uuid.UUID, error) {
	if text == "" {
		return uuid.Nil, nil
	}
	return uuid.Parse(text)
}
