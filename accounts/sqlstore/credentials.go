package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/sqldb"
)

var credentials = noun[accounts.Credential]{
	what:  accounts.WhatCredential,
	table: "credentials c",
	joins: `LEFT JOIN last_uses u ON u.id =
		(SELECT l.id FROM last_uses l WHERE l.credential_id = c.id ORDER BY l.used_at DESC, l.id LIMIT 1)`,
	alias: "c",
	columns: `c.id, c.account_id, c.org_id, c.client_id, c.kind, c.shape, c.name, c.description, c.scopes, c.allowed_cidrs,
		c.expires_at, c.disabled, c.is_primary, c.last_seq, c.gen, c.version, u.used_at, u.addr, u.user_agent, ` + stampOf("c"),
	scan: func(r row) (c accounts.Credential, err error) {
		return c, r.Scan(&c.ID, &c.AccountID, &c.OrgID, &c.ClientID, &c.Kind, &c.Shape, &c.Name, &c.Description,
			set(&c.Scopes), prefixes(&c.AllowedCIDRs), at(&c.ExpiresAt), &c.Disabled, &c.Primary, &c.LastSeq, &c.Gen, &c.Version,
			at(&c.LastUse.At), addr(&c.LastUse.Addr), text(&c.LastUse.UserAgent),
			at(&c.CreatedAt), &c.CreatedBy, at(&c.UpdatedAt), &c.UpdatedBy)
	},
}

// Credential implements [accounts.CredentialReader].
func (r reader) Credential(ctx context.Context, accountID, id uuid.UUID) (accounts.Credential, error) {
	return credentials.one(ctx, r, "c.account_id = $1 AND c.id = $2", accountID, id)
}

// Credentials implements [accounts.CredentialReader].
func (r reader) Credentials(ctx context.Context, accountID uuid.UUID, q accounts.Query) ([]accounts.Credential, accounts.Page, error) {
	return credentials.page(ctx, r, q, "c.account_id = $1", accountID)
}

// MainCredential implements [accounts.CredentialReader].
func (r reader) MainCredential(ctx context.Context, accountID uuid.UUID, kind accounts.Kind) (accounts.Credential, error) {
	if kind == "" {
		return credentials.one(ctx, r, "c.account_id = $1 AND c.is_primary", accountID)
	}
	return credentials.one(ctx, r, "c.account_id = $1 AND c.kind = $2 ORDER BY c.is_primary DESC, c.id LIMIT 1", accountID, string(kind))
}

// ClientIDTaken implements [accounts.CredentialReader].
func (r reader) ClientIDTaken(ctx context.Context, clientID string) (taken bool, err error) {
	err = r.db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM credentials WHERE client_id = $1)", clientID).Scan(&taken)
	if err != nil {
		return false, fmt.Errorf("look for client id: %w", err)
	}
	return taken, nil
}

// InsertCredential implements [accounts.CredentialWriter].
func (t *tx) InsertCredential(ctx context.Context, c accounts.Credential) error {
	return t.outcome("credential", t.insertCredential(ctx, c))
}

func (t *tx) insertCredential(ctx context.Context, c accounts.Credential) error {
	// The foreign keys see to account and org alone, not to one belonging to the other.
	var found int
	err := t.db.QueryRowContext(ctx, "SELECT 1 FROM service_accounts WHERE id = $1 AND org_id = $2",
		c.AccountID, c.OrgID).Scan(&found)
	if errors.Is(err, sql.ErrNoRows) {
		return &accounts.NotFoundError{What: accounts.WhatAccount}
	}
	if err != nil {
		return err
	}
	return t.exec(ctx, `INSERT INTO credentials (id, account_id, org_id, client_id, kind, shape, name, search_text, description,
			scopes, allowed_cidrs, expires_at, disabled, is_primary, last_seq, gen, version,
			created_at, created_by, updated_at, updated_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)`,
		c.ID, c.AccountID, c.OrgID, c.ClientID, string(c.Kind), string(c.Shape), c.Name, searchText(c.Name), c.Description,
		c.Scopes.String(), prefixesText(c.AllowedCIDRs), sqldb.NullMicros(c.ExpiresAt), c.Disabled, c.Primary,
		c.LastSeq, c.Gen, c.Version, sqldb.Micros(c.CreatedAt), c.CreatedBy, sqldb.Micros(c.UpdatedAt), c.UpdatedBy)
}

// UpdateCredential implements [accounts.CredentialWriter].
func (t *tx) UpdateCredential(ctx context.Context, c accounts.Credential) error {
	return t.outcome("credential", t.execSome(ctx, accounts.ErrConflict, `UPDATE credentials SET name = $4, search_text = $5,
			description = $6, scopes = $7, allowed_cidrs = $8, expires_at = $9, disabled = $10, is_primary = $11, last_seq = $12,
			gen = $13, updated_at = $14, updated_by = $15, version = version + 1
		WHERE id = $1 AND account_id = $2 AND version = $3`,
		c.ID, c.AccountID, c.Version, c.Name, searchText(c.Name), c.Description,
		c.Scopes.String(), prefixesText(c.AllowedCIDRs), sqldb.NullMicros(c.ExpiresAt), c.Disabled, c.Primary,
		c.LastSeq, c.Gen, sqldb.Micros(c.UpdatedAt), c.UpdatedBy))
}

// DeleteCredential implements [accounts.CredentialWriter].
func (t *tx) DeleteCredential(ctx context.Context, accountID, id uuid.UUID) error {
	err := t.foldCredential(ctx, id)
	if err == nil {
		err = t.execSome(ctx, &accounts.NotFoundError{What: accounts.WhatCredential}, "DELETE FROM credentials WHERE account_id = $1 AND id = $2", accountID, id)
	}
	return t.outcome("credential", err)
}
