package sqlstore

import (
	"context"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/audit"
)

// AuditEvents implements [accounts.EvidenceReader].
func (r reader) AuditEvents(ctx context.Context, q audit.Query) ([]audit.Event, error) {
	return audit.Find(ctx, r.db, q)
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
	err := t.atomic(ctx, func() error { return audit.Append(ctx, t.db, event.By(t.actor)) })
	if err != nil {
		return refused("record", err)
	}
	t.events++
	return nil
}

// KeepReceipt implements [accounts.EvidenceWriter].
func (t *tx) KeepReceipt(ctx context.Context, receipt audit.Receipt) error {
	return audit.Keep(ctx, t.db, receipt)
}
