package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/audit"
)

// AuditEvents implements [accounts.EvidenceReader].
func (r reader) AuditEvents(ctx context.Context, q audit.Query) ([]audit.Event, error) {
	return audit.Find(ctx, r.db, q)
}

// DeletedAt implements [accounts.EvidenceReader].
func (r reader) DeletedAt(ctx context.Context, orgID, accountID uuid.UUID) (when time.Time, err error) {
	err = r.db.QueryRowContext(ctx, "SELECT deleted_at FROM tombstones WHERE org_id = $1 AND object_id = $2",
		idText(orgID), accountID).Scan(at(&when))
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, &accounts.NotFoundError{What: accounts.WhatAccount}
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("look for a deleted account: %w", err)
	}
	return when, nil
}

// Receipt implements [accounts.EvidenceReader].
func (r reader) Receipt(ctx context.Context, actor uuid.UUID, key string) (audit.Receipt, error) {
	receipt, found, err := audit.Recall(ctx, r.db, actor, key)
	if err == nil && !found {
		return audit.Receipt{}, accounts.ErrNotFound
	}
	return receipt, err
}

// Record implements [accounts.EvidenceWriter].
func (t *tx) Record(ctx context.Context, event audit.Event) error {
	t.events++
	return t.outcome("record", audit.Append(ctx, t.db, event.By(t.actor)))
}

// KeepReceipt implements [accounts.EvidenceWriter].
func (t *tx) KeepReceipt(ctx context.Context, receipt audit.Receipt) error {
	return t.outcome("receipt", audit.Keep(ctx, t.db, receipt))
}
