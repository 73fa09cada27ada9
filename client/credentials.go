package client

import (
	"context"
	"iter"
	"net/http"
	"time"
)

const (
	// KindSecret is a credential with one or more live secrets.
	KindSecret = "secret"
	// KindToken is a credential that is itself a long-lived bearer token.
	KindToken = "token"
)

// Credential is one way for an account to prove itself.
type Credential struct {
	ID            string     `json:"id"`
	ClientID      string     `json:"clientId"`
	Kind          string     `json:"kind"`
	Name          string     `json:"name"`
	Description   string     `json:"description"`
	Scopes        []string   `json:"scopes"`
	AllowedCIDRs  []string   `json:"allowedCidrs"`
	ExpiresAt     *time.Time `json:"expiresAt"`
	Disabled      bool       `json:"disabled"`
	Primary       bool       `json:"primary"`
	LastUsedAt    *time.Time `json:"lastUsedAt"`
	LastUsedKnown bool       `json:"lastUsedKnown"`
	Stamp
}

// CreatedCredential is a new credential with its first secret or its token, by its kind, which
// is never shown again.
type CreatedCredential struct {
	Credential
	ClientSecret       string `json:"clientSecret"`
	Token              string `json:"token"`
	SecretAlreadyShown bool   `json:"secretAlreadyShown"`
}

// NewCredential describes a credential to create. Without an end a token lives 90 days.
type NewCredential struct {
	Kind         string    `json:"kind"`
	Name         string    `json:"name"`
	Description  string    `json:"description,omitzero"`
	Scopes       []string  `json:"scopes,omitzero"`
	AllowedCIDRs []string  `json:"allowedCidrs,omitzero"`
	ExpiresAt    time.Time `json:"expiresAt,omitzero"`
}

// CredentialPatch changes a credential.
type CredentialPatch struct {
	Name         Change[string]    `json:"name,omitzero"`
	Description  Change[string]    `json:"description,omitzero"`
	Scopes       Change[[]string]  `json:"scopes,omitzero"`
	AllowedCIDRs Change[[]string]  `json:"allowedCidrs,omitzero"`
	ExpiresAt    Change[time.Time] `json:"expiresAt,omitzero"`
	Disabled     Change[bool]      `json:"disabled,omitzero"`
}

// Secret describes one secret of a credential, without the secret itself.
type Secret struct {
	ID                string     `json:"id"`
	Hint              string     `json:"hint"` // its last characters
	CreatedAt         time.Time  `json:"createdAt"`
	ExpiresAt         *time.Time `json:"expiresAt"`
	LastUsedAt        *time.Time `json:"lastUsedAt"`
	LastUsedKnown     bool       `json:"lastUsedKnown"`
	LastUsedAddress   *string    `json:"lastUsedAddress"`
	LastUsedUserAgent *string    `json:"lastUsedUserAgent"`
}

// CreatedSecret is a secret in the only answer that shows it.
type CreatedSecret struct {
	Secret
	ClientSecret       string `json:"clientSecret"`
	SecretAlreadyShown bool   `json:"secretAlreadyShown"`
}

// Credentials yields the credentials of an account whose name contains search.
func (c *Client) Credentials(ctx context.Context, org, account, search string) iter.Seq2[Credential, error] {
	return pages[Credential](ctx, c, accountPath(org, account, "credentials"), search)
}

// CreateCredential makes a credential with its first secret or its token.
func (c *Client) CreateCredential(ctx context.Context, org, account string, in NewCredential, options ...Option) (CreatedCredential, error) {
	var made CreatedCredential
	err := c.call(ctx, http.MethodPost, accountPath(org, account, "credentials"), in, &made, options)
	return made, err
}

// Credential returns a credential.
func (c *Client) Credential(ctx context.Context, org, account, id string) (Credential, error) {
	var found Credential
	err := c.call(ctx, http.MethodGet, accountPath(org, account, "credentials", id), nil, &found, nil)
	return found, err
}

// UpdateCredential changes a credential. Disabling it ends its tokens; enabling it revives none.
func (c *Client) UpdateCredential(ctx context.Context, org, account, id string, patch CredentialPatch, options ...Option) (Credential, error) {
	var changed Credential
	err := c.call(ctx, http.MethodPatch, accountPath(org, account, "credentials", id), patch, &changed, options)
	return changed, err
}

// DeleteCredential removes a credential with its secrets; its tokens end.
func (c *Client) DeleteCredential(ctx context.Context, org, account, id string, options ...Option) error {
	return c.delete(ctx, accountPath(org, account, "credentials", id), options)
}

// Secrets lists the secrets of a credential, oldest first.
func (c *Client) Secrets(ctx context.Context, org, account, credential string) ([]Secret, error) {
	return whole[Secret](ctx, c, accountPath(org, account, "credentials", credential, "secrets"))
}

// AddSecret gives a credential one more secret. A zero expiry means none.
func (c *Client) AddSecret(ctx context.Context, org, account, credential string, expires time.Time, options ...Option) (CreatedSecret, error) {
	in := struct {
		ExpiresAt time.Time `json:"expiresAt,omitzero"`
	}{expires}
	var made CreatedSecret
	err := c.call(ctx, http.MethodPost, accountPath(org, account, "credentials", credential, "secrets"), in, &made, options)
	return made, err
}

// RetireSecret removes one secret; the tokens that it was traded for end.
func (c *Client) RetireSecret(ctx context.Context, org, account, credential, id string) error {
	return c.delete(ctx, accountPath(org, account, "credentials", credential, "secrets", id), nil)
}
