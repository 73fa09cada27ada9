package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/sqldb"
)

var noSecret = &accounts.NotFoundError{What: accounts.WhatSecret}

// Secrets implements [accounts.SecretReader].
func (r reader) Secrets(ctx context.Context, credentialID uuid.UUID) ([]accounts.Secret, error) {
	list, err := collect(ctx, r, scanSecret, `SELECT s.id, s.credential_id, s.seq, s.hint, s.gen, s.created_at, s.expires_at,
			u.used_at, u.addr, u.user_agent
		FROM secrets s LEFT JOIN last_uses u ON u.id = s.id
		WHERE s.credential_id = $1 ORDER BY s.seq`, credentialID)
	if err != nil {
		return nil, fmt.Errorf("list secrets: %w", err)
	}
	return list, nil
}

func scanSecret(r row) (s accounts.Secret, err error) {
	return s, r.Scan(&s.ID, &s.CredentialID, &s.Seq, &s.Hint, &s.Gen, at(&s.CreatedAt), at(&s.ExpiresAt),
		at(&s.LastUse.At), addr(&s.LastUse.Addr), text(&s.LastUse.UserAgent))
}

// InsertSecret implements [accounts.SecretWriter].
func (t *tx) InsertSecret(ctx context.Context, s accounts.Secret, hash accounts.Hash) error {
	return t.outcome("secret", t.exec(ctx, `INSERT INTO secrets (id, credential_id, seq, hash, pepper, hint, gen, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		s.ID, s.CredentialID, s.Seq, hash.Sum, hash.Pepper, s.Hint, s.Gen, sqldb.Micros(s.CreatedAt), sqldb.NullMicros(s.ExpiresAt)))
}

// ExpireSecret implements [accounts.SecretWriter].
func (t *tx) ExpireSecret(ctx context.Context, credentialID, id uuid.UUID, when time.Time) error {
	return t.outcome("secret", t.execSome(ctx, noSecret,
		"UPDATE secrets SET expires_at = $3 WHERE credential_id = $1 AND id = $2", credentialID, id, sqldb.NullMicros(when)))
}

// DeleteSecret implements [accounts.SecretWriter].
func (t *tx) DeleteSecret(ctx context.Context, credentialID, id uuid.UUID) error {
	err := t.execSome(ctx, noSecret, "DELETE FROM secrets WHERE credential_id = $1 AND id = $2", credentialID, id)
	if err == nil {
		err = foldSecrets(ctx, t.db, []uuid.UUID{id})
	}
	return t.outcome("secret", err)
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
	return t.outcome("pepper", t.exec(ctx, "INSERT INTO peppers (number, sealed, created_at) VALUES ($1, $2, $3)",
		p.Number, p.Sealed, sqldb.Micros(p.CreatedAt)))
}
