package sqlstore

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/sqldb"
)

// tombstone keeps a slug taken after its object is gone.
type tombstone struct {
	org    uuid.UUID // zero for the slug of an org
	slug   string
	object uuid.UUID
	at     time.Time
}

func (t *tx) bury(ctx context.Context, s tombstone) error {
	return t.exec(ctx, "INSERT INTO tombstones (org_id, slug, object_id, deleted_at) VALUES ($1, $2, $3, $4)",
		idText(s.org), s.slug, s.object, sqldb.Micros(s.at))
}

// refuseDead answers [accounts.ErrExists] for the slug of something deleted.
func (t *tx) refuseDead(ctx context.Context, org uuid.UUID, slug string) error {
	var dead bool
	err := t.db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM tombstones WHERE org_id = $1 AND slug = $2)",
		idText(org), slug).Scan(&dead)
	if err == nil && dead {
		return accounts.ErrExists
	}
	return err
}
