package sqlstore

import (
	"context"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/sqldb"
)

var roles = noun[accounts.Role]{
	what:    accounts.WhatRole,
	table:   "roles r",
	alias:   "r",
	columns: "r.id, r.org_id, r.slug, r.name, r.permissions, r.delegable, r.built_in, r.version, " + stampOf("r"),
	scan: func(s row) (r accounts.Role, err error) {
		return r, s.Scan(&r.ID, &r.OrgID, &r.Slug, &r.Name, set(&r.Permissions), &r.Delegable, &r.BuiltIn, &r.Version,
			at(&r.CreatedAt), &r.CreatedBy, at(&r.UpdatedAt), &r.UpdatedBy)
	},
}

// Role implements [accounts.RoleReader].
func (r reader) Role(ctx context.Context, orgID uuid.UUID, ref accounts.Ref) (accounts.Role, error) {
	where, arg := byRef(ref, "r.org_id = $1 AND r.id = $2", "r.org_id = $1 AND r.slug = $2")
	return roles.one(ctx, r, where, orgID, arg)
}

// Roles implements [accounts.RoleReader].
func (r reader) Roles(ctx context.Context, orgID uuid.UUID, q accounts.Query) ([]accounts.Role, accounts.Page, error) {
	return roles.page(ctx, r, q, "r.org_id = $1", orgID)
}

// InsertRole implements [accounts.RoleWriter].
func (t *tx) InsertRole(ctx context.Context, r accounts.Role) error {
	return t.outcome("role", t.exec(ctx, `INSERT INTO roles (id, org_id, slug, name, search_text, permissions,
			delegable, built_in, version, created_at, created_by, updated_at, updated_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		r.ID, r.OrgID, r.Slug, r.Name, searchText(r.Name, r.Slug), r.Permissions.String(), r.Delegable, r.BuiltIn, r.Version,
		sqldb.Micros(r.CreatedAt), r.CreatedBy, sqldb.Micros(r.UpdatedAt), r.UpdatedBy))
}

// UpdateRole implements [accounts.RoleWriter].
func (t *tx) UpdateRole(ctx context.Context, r accounts.Role) error {
	return t.outcome("role", t.execSome(ctx, accounts.ErrConflict, `UPDATE roles SET name = $4, search_text = $5,
			permissions = $6, delegable = $7, built_in = $8, updated_at = $9, updated_by = $10, version = version + 1
		WHERE id = $1 AND org_id = $2 AND version = $3`,
		r.ID, r.OrgID, r.Version, r.Name, searchText(r.Name, r.Slug),
		r.Permissions.String(), r.Delegable, r.BuiltIn, sqldb.Micros(r.UpdatedAt), r.UpdatedBy))
}

// DeleteRole implements [accounts.RoleWriter].
func (t *tx) DeleteRole(ctx context.Context, orgID uuid.UUID, slug string) error {
	err := t.execSome(ctx, &accounts.NotFoundError{What: accounts.WhatRole}, "DELETE FROM roles WHERE org_id = $1 AND slug = $2", orgID, slug)
	if sqldb.IsForeignKey(err) {
		err = accounts.ErrInUse
	}
	return t.outcome("role", err)
}
