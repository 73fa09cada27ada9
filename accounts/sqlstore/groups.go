package sqlstore

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/sqldb"
)

var groups = noun[accounts.Group]{
	what:  accounts.WhatGroup,
	table: "account_groups g",
	alias: "g",
	columns: `g.id, g.org_id, g.name, g.description,
		(SELECT string_agg(x.role, ' ') FROM group_roles x WHERE x.group_id = g.id),
		(SELECT string_agg(r.id, ' ') FROM group_roles x JOIN roles r ON r.org_id = x.org_id AND r.slug = x.role WHERE x.group_id = g.id),
		(SELECT string_agg(m.account_id, ' ') FROM group_members m WHERE m.group_id = g.id),
		g.tags, g.version, ` + stampOf("g"),
	scan: func(r row) (g accounts.Group, err error) {
		return g, r.Scan(&g.ID, &g.OrgID, &g.Name, &g.Description, words(&g.Roles), ids(&g.RoleIDs), ids(&g.Members), tags(&g.Tags), &g.Version,
			at(&g.CreatedAt), &g.CreatedBy, at(&g.UpdatedAt), &g.UpdatedBy)
	},
}

// Group implements [accounts.GroupReader].
func (r reader) Group(ctx context.Context, orgID, id uuid.UUID) (accounts.Group, error) {
	return groups.one(ctx, r, "g.org_id = $1 AND g.id = $2", orgID, id)
}

// Groups implements [accounts.GroupReader].
func (r reader) Groups(ctx context.Context, orgID uuid.UUID, q accounts.Query) ([]accounts.Group, accounts.Page, error) {
	return groups.page(ctx, r, q, "g.org_id = $1", orgID)
}

// MostGroups implements [accounts.GroupReader].
func (r reader) MostGroups(ctx context.Context, groupID uuid.UUID) (int, error) {
	return r.count(ctx, "groups of members", `SELECT COALESCE(max(n), 0) FROM (
		SELECT count(*) AS n FROM group_members m JOIN group_members x ON x.account_id = m.account_id
		WHERE m.group_id = $1 GROUP BY m.account_id) counts`, groupID)
}

// MostMembers implements [accounts.GroupReader].
func (r reader) MostMembers(ctx context.Context, accountID uuid.UUID) (int, error) {
	return r.count(ctx, "members of groups", `SELECT COALESCE(max(n), 0) FROM (
		SELECT count(*) AS n FROM group_members m JOIN group_members x ON x.group_id = m.group_id
		WHERE m.account_id = $1 GROUP BY m.group_id) counts`, accountID)
}

// InsertGroup implements [accounts.GroupWriter].
func (t *tx) InsertGroup(ctx context.Context, g accounts.Group) error {
	return t.outcome("group", t.insertGroup(ctx, g))
}

func (t *tx) insertGroup(ctx context.Context, g accounts.Group) error {
	labels, err := tagsText(g.Tags)
	if err != nil {
		return err
	}
	err = t.exec(ctx, `INSERT INTO account_groups (id, org_id, name, search_text, description, tags, version,
			created_at, created_by, updated_at, updated_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		g.ID, g.OrgID, g.Name, searchText(g.Name), g.Description, labels, g.Version,
		sqldb.Micros(g.CreatedAt), g.CreatedBy, sqldb.Micros(g.UpdatedAt), g.UpdatedBy)
	if err != nil {
		return err
	}
	return t.fillGroup(ctx, g, nil)
}

// UpdateGroup implements [accounts.GroupWriter].
func (t *tx) UpdateGroup(ctx context.Context, g accounts.Group) error {
	return t.outcome("group", t.updateGroup(ctx, g))
}

func (t *tx) updateGroup(ctx context.Context, g accounts.Group) error {
	labels, err := tagsText(g.Tags)
	if err != nil {
		return err
	}
	err = t.execSome(ctx, accounts.ErrConflict, `UPDATE account_groups SET name = $4, search_text = $5, description = $6, tags = $7,
			updated_at = $8, updated_by = $9, version = version + 1
		WHERE id = $1 AND org_id = $2 AND version = $3`,
		g.ID, g.OrgID, g.Version, g.Name, searchText(g.Name), g.Description, labels, sqldb.Micros(g.UpdatedAt), g.UpdatedBy)
	if err != nil {
		return err
	}
	if err := t.exec(ctx, "DELETE FROM group_roles WHERE group_id = $1", g.ID); err != nil {
		return err
	}
	now, err := collect(ctx, t.reader, scanID, "SELECT account_id FROM group_members WHERE group_id = $1", g.ID)
	if err != nil {
		return err
	}
	return t.fillGroup(ctx, g, now)
}

// fillGroup gives a group without roles its own, and makes its members, who they are now, those of g.
func (t *tx) fillGroup(ctx context.Context, g accounts.Group, now []uuid.UUID) error {
	err := withAll(ctx, t, `INSERT INTO group_roles (group_id, org_id, role)
		SELECT CAST($1 AS TEXT), r.org_id, r.slug FROM roles r WHERE r.org_id = $2 AND r.slug IN (%s)`, unique(g.Roles), g.ID, g.OrgID)
	if err != nil {
		return err
	}
	left, joined := difference(now, g.Members), difference(unique(g.Members), now)
	err = withAll(ctx, t, "UPDATE service_accounts SET version = version + 1 WHERE org_id = $1 AND id IN (%s)",
		slices.Concat(left, joined), g.OrgID)
	if err != nil {
		return err
	}
	err = withAll(ctx, t, "DELETE FROM group_members WHERE group_id = $1 AND account_id IN (%s)", left, g.ID)
	if err != nil {
		return err
	}
	return withAll(ctx, t, `INSERT INTO group_members (group_id, account_id)
		SELECT CAST($1 AS TEXT), a.id FROM service_accounts a WHERE a.id IN (%s)`, joined, g.ID)
}

// DeleteGroup implements [accounts.GroupWriter].
func (t *tx) DeleteGroup(ctx context.Context, orgID, id uuid.UUID) error {
	err := t.exec(ctx, `UPDATE service_accounts SET version = version + 1
		WHERE org_id = $1 AND id IN (SELECT account_id FROM group_members WHERE group_id = $2)`, orgID, id)
	if err == nil {
		err = t.execSome(ctx, &accounts.NotFoundError{What: accounts.WhatGroup}, "DELETE FROM account_groups WHERE org_id = $1 AND id = $2", orgID, id)
	}
	return t.outcome("group", err)
}
