package client

import (
	"context"
	"iter"
	"net/http"
)

// Role is a named set of permissions of one organization.
type Role struct {
	ID          string   `json:"id"`
	Slug        string   `json:"slug"`
	Name        string   `json:"name"`
	Permissions []string `json:"permissions"`
	Delegable   bool     `json:"delegable"`
	BuiltIn     bool     `json:"builtIn"`
	Stamp
}

// NewRole describes a role to create.
type NewRole struct {
	Slug        string   `json:"slug"`
	Name        string   `json:"name"`
	Permissions []string `json:"permissions,omitzero"`
	Delegable   bool     `json:"delegable,omitzero"`
}

// RolePatch changes a role.
type RolePatch struct {
	Name        Change[string]   `json:"name,omitzero"`
	Permissions Change[[]string] `json:"permissions,omitzero"`
	Delegable   Change[bool]     `json:"delegable,omitzero"`
}

// Roles yields the roles whose name or slug contains search.
func (c *Client) Roles(ctx context.Context, org, search string) iter.Seq2[Role, error] {
	return pages[Role](ctx, c, orgPath(org, "roles"), search)
}

// CreateRole makes a role.
func (c *Client) CreateRole(ctx context.Context, org string, in NewRole, options ...Option) (Role, error) {
	var made Role
	err := c.call(ctx, http.MethodPost, orgPath(org, "roles"), in, &made, options)
	return made, err
}

// Role returns a role.
func (c *Client) Role(ctx context.Context, org, role string) (Role, error) {
	var found Role
	err := c.call(ctx, http.MethodGet, orgPath(org, "roles", role), nil, &found, nil)
	return found, err
}

// UpdateRole changes a role.
func (c *Client) UpdateRole(ctx context.Context, org, role string, patch RolePatch, options ...Option) (Role, error) {
	var changed Role
	err := c.call(ctx, http.MethodPatch, orgPath(org, "roles", role), patch, &changed, options)
	return changed, err
}

// DeleteRole removes a role that nobody has.
func (c *Client) DeleteRole(ctx context.Context, org, role string, options ...Option) error {
	return c.delete(ctx, orgPath(org, "roles", role), options)
}
