package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/audit"
	"github.com/signet-issuer/signet/internal/sqldb"
	"github.com/signet-issuer/signet/tokens"
)

// Store implements [tokens.Store]. It is safe for concurrent use.
type Store struct{ db *sqldb.DB }

var _ tokens.Store = (*Store)(nil)

// New returns a Store on a migrated database, which stays the caller's to close.
func New(db *sqldb.DB) *Store { return &Store{db: db} }

// Receipt implements [tokens.Store].
func (s *Store) Receipt(ctx context.Context, actor uuid.UUID, key string) (audit.Receipt, error) {
	var receipt audit.Receipt
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		found, ok, err := audit.Recall(ctx, tx, actor, key)
		if err == nil && !ok {
			return accounts.ErrNotFound
		}
		receipt = found
		return err
	})
	return receipt, translate(err)
}

// translate names in the words of the domain what went wrong with the database.
func translate(err error) error {
	if errors.Is(err, sqldb.ErrUnavailable) && !errors.Is(err, accounts.ErrUnavailable) {
		return fmt.Errorf("%w: %w", accounts.ErrUnavailable, err)
	}
	return err
}
