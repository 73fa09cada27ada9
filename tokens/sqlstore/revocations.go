package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
	"github.com/signet-issuer/signet/internal/sqldb"
	"github.com/signet-issuer/signet/tokens"
)

// Revoke implements [tokens.Store].
func (s *Store) Revoke(ctx context.Context, actor authz.Principal, r tokens.Revocation, event audit.Event) error {
	return translate(s.db.Write(ctx, func(tx *sqldb.Tx) error {
		// A repetition may keep the row longer, never shorter.
		_, err := tx.ExecContext(ctx, `INSERT INTO revoked_tokens (jti, account_id, expires_at, revoked_at)
			VALUES ($1, $2, $3, $4)
			ON CONFLICT (account_id, jti) DO UPDATE SET expires_at = excluded.expires_at
				WHERE revoked_tokens.expires_at < excluded.expires_at`,
			r.JTI, r.AccountID, sqldb.Micros(r.ExpiresAt), sqldb.Micros(r.At))
		if sqldb.IsForeignKey(err) {
			return fmt.Errorf("revoke: the account is %w", accounts.ErrNotFound)
		}
		if err != nil {
			return fmt.Errorf("revoke: %w", err)
		}
		if event.Type == "" {
			return nil
		}
		return audit.Append(ctx, tx, event.By(actor))
	}))
}

// Revoked implements [tokens.Store].
func (s *Store) Revoked(ctx context.Context, jti string, accountID uuid.UUID) (bool, error) {
	rows, err := s.db.QueryContext(ctx,
		"SELECT 1 FROM revoked_tokens WHERE account_id = $1 AND jti = $2", accountID, jti)
	if err != nil {
		return false, translate(fmt.Errorf("read revocation: %w", err))
	}
	defer func() { _ = rows.Close() }()
	revoked := rows.Next()
	if err := rows.Err(); err != nil {
		return false, translate(fmt.Errorf("read revocation: %w", sqldb.Unavailable(err)))
	}
	return revoked, nil
}

// RevokedOf implements [tokens.Store].
func (s *Store) RevokedOf(ctx context.Context, accountID uuid.UUID, now time.Time) ([]string, error) {
	var revoked []string
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		rows, err := tx.QueryContext(ctx,
			"SELECT jti FROM revoked_tokens WHERE account_id = $1 AND expires_at > $2 ORDER BY jti",
			accountID, sqldb.Micros(now))
		if err != nil {
			return fmt.Errorf("list revocations: %w", err)
		}
		defer func() { _ = rows.Close() }()
		revoked, err = scanTexts(rows)
		return err
	})
	return revoked, translate(err)
}

func scanTexts(rows *sql.Rows) ([]string, error) {
	var texts []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, rows.Err()
}

// sweepRows bounds what one transaction of a sweep removes, so that it holds up nobody.
const sweepRows = 1024

// Sweep implements [tokens.Store], on many replicas at a time too. It looks before it writes:
// a write ends what other parts of the process have cached of the database.
func (s *Store) Sweep(ctx context.Context, expiredBefore time.Time) (int, error) {
	work, err := s.sweepable(ctx, expiredBefore)
	if err != nil || !work {
		return 0, translate(err)
	}
	for total := 0; ; {
		swept, err := s.sweepSome(ctx, expiredBefore)
		if err != nil {
			return 0, translate(fmt.Errorf("sweep revocations: %w", err))
		}
		if total += swept; swept < sweepRows {
			return total, nil
		}
	}
}

// sweepSome looks at the end twice, as a revocation may be prolonged between the two.
func (s *Store) sweepSome(ctx context.Context, expiredBefore time.Time) (swept int, err error) {
	err = s.db.Merge(ctx, func(tx *sqldb.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM revoked_tokens WHERE expires_at < $1 AND (account_id, jti) IN
			(SELECT r.account_id, r.jti FROM revoked_tokens r WHERE r.expires_at < $1 LIMIT $2)`, sqldb.Micros(expiredBefore), sweepRows)
		if err != nil {
			return err
		}
		rows, err := result.RowsAffected()
		swept = int(rows)
		return err
	})
	return swept, err
}

func (s *Store) sweepable(ctx context.Context, expiredBefore time.Time) (work bool, err error) {
	err = s.db.Read(ctx, func(tx *sqldb.Tx) error {
		return tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM revoked_tokens WHERE expires_at < $1)",
			sqldb.Micros(expiredBefore)).Scan(&work)
	})
	if err != nil {
		return false, fmt.Errorf("sweep revocations: %w", err)
	}
	return work, nil
}
