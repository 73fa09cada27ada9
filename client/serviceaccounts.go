package client

import (
	"context"
	"iter"
	"net/http"
	"time"
)

// ServiceAccount is a machine of an organization.
type ServiceAccount struct {
	ID                   string     `json:"id"`
	UserID               string     `json:"userId"` // the sub of its tokens
	OrgSlug              string     `json:"orgSlug"`
	Slug                 string     `json:"slug"`
	Name                 string     `json:"name"`
	Description          string     `json:"description"`
	RoleSlug             *string    `json:"roleSlug"`
	Scopes               []string   `json:"scopes"`
	Disabled             bool       `json:"disabled"`
	LastUsedAt           *time.Time `json:"lastUsedAt"`
	LastUsedKnown        bool       `json:"lastUsedKnown"` // false: LastUsedAt cannot be known at the moment
	Groups               []string   `json:"groups"`
	TokenLifetimeSeconds *int64     `json:"tokenLifetimeSeconds"` // nil: the server's default
	Tags                 []Tag      `json:"tags"`
	Stamp
}

// Tag is a label of the administrator's own.
type Tag struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// CreatedServiceAccount is an account with a new secret, or a new Token where its primary
// credential is of [KindToken]. Neither is ever shown again: the answer to a repetition has
// SecretAlreadyShown instead.
type CreatedServiceAccount struct {
	ServiceAccount
	ClientID           string `json:"clientId"`
	CredentialID       string `json:"credentialId"`
	ClientSecret       string `json:"clientSecret"`
	Token              string `json:"token"`
	SecretAlreadyShown bool   `json:"secretAlreadyShown"`
}

// RotatedServiceAccount is an account with its new secret.
type RotatedServiceAccount struct {
	CreatedServiceAccount
	PreviousSecretExpiresAt *time.Time `json:"previousSecretExpiresAt"` // nil: the older ones have ended
}

// NewServiceAccount describes a service account to create. Without a role it gets the
// organization's default role.
type NewServiceAccount struct {
	Slug                 string   `json:"slug"`
	Name                 string   `json:"name"`
	RoleSlug             string   `json:"roleSlug,omitzero"`
	Description          string   `json:"description,omitzero"`
	Scopes               []string `json:"scopes,omitzero"`
	Groups               []string `json:"groups,omitzero"`
	TokenLifetimeSeconds int64    `json:"tokenLifetimeSeconds,omitzero"`
	Tags                 []Tag    `json:"tags,omitzero"`
}

// ServiceAccountPatch changes a service account.
type ServiceAccountPatch struct {
	Name                 Change[string]   `json:"name,omitzero"`
	Description          Change[string]   `json:"description,omitzero"`
	RoleSlug             Change[string]   `json:"roleSlug,omitzero"`
	Scopes               Change[[]string] `json:"scopes,omitzero"`
	Groups               Change[[]string] `json:"groups,omitzero"`
	TokenLifetimeSeconds Change[int64]    `json:"tokenLifetimeSeconds,omitzero"`
	Tags                 Change[[]Tag]    `json:"tags,omitzero"`
	Disabled             Change[bool]     `json:"disabled,omitzero"`
}

func accountPath(org, account string, more ...string) string {
	return orgPath(org, append([]string{"service-accounts", account}, more...)...)
}

// ServiceAccounts yields the accounts whose name or slug contains search.
func (c *Client) ServiceAccounts(ctx context.Context, org, search string) iter.Seq2[ServiceAccount, error] {
	return pages[ServiceAccount](ctx, c, orgPath(org, "service-accounts"), search)
}

// CreateServiceAccount makes an account with its first secret.
func (c *Client) CreateServiceAccount(ctx context.Context, org string, in NewServiceAccount, options ...Option) (CreatedServiceAccount, error) {
	var made CreatedServiceAccount
	err := c.call(ctx, http.MethodPost, orgPath(org, "service-accounts"), in, &made, options)
	return made, err
}

// ServiceAccount returns an account.
func (c *Client) ServiceAccount(ctx context.Context, org, account string) (ServiceAccount, error) {
	var found ServiceAccount
	err := c.call(ctx, http.MethodGet, accountPath(org, account), nil, &found, nil)
	return found, err
}

// UpdateServiceAccount changes an account. Disabling it ends its tokens; enabling it revives none.
func (c *Client) UpdateServiceAccount(ctx context.Context, org, account string, patch ServiceAccountPatch, options ...Option) (ServiceAccount, error) {
	var changed ServiceAccount
	err := c.call(ctx, http.MethodPatch, accountPath(org, account), patch, &changed, options)
	return changed, err
}

// DeleteServiceAccount removes an account with its credentials.
func (c *Client) DeleteServiceAccount(ctx context.Context, org, account string, options ...Option) error {
	return c.delete(ctx, accountPath(org, account), options)
}

// RotateServiceAccount replaces the secret of the account's primary credential. The older
// ones work for overlap longer, in whole seconds; without, they and their tokens end.
func (c *Client) RotateServiceAccount(ctx context.Context, org, account string, overlap time.Duration, options ...Option) (RotatedServiceAccount, error) {
	in := struct {
		OverlapSeconds int64 `json:"overlapSeconds"`
	}{int64(overlap / time.Second)}
	var made RotatedServiceAccount
	err := c.call(ctx, http.MethodPost, accountPath(org, account, "rotate"), in, &made, options)
	return made, err
}
