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

var orgs = noun[accounts.Org]{
	what:  accounts.WhatOrg,
	table: "orgs o",
	alias: "o",
	columns: `o.id, o.slug, o.name, o.default_role,
		(SELECT string_agg(x.audience, ' ') FROM org_audiences x WHERE x.org_id = o.id),
		o.default_audience, o.max_accounts, o.disabled, o.gen, o.version, ` + stampOf("o"),
	scan: func(r row) (o accounts.Org, err error) {
		return o, r.Scan(&o.ID, &o.Slug, &o.Name, &o.DefaultRole, words(&o.Audiences),
			&o.DefaultAudience, &o.MaxServiceAccounts, &o.Disabled, &o.Gen, &o.Version,
			at(&o.CreatedAt), &o.CreatedBy, at(&o.UpdatedAt), &o.UpdatedBy)
	},
}

// Org implements [accounts.OrgReader].
func (r reader) Org(ctx context.Context, ref accounts.Ref) (accounts.Org, error) {
	where, arg := byRef(ref, "o.id = $1", "o.slug = $1")
	return orgs.one(ctx, r, where, arg)
}

// Orgs implements [accounts.OrgReader].
func (r reader) Orgs(ctx context.Context, q accounts.Query) ([]accounts.Org, accounts.Page, error) {
	return orgs.page(ctx, r, q, "TRUE")
}

// AccountIDs implements [accounts.OrgWriter].
func (t *tx) AccountIDs(ctx context.Context, orgID uuid.UUID) ([]uuid.UUID, error) {
	list, err := collect(ctx, t.reader, scanID, "SELECT id FROM service_accounts WHERE org_id = $1 ORDER BY id", orgID)
	if err != nil {
		return nil, fmt.Errorf("list accounts of org: %w", err)
	}
	return list, nil
}

// InsertOrg implements [accounts.OrgWriter].
func (t *tx) InsertOrg(ctx context.Context, o accounts.Org) error {
	return t.outcome("org", t.insertOrg(ctx, o))
}

func (t *tx) insertOrg(ctx context.Context, o accounts.Org) error {
	if err := t.refuseDead(ctx, uuid.Nil, o.Slug); err != nil {
		return err
	}
	err := t.exec(ctx, `INSERT INTO orgs (id, slug, name, search_text, default_role, default_audience, max_accounts,
			account_count, disabled, gen, version, created_at, created_by, updated_at, updated_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10, $11, $12, $13, $14)`,
		o.ID, o.Slug, o.Name, searchText(o.Name, o.Slug), o.DefaultRole, o.DefaultAudience, o.MaxServiceAccounts,
		o.Disabled, o.Gen, o.Version, sqldb.Micros(o.CreatedAt), o.CreatedBy, sqldb.Micros(o.UpdatedAt), o.UpdatedBy)
	if err != nil {
		return err
	}
	return t.insertAudiences(ctx, o)
}

// UpdateOrg implements [accounts.OrgWriter].
func (t *tx) UpdateOrg(ctx context.Context, o accounts.Org) error {
	return t.outcome("org", t.updateOrg(ctx, o))
}

func (t *tx) updateOrg(ctx context.Context, o accounts.Org) error {
	err := t.execSome(ctx, accounts.ErrConflict, `UPDATE orgs SET name = $3, search_text = $4, default_role = $5,
			default_audience = $6, max_accounts = $7, disabled = $8, gen = $9, updated_at = $10, updated_by = $11,
			version = version + 1
		WHERE id = $1 AND version = $2`,
		o.ID, o.Version, o.Name, searchText(o.Name, o.Slug), o.DefaultRole,
		o.DefaultAudience, o.MaxServiceAccounts, o.Disabled, o.Gen, sqldb.Micros(o.UpdatedAt), o.UpdatedBy)
	if err != nil {
		return err
	}
	if err := t.exec(ctx, "DELETE FROM org_audiences WHERE org_id = $1", o.ID); err != nil {
		return err
	}
	return t.insertAudiences(ctx, o)
}

func (t *tx) insertAudiences(ctx context.Context, o accounts.Org) error {
	for part := range slices.Chunk(unique(o.Audiences), maxList/2) {
		args := make([]any, 0, 2*len(part))
		for _, audience := range part {
			args = append(args, audience, o.ID)
		}
		if err := t.exec(ctx, "INSERT INTO org_audiences (audience, org_id) "+valueRows(len(part), "TEXT", "TEXT"), args...); err != nil {
			return err
		}
	}
	return nil
}

// DeleteOrg implements [accounts.OrgWriter].
func (t *tx) DeleteOrg(ctx context.Context, id uuid.UUID, when time.Time) error {
	return t.outcome("org", t.deleteOrg(ctx, id, when))
}

func (t *tx) deleteOrg(ctx context.Context, id uuid.UUID, when time.Time) error {
	org, err := t.Org(ctx, accounts.ByID(id))
	if err != nil {
		return err
	}
	if err := t.db.AllowSlow(ctx); err != nil {
		return err
	}
	for _, statement := range []string{
		// Accounts and groups refer to roles: a cascade from the org alone could meet them in any order.
		"DELETE FROM service_accounts WHERE org_id = $1",
		"DELETE FROM account_groups WHERE org_id = $1",
		"DELETE FROM receipts WHERE org_id = $1",
		"DELETE FROM tombstones WHERE org_id = $1",
		"DELETE FROM orgs WHERE id = $1",
	} {
		if err := t.exec(ctx, statement, id); err != nil {
			return err
		}
	}
	return t.bury(ctx, tombstone{slug: org.Slug, object: id, at: when})
}
