package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/sqldb"
)

var serviceAccounts = noun[accounts.ServiceAccount]{
	what:  accounts.WhatAccount,
	table: "service_accounts a",
	joins: `JOIN orgs o ON o.id = a.org_id
		LEFT JOIN last_uses u ON u.id = (SELECT l.id FROM last_uses l WHERE l.account_id = a.id ORDER BY l.used_at DESC, l.id LIMIT 1)`,
	alias: "a",
	columns: `a.id, a.org_id, o.slug, a.slug, a.name, a.description, a.role,
		(SELECT string_agg(m.group_id, ' ') FROM group_members m WHERE m.account_id = a.id),
		a.scopes, a.token_lifetime, a.tags, a.disabled, a.gen, a.version,
		u.used_at, u.addr, u.user_agent,
		(SELECT k.expires_at FROM credentials k WHERE k.account_id = a.id AND k.kind = 'token' ORDER BY k.is_primary DESC, k.id LIMIT 1),
		` + stampOf("a"),
	total: "SELECT COALESCE(max(account_count), 0) FROM orgs WHERE id = $1",
	scan: func(r row) (a accounts.ServiceAccount, err error) {
		return a, r.Scan(&a.ID, &a.OrgID, &a.OrgSlug, &a.Slug, &a.Name, &a.Description, text(&a.Role), ids(&a.Groups),
			set(&a.Scopes), inSeconds(&a.TokenLifetime), tags(&a.Tags), &a.Disabled, &a.Gen, &a.Version,
			at(&a.LastUse.At), addr(&a.LastUse.Addr), text(&a.LastUse.UserAgent), at(&a.TokenExpiresAt),
			at(&a.CreatedAt), &a.CreatedBy, at(&a.UpdatedAt), &a.UpdatedBy)
	},
}

// Account implements [accounts.AccountReader].
func (r reader) Account(ctx context.Context, orgID uuid.UUID, ref accounts.Ref) (accounts.ServiceAccount, error) {
	where, arg := byRef(ref, "a.org_id = $1 AND a.id = $2", "a.org_id = $1 AND a.slug = $2")
	return serviceAccounts.one(ctx, r, where, orgID, arg)
}

// Accounts implements [accounts.AccountReader].
func (r reader) Accounts(ctx context.Context, orgID uuid.UUID, q accounts.Query) ([]accounts.ServiceAccount, accounts.Page, error) {
	return serviceAccounts.page(ctx, r, q, "a.org_id = $1", orgID)
}

// EnabledOwners implements [accounts.AccountReader].
func (r reader) EnabledOwners(ctx context.Context, orgID uuid.UUID) (int, error) {
	return r.count(ctx, "owners", `SELECT count(*) FROM service_accounts a
		WHERE a.org_id = $1 AND NOT a.disabled AND a.scopes IN ('', '*')
			AND (a.role = $2 OR EXISTS (
				SELECT 1 FROM group_members m JOIN group_roles x ON x.group_id = m.group_id
				WHERE m.account_id = a.id AND x.role = $2))
			AND EXISTS (
				SELECT 1 FROM credentials c
				WHERE c.account_id = a.id AND NOT c.disabled AND c.scopes IN ('', '*') AND c.expires_at IS NULL
					AND (c.kind <> $3 OR EXISTS (
						SELECT 1 FROM secrets s WHERE s.credential_id = c.id AND s.expires_at IS NULL)))`,
		orgID, accounts.RoleOwner, string(accounts.KindSecret))
}

// SlugTaken implements [accounts.AccountReader].
func (r reader) SlugTaken(ctx context.Context, orgID uuid.UUID, slug string) (taken bool, err error) {
	err = r.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM service_accounts WHERE org_id = $1 AND slug = $2)
			OR EXISTS (SELECT 1 FROM tombstones WHERE org_id = $1 AND slug = $2)`, orgID, slug).Scan(&taken)
	if err != nil {
		return false, fmt.Errorf("look for slug: %w", err)
	}
	return taken, nil
}

// InsertAccount implements [accounts.AccountWriter].
func (t *tx) InsertAccount(ctx context.Context, a accounts.ServiceAccount) error {
	return t.outcome("service account", t.insertAccount(ctx, a))
}

func (t *tx) insertAccount(ctx context.Context, a accounts.ServiceAccount) error {
	labels, err := tagsText(a.Tags)
	if err != nil {
		return err
	}
	if err := t.refuseDead(ctx, a.OrgID, a.Slug); err != nil {
		return err
	}
	err = t.exec(ctx, `INSERT INTO service_accounts (id, org_id, slug, name, search_text, description, role, scopes,
			token_lifetime, tags, disabled, gen, version, created_at, created_by, updated_at, updated_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
		a.ID, a.OrgID, a.Slug, a.Name, searchText(a.Name, a.Slug), a.Description, nullText(a.Role), a.Scopes.String(),
		int64(a.TokenLifetime/time.Second), labels, a.Disabled, a.Gen, a.Version,
		sqldb.Micros(a.CreatedAt), a.CreatedBy, sqldb.Micros(a.UpdatedAt), a.UpdatedBy)
	if err != nil {
		return err
	}
	err = t.execSome(ctx, accounts.ErrLimit, `UPDATE orgs SET account_count = account_count + 1
		WHERE id = $1 AND (max_accounts IS NULL OR account_count < max_accounts)`, a.OrgID)
	if err != nil {
		return err
	}
	return t.setGroups(ctx, a, nil)
}

// UpdateAccount implements [accounts.AccountWriter].
func (t *tx) UpdateAccount(ctx context.Context, a accounts.ServiceAccount) error {
	return t.outcome("service account", t.updateAccount(ctx, a))
}

func (t *tx) updateAccount(ctx context.Context, a accounts.ServiceAccount) error {
	labels, err := tagsText(a.Tags)
	if err != nil {
		return err
	}
	err = t.execSome(ctx, accounts.ErrConflict, `UPDATE service_accounts SET name = $4, search_text = $5, description = $6,
			role = $7, scopes = $8, token_lifetime = $9, tags = $10, disabled = $11, gen = $12,
			updated_at = $13, updated_by = $14, version = version + 1
		WHERE id = $1 AND org_id = $2 AND version = $3`,
		a.ID, a.OrgID, a.Version, a.Name, searchText(a.Name, a.Slug), a.Description,
		nullText(a.Role), a.Scopes.String(), int64(a.TokenLifetime/time.Second), labels, a.Disabled, a.Gen,
		sqldb.Micros(a.UpdatedAt), a.UpdatedBy)
	if err != nil {
		return err
	}
	now, err := collect(ctx, t.reader, scanID, "SELECT group_id FROM group_members WHERE account_id = $1", a.ID)
	if err != nil {
		return err
	}
	return t.setGroups(ctx, a, now)
}

// setGroups makes the account, a member of the groups that it is in now, one of its own groups alone.
func (t *tx) setGroups(ctx context.Context, a accounts.ServiceAccount, now []uuid.UUID) error {
	left, joined := difference(now, a.Groups), difference(unique(a.Groups), now)
	err := withAll(ctx, t, "UPDATE account_groups SET version = version + 1 WHERE org_id = $1 AND id IN (%s)",
		slices.Concat(left, joined), a.OrgID)
	if err != nil {
		return err
	}
	err = withAll(ctx, t, "DELETE FROM group_members WHERE account_id = $1 AND group_id IN (%s)", left, a.ID)
	if err != nil {
		return err
	}
	return withAll(ctx, t, `INSERT INTO group_members (group_id, account_id)
		SELECT g.id, CAST($1 AS TEXT) FROM account_groups g WHERE g.id IN (%s)`, joined, a.ID)
}

// DeleteAccount implements [accounts.AccountWriter].
func (t *tx) DeleteAccount(ctx context.Context, orgID, id uuid.UUID, when time.Time) error {
	return t.outcome("service account", t.deleteAccount(ctx, orgID, id, when))
}

func (t *tx) deleteAccount(ctx context.Context, orgID, id uuid.UUID, when time.Time) error {
	account, err := t.Account(ctx, orgID, accounts.ByID(id))
	if err != nil {
		return err
	}
	for _, statement := range []string{
		`UPDATE account_groups SET version = version + 1
			WHERE org_id = $1 AND id IN (SELECT m.group_id FROM group_members m WHERE m.account_id = $2)`,
		"DELETE FROM service_accounts WHERE org_id = $1 AND id = $2",
	} {
		if err := t.exec(ctx, statement, orgID, id); err != nil {
			return err
		}
	}
	if err := t.exec(ctx, "UPDATE orgs SET account_count = account_count - 1 WHERE id = $1", orgID); err != nil {
		return err
	}
	return t.bury(ctx, tombstone{org: orgID, slug: account.Slug, object: id, at: when})
}
