package sqlstore

import (
	"context"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/sqldb"
)

var groups = noun[accounts.Group]{
	table: "account_groups g",
	alias: "g",
	columns: `g.id, g.org_id, g.name,
		(SELECT string_agg(x.role, ' ') FROM group_roles x WHERE x.group_id = g.id),
		(SELECT string_agg(m.account_id, ' ') FROM group_members m WHERE m.group_id = g.id),
		g.version, ` + stampOf("g"),
	scan: func(r row) (g accounts.Group, err error) {
		return g, r.Scan(&g.ID, &g.OrgID, &g.Name, words(&g.Roles), ids(&g.Members), &g.Version,
			at(&g.CreatedAt), &g.CreatedBy, at(&g.UpdatedAt), &g.UpdatedBy)
	},
}

// Group implements [accounts.GroupReader].
func (r reader) Group(ctx context.Context, orgID, id uuid.UUID) (accounts.Group, error) {
	return groups.one(ctx, r, "g.org_id = $1 AND g.id = $2", orgID, id)
}

// Groups implements [accounts.GroupReader].
func (r reader) Groups(ctx context.Context, orgID uuid.UUID, q accounts.Query) ([]accounts.Group, int, error) {
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
	return refused("group", t.atomic(ctx, func() error {
		err := t.exec(ctx, `INSERT INTO account_groups (id, org_id, name, search_text, version,
				created_at, created_by, updated_at, updated_by)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			g.ID, g.OrgID, g.Name, searchText(g.Name), g.Version,
			sqldb.Micros(g.CreatedAt), g.CreatedBy, sqldb.Micros(g.UpdatedAt), g.UpdatedBy)
		if err != nil {
			return err
		}
		return t.fillGroup(ctx, g)
	}))
}

// UpdateGroup implements [accounts.GroupWriter].
func (t *tx) UpdateGroup(ctx context.Context, g accounts.Group) error {
	return refused("group", t.atomic(ctx, func() error {
		err := t.execSome(ctx, accounts.ErrConflict, `UPDATE account_groups SET name = $4, search_text = $5,
				updated_at = $6, updated_by = $7, version = version + 1
			WHERE id = $1 AND org_id = $2 AND version = $3`,
			g.ID, g.OrgID, g.Version, g.Name, searchText(g.Name), sqldb.Micros(g.UpdatedAt), g.UpdatedBy)
		if err != nil {
			return err
		}
		if err := t.exec(ctx, "DELETE FROM group_roles WHERE group_id = $1", g.ID); err != nil {
			return err
		}
		return t.fillGroup(ctx, g)
	}))
}

// fillGroup gives a group without roles its own, and makes its members those of g.
func (t *tx) fillGroup(ctx context.Context, g accounts.Group) error {
	for _, role := range unique(g.Roles) {
		err := t.exec(ctx, "INSERT INTO group_roles (group_id, org_id, role) VALUES ($1, $2, $3)", g.ID, g.OrgID, role)
		if err != nil {
			return err
		}
	}
	now, err := collect(ctx, t.reader, scanID, "SELECT account_id FROM group_members WHERE group_id = $1", g.ID)
	if err != nil {
		return err
	}
	for _, account := range difference(now, g.Members) {
		if err := t.leave(ctx, g.ID, account); err != nil {
			return err
		}
		if err := t.touchAccount(ctx, g.OrgID, account); err != nil {
			return err
		}
	}
	for _, account := range difference(unique(g.Members), now) {
		if err := t.touchAccount(ctx, g.OrgID, account); err != nil {
			return err
		}
		if err := t.join(ctx, g.ID, account); err != nil {
			return err
		}
	}
	return nil
}

// DeleteGroup implements [accounts.GroupWriter].
func (t *tx) DeleteGroup(ctx context.Context, orgID, id uuid.UUID) error {
	return refused("group", t.atomic(ctx, func() error {
		err := t.exec(ctx, `UPDATE service_accounts SET version = version + 1
			WHERE org_id = $1 AND id IN (SELECT account_id FROM group_members WHERE group_id = $2)`, orgID, id)
		if err != nil {
			return err
		}
		return t.execSome(ctx, accounts.ErrNotFound, "DELETE FROM account_groups WHERE org_id = $1 AND id = $2", orgID, id)
	}))
}

func (t *tx) join(ctx context.Context, group, account uuid.UUID) error {
	return t.exec(ctx, "INSERT INTO group_members (group_id, account_id) VALUES ($1, $2)", group, account)
}

func (t *tx) leave(ctx context.Context, group, account uuid.UUID) error {
	return t.exec(ctx, "DELETE FROM group_members WHERE group_id = $1 AND account_id = $2", group, account)
}

// touchAccount gives an account of the org a new version.
func (t *tx) touchAccount(ctx context.Context, org, id uuid.UUID) error {
	return t.execSome(ctx, accounts.ErrNotFound,
		"UPDATE service_accounts SET version = version + 1 WHERE org_id = $1 AND id = $2", org, id)
}

// touchGroup gives a group of the org a new version.
func (t *tx) touchGroup(ctx context.Context, org, id uuid.UUID) error {
	return t.execSome(ctx, accounts.ErrNotFound,
		"UPDATE account_groups SET version = version + 1 WHERE org_id = $1 AND id = $2", org, id)
}
