package client

import (
	"context"
	"iter"
	"net/http"
)

// Org is an organization.
type Org struct {
	ID                 string   `json:"id"`
	Slug               string   `json:"slug"`
	Name               string   `json:"name"`
	DefaultRole        string   `json:"defaultRole"`
	Audiences          []string `json:"audiences"`
	DefaultAudience    *string  `json:"defaultAudience"`    // nil: {issuer}/orgs/{slug}
	MaxServiceAccounts *int64   `json:"maxServiceAccounts"` // nil: no limit
	Disabled           bool     `json:"disabled"`
	Stamp
}

// NewOrg describes an organization to create.
type NewOrg struct {
	Slug               string   `json:"slug"`
	Name               string   `json:"name"`
	DefaultRole        string   `json:"defaultRole,omitzero"`
	Audiences          []string `json:"audiences,omitzero"`
	DefaultAudience    string   `json:"defaultAudience,omitzero"`
	MaxServiceAccounts *int64   `json:"maxServiceAccounts,omitzero"`
}

// OrgPatch changes an organization.
type OrgPatch struct {
	Name               Change[string]   `json:"name,omitzero"`
	DefaultRole        Change[string]   `json:"defaultRole,omitzero"`
	Audiences          Change[[]string] `json:"audiences,omitzero"`
	DefaultAudience    Change[string]   `json:"defaultAudience,omitzero"`
	MaxServiceAccounts Change[int64]    `json:"maxServiceAccounts,omitzero"`
	Disabled           Change[bool]     `json:"disabled,omitzero"`
}

func orgPath(org string, more ...string) string {
	return path(append([]string{"v2", "orgs", org}, more...)...)
}

// Orgs yields the organizations whose name or slug contains search.
func (c *Client) Orgs(ctx context.Context, search string) iter.Seq2[Org, error] {
	return pages[Org](ctx, c, "/v2/orgs", search)
}

// CreateOrg makes an organization.
func (c *Client) CreateOrg(ctx context.Context, in NewOrg, options ...Option) (Org, error) {
	var made Org
	err := c.call(ctx, http.MethodPost, "/v2/orgs", in, &made, options)
	return made, err
}

// Org returns an organization.
func (c *Client) Org(ctx context.Context, org string) (Org, error) {
	var found Org
	err := c.call(ctx, http.MethodGet, orgPath(org), nil, &found, nil)
	return found, err
}

// UpdateOrg changes an organization.
func (c *Client) UpdateOrg(ctx context.Context, org string, patch OrgPatch, options ...Option) (Org, error) {
	var changed Org
	err := c.call(ctx, http.MethodPatch, orgPath(org), patch, &changed, options)
	return changed, err
}

// DeleteOrg removes an organization with everything in it.
func (c *Client) DeleteOrg(ctx context.Context, org string, options ...Option) error {
	return c.delete(ctx, orgPath(org), options)
}
