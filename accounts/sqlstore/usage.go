package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/sqldb"
)

// keepNewest makes an insert into last_uses an update by maximum.
const keepNewest = ` ON CONFLICT (id) DO UPDATE SET used_at = excluded.used_at, addr = excluded.addr, user_agent = excluded.user_agent
	WHERE excluded.used_at > last_uses.used_at`

// saveUse inserts nothing when the secret is gone. The casts tell PostgreSQL the types.
const saveUse = `INSERT INTO last_uses (id, account_id, credential_id, used_at, addr, user_agent)
	SELECT CAST($3 AS TEXT), c.account_id, c.id, CAST($4 AS BIGINT), CAST($5 AS TEXT), CAST($6 AS TEXT)
	FROM credentials c
	WHERE c.id = $2 AND c.account_id = $1
		AND (c.id = $3 OR EXISTS (SELECT 1 FROM secrets s WHERE s.id = $3 AND s.credential_id = c.id))` + keepNewest

// SaveUsage implements [accounts.Store].
func (s *Store) SaveUsage(ctx context.Context, uses []accounts.Use) error {
	if len(uses) == 0 {
		return nil
	}
	return translate(s.db.Write(ctx, func(tx *sqldb.Tx) error {
		save, err := tx.PrepareContext(ctx, saveUse)
		if err != nil {
			return fmt.Errorf("save usage: %w", err)
		}
		defer func() { _ = save.Close() }()
		for _, use := range uses {
			_, err := save.ExecContext(ctx, use.AccountID, use.CredentialID, use.SecretID,
				sqldb.Micros(use.At), addrText(use.Addr), use.UserAgent)
			if err != nil {
				return fmt.Errorf("save usage: %w", err)
			}
		}
		return nil
	}))
}

// foldSecret leaves the last use of a secret that goes with its credential.
func foldSecret(ctx context.Context, tx *sqldb.Tx, id uuid.UUID) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO last_uses (id, account_id, credential_id, used_at, addr, user_agent)
		SELECT l.credential_id, l.account_id, l.credential_id, l.used_at, l.addr, l.user_agent
		FROM last_uses l WHERE l.id = $1 AND l.credential_id IS NOT NULL`+keepNewest, id)
	if err != nil {
		return fmt.Errorf("keep last use: %w", err)
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM last_uses WHERE id = $1", id); err != nil {
		return fmt.Errorf("keep last use: %w", err)
	}
	return nil
}

// foldCredential leaves the newest use of a credential that goes with its account.
func (t *tx) foldCredential(ctx context.Context, id uuid.UUID) error {
	return t.exec(ctx, `INSERT INTO last_uses (id, account_id, credential_id, used_at, addr, user_agent)
		SELECT l.account_id, l.account_id, NULL, l.used_at, l.addr, l.user_agent
		FROM last_uses l WHERE l.credential_id = $1 ORDER BY l.used_at DESC, l.id LIMIT 1`+keepNewest, id)
}

// Sweep implements [accounts.Store].
func (s *Store) Sweep(ctx context.Context, receiptsBefore, secretsExpiredBefore time.Time) (int, error) {
	work, err := s.sweepable(ctx, receiptsBefore, secretsExpiredBefore)
	if err != nil || !work {
		return 0, translate(err)
	}
	var swept int
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		result, err := tx.ExecContext(ctx, "DELETE FROM receipts WHERE created_at < $1", sqldb.Micros(receiptsBefore))
		if err != nil {
			return fmt.Errorf("sweep receipts: %w", err)
		}
		receipts, err := result.RowsAffected()
		if err != nil {
			return fmt.Errorf("sweep receipts: %w", err)
		}
		secrets, err := sweepSecrets(ctx, tx, secretsExpiredBefore)
		swept = int(receipts) + secrets
		return err
	})
	if err != nil {
		return 0, translate(err)
	}
	return swept, nil
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

func sweepSecrets(ctx context.Context, tx *sqldb.Tx, expiredBefore time.Time) (int, error) {
	expired, err := collect(ctx, reader{tx}, scanID, "SELECT id FROM secrets WHERE expires_at < $1", sqldb.Micros(expiredBefore))
	if err != nil {
		return 0, fmt.Errorf("sweep secrets: %w", err)
	}
	for _, id := range expired {
		if err := foldSecret(ctx, tx, id); err != nil {
			return 0, err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM secrets WHERE id = $1", id); err != nil {
			return 0, fmt.Errorf("sweep secrets: %w", err)
		}
	}
	return len(expired), nil
}
