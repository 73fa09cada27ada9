package client

import (
	"context"
	"iter"
	"net/http"
)

// Group gives its roles to its members.
type Group struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Roles       []string `json:"roles"`
	Members     []string `json:"members"` // ids of service accounts
	Tags        []Tag    `json:"tags"`
	Stamp
}

// NewGroup describes a group to create.
type NewGroup struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitzero"`
	Roles       []string `json:"roles,omitzero"`
	Members     []string `json:"members,omitzero"`
	Tags        []Tag    `json:"tags,omitzero"`
}

// GroupPatch changes a group.
type GroupPatch struct {
	Name        Change[string]   `json:"name,omitzero"`
	Description Change[string]   `json:"description,omitzero"`
	Roles       Change[[]string] `json:"roles,omitzero"`
	Members     Change[[]string] `json:"members,omitzero"`
	Tags        Change[[]Tag]    `json:"tags,omitzero"`
}

// Groups yields the groups whose name contains search.
func (c *Client) Groups(ctx context.Context, org, search string) iter.Seq2[Group, error] {
	return pages[Group](ctx, c, orgPath(org, "groups"), search)
}

// CreateGroup makes a group.
func (c *Client) CreateGroup(ctx context.Context, org string, in NewGroup, options ...Option) (Group, error) {
	var made Group
	err := c.call(ctx, http.MethodPost, orgPath(org, "groups"), in, &made, options)
	return made, err
}

// Group returns a group.
func (c *Client) Group(ctx context.Context, org, id string) (Group, error) {
	var found Group
	err := c.call(ctx, http.MethodGet, orgPath(org, "groups", id), nil, &found, nil)
	return found, err
}

// UpdateGroup changes a group.
func (c *Client) UpdateGroup(ctx context.Context, org, id string, patch GroupPatch, options ...Option) (Group, error) {
	var changed Group
	err := c.call(ctx, http.MethodPatch, orgPath(org, "groups", id), patch, &changed, options)
	return changed, err
}

// DeleteGroup removes a group.
func (c *Client) DeleteGroup(ctx context.Context, org, id string, options ...Option) error {
	return c.delete(ctx, orgPath(org, "groups", id), options)
}
