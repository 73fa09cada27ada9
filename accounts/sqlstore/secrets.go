package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/sqldb"
)

// Secrets implements [accounts.SecretReader].
func (r reader) Secrets(ctx context.Context, credentialID uuid.UUID) ([]accounts.Secret, error) {
	list, err := collect(ctx, r, scanSecret, `SELECT s.id, s.credential_id, s.seq, s.hint, s.created_at, s.expires_at,
			u.used_at, u.addr, u.user_agent
		FROM secrets s LEFT JOIN last_uses u ON u.id = s.id
		WHERE s.credential_id = $1 ORDER BY s.seq`, credentialID)
	if err != nil {
		return nil, fmt.Errorf("list secrets: %w", err)
	}
	return list, nil
}

func scanSecret(r row) (s accounts.Secret, err error) {
	return s, r.Scan(&s.ID, &s.CredentialID, &s.Seq, &s.Hint, at(&s.CreatedAt), at(&s.ExpiresAt),
		at(&s.LastUse.At), addr(&s.LastUse.Addr), text(&s.LastUse.UserAgent))
}

// InsertSecret implements [accounts.SecretWriter].
func (t *tx) InsertSecret(ctx context.Context, s accounts.Secret, hash accounts.Hash) error {
	return refused("secret", t.atomic(ctx, func() error {
		return t.exec(ctx, `INSERT INTO secrets (id, credential_id, seq, hash, pepper, hint, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			s.ID, s.CredentialID, s.Seq, hash.Sum, hash.Pepper, s.Hint, sqldb.Micros(s.CreatedAt), sqldb.NullMicros(s.ExpiresAt))
	}))
}

// ExpireSecret implements [accounts.SecretWriter].
func (t *tx) ExpireSecret(ctx context.Context, credentialID, id uuid.UUID, when time.Time) error {
	return refused("secret", t.execSome(ctx, accounts.ErrNotFound,
		"UPDATE secrets SET expires_at = $3 WHERE credential_id = $1 AND id = $2", credentialID, id, sqldb.NullMicros(when)))
}

// DeleteSecret implements [accounts.SecretWriter].
func (t *tx) DeleteSecret(ctx context.Context, credentialID, id uuid.UUID) error {
	return refused("secret", t.atomic(ctx, func() error {
		err := t.execSome(ctx, accounts.ErrNotFound, "DELETE FROM secrets WHERE credential_id = $1 AND id = $2", credentialID, id)
		if err != nil {
			return err
		}
		return foldSecret(ctx, t.db, id)
	}))
}

// Peppers implements [accounts.SecretReader].
func (r reader) Peppers(ctx context.Context) ([]accounts.SealedPepper, error) {
	list, err := collect(ctx, r, scanPepper, "SELECT number, sealed, created_at FROM peppers ORDER BY number")
	if err != nil {
		return nil, fmt.Errorf("list peppers: %w", err)
	}
	return list, nil
}

func scanPepper(r row) (p accounts.SealedPepper, err error) {
	return p, r.Scan(&p.Number, &p.Sealed, at(&p.CreatedAt))
}

// InsertPepper implements [accounts.SecretWriter].
func (t *tx) InsertPepper(ctx context.Context, p accounts.SealedPepper) error {
	return refused("pepper", t.atomic(ctx, func() error {
		return t.exec(ctx, "INSERT INTO peppers (number, sealed, created_at) VALUES ($1, $2, $3)",
			p.Number, p.Sealed, sqldb.Micros(p.CreatedAt))
	}))
}
