package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/sqldb"
)

var serviceAccounts = noun[accounts.ServiceAccount]{
	table: "service_accounts a",
	joins: `JOIN orgs o ON o.id = a.org_id
		LEFT JOIN last_uses u ON u.id = (SELECT l.id FROM last_uses l WHERE l.account_id = a.id ORDER BY l.used_at DESC, l.id LIMIT 1)`,
	alias: "a",
	columns: `a.id, a.org_id, o.slug, a.slug, a.name, a.description, a.role,
		(SELECT string_agg(m.group_id, ' ') FROM group_members m WHERE m.account_id = a.id),
		a.scopes, a.token_lifetime, a.tags, a.disabled, a.gen, a.version,
		u.used_at, u.addr, u.user_agent, ` + stampOf("a"),
	scan: func(r row) (a accounts.ServiceAccount, err error) {
		return a, r.Scan(&a.ID, &a.OrgID, &a.OrgSlug, &a.Slug, &a.Name, &a.Description, text(&a.Role), ids(&a.Groups),
			set(&a.Scopes), inSeconds(&a.TokenLifetime), tags(&a.Tags), &a.Disabled, &a.Gen, &a.Version,
			at(&a.LastUse.At), addr(&a.LastUse.Addr), text(&a.LastUse.UserAgent),
			at(&a.CreatedAt), &a.CreatedBy, at(&a.UpdatedAt), &a.UpdatedBy)
	},
}

// Account implements [accounts.AccountReader].
func (r reader) Account(ctx context.Context, orgID uuid.UUID, ref accounts.Ref) (accounts.ServiceAccount, error) {
	where, arg := byRef(ref, "a.org_id = $1 AND a.id = $2", "a.org_id = $1 AND a.slug = $2")
	return serviceAccounts.one(ctx, r, where, orgID, arg)
}

// Accounts implements [accounts.AccountReader].
func (r reader) Accounts(ctx context.Context, orgID uuid.UUID, q accounts.Query) ([]accounts.ServiceAccount, int, error) {
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

// InsertAccount implements [accounts.AccountWriter].
func (t *tx) InsertAccount(ctx context.Context, a accounts.ServiceAccount) error {
	labels, err := tagsText(a.Tags)
	if err != nil {
		return fmt.Errorf("service account: %w", err)
	}
	return refused("service account", t.atomic(ctx, func() error {
		if err := t.refuseDead(ctx, a.OrgID, a.Slug); err != nil {
			return err
		}
		err := t.exec(ctx, `INSERT INTO service_accounts (id, org_id, slug, name, search_text, description, role, scopes,
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
		return t.setGroups(ctx, a)
	}))
}

// UpdateAccount implements [accounts.AccountWriter].
func (t *tx) UpdateAccount(ctx context.Context, a accounts.ServiceAccount) error {
	labels, err := tagsText(a.Tags)
	if err != nil {
		return fmt.Errorf("service account: %w", err)
	}
	return refused("service account", t.atomic(ctx, func() error {
		err := t.execSome(ctx, accounts.ErrConflict, `UPDATE service_accounts SET name = $4, search_text = $5, description = $6,
				role = $7, scopes = $8, token_lifetime = $9, tags = $10, disabled = $11, gen = $12,
				updated_at = $13, updated_by = $14, version = version + 1
			WHERE id = $1 AND org_id = $2 AND version = $3`,
			a.ID, a.OrgID, a.Version, a.Name, searchText(a.Name, a.Slug), a.Description,
			nullText(a.Role), a.Scopes.String(), int64(a.TokenLifetime/time.Second), labels, a.Disabled, a.Gen,
			sqldb.Micros(a.UpdatedAt), a.UpdatedBy)
		if err != nil {
			return err
		}
		return t.setGroups(ctx, a)
	}))
}

// setGroups makes the account a member of its groups and of no others.
func (t *tx) setGroups(ctx context.Context, a accounts.ServiceAccount) error {
	now, err := collect(ctx, t.reader, scanID, "SELECT group_id FROM group_members WHERE account_id = $1", a.ID)
	if err != nil {
		return err
	}
	for _, group := range difference(now, a.Groups) {
		if err := t.leave(ctx, group, a.ID); err != nil {
			return err
		}
		if err := t.touchGroup(ctx, a.OrgID, group); err != nil {
			return err
		}
	}
	for _, group := range difference(unique(a.Groups), now) {
		if err := t.touchGroup(ctx, a.OrgID, group); err != nil {
			return err
		}
		if err := t.join(ctx, group, a.ID); err != nil {
			return err
		}
	}
	return nil
}

// DeleteAccount implements [accounts.AccountWriter].
func (t *tx) DeleteAccount(ctx context.Context, orgID, id uuid.UUID, when time.Time) error {
	account, err := t.Account(ctx, orgID, accounts.ByID(id))
	if err != nil {
		return err
	}
	return refused("service account", t.atomic(ctx, func() error {
		for _, group := range account.Groups {
			if err := t.touchGroup(ctx, orgID, group); err != nil {
				return err
			}
		}
		if err := t.exec(ctx, "DELETE FROM service_accounts WHERE org_id = $1 AND id = $2", orgID, id); err != nil {
			return err
		}
		if err := t.exec(ctx, "UPDATE orgs SET account_count = account_count - 1 WHERE id = $1", orgID); err != nil {
			return err
		}
		return t.bury(ctx, tombstone{org: orgID, slug: account.Slug, object: id, at: when})
	}))
}
