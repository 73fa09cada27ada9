package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/signet-issuer/signet/internal/sqldb"
)

// Sweep implements [accounts.Store]. It removes a bounded number of rows at once, so that it
// holds up nobody, and may run on many replicas at a time.
func (s *Store) Sweep(ctx context.Context, receiptsBefore, secretsExpiredBefore time.Time) (int, error) {
	work, err := s.sweepable(ctx, receiptsBefore, secretsExpiredBefore)
	if err != nil || !work {
		return 0, translate(err)
	}
	receipts, err := inRounds(func() (int, error) { return s.sweepReceipts(ctx, receiptsBefore) })
	if err != nil {
		return 0, translate(fmt.Errorf("sweep receipts: %w", err))
	}
	secrets, err := inRounds(func() (int, error) { return s.sweepSecrets(ctx, secretsExpiredBefore) })
	if err != nil {
		return 0, translate(fmt.Errorf("sweep secrets: %w", err))
	}
	return receipts + secrets, nil
}

// inRounds repeats what removes up to [maxList] rows until it finds fewer, and adds up.
func inRounds(round func() (int, error)) (int, error) {
	for total := 0; ; {
		n, err := round()
		if err != nil {
			return 0, err
		}
		if total += n; n < maxList {
			return total, nil
		}
	}
}

// sweepable spares a write, and with it every cached standing, when nothing is old enough.
func (s *Store) sweepable(ctx context.Context, receiptsBefore, secretsExpiredBefore time.Time) (work bool, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM receipts WHERE created_at < $1)
				OR EXISTS (SELECT 1 FROM secrets WHERE expires_at < $2)`,
			sqldb.Micros(receiptsBefore), sqldb.Micros(secretsExpiredBefore)).Scan(&work)
	})
	return work, err
}

// sweepReceipts looks at the age twice, as a receipt may be replaced between the two.
func (s *Store) sweepReceipts(ctx context.Context, before time.Time) (swept int, err error) {
	err = s.db.Merge(ctx, func(tx *sqldb.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM receipts WHERE created_at < $1 AND (actor_id, key) IN
			(SELECT r.actor_id, r.key FROM receipts r WHERE r.created_at < $1 LIMIT $2)`, sqldb.Micros(before), maxList)
		if err != nil {
			return err
		}
		rows, err := result.RowsAffected()
		swept = int(rows)
		return err
	})
	return swept, err
}

func (s *Store) sweepSecrets(ctx context.Context, expiredBefore time.Time) (swept int, err error) {
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		expired, err := collect(ctx, reader{tx}, scanID,
			"SELECT id FROM secrets WHERE expires_at < $1 ORDER BY expires_at LIMIT $2", sqldb.Micros(expiredBefore), maxList)
		if err != nil {
			return err
		}
		if swept, err = withList(ctx, tx, "DELETE FROM secrets WHERE id IN (%s)", expired); err != nil {
			return err
		}
		return foldSecrets(ctx, tx, expired)
	})
	return swept, err
}
