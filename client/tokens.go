package client

import (
	"context"
	"iter"
	"net/http"
	"time"
)

// Token describes a live token of an account. Times are seconds since 1970.
type Token struct {
	JTI          string   `json:"jti"`
	CredentialID string   `json:"credentialId"`
	ClientID     string   `json:"clientId"`
	Scope        string   `json:"scope"`
	Audience     []string `json:"aud"`
	IssuedAt     int64    `json:"iat"`
	ExpiresAt    int64    `json:"exp"`
}

// IssuedToken is an access token with what it is good for.
type IssuedToken struct {
	AccessToken string    `json:"accessToken"`
	ExpiresAt   time.Time `json:"expiresAt"`
	TokenType   string    `json:"tokenType"`
	Permissions []string  `json:"permissions"` // of the account's roles
	Scopes      []string  `json:"scopes"`      // the account's own restriction
}

// IssueToken trades the secret of an account for a token, without any other authorization. A
// zero lifetime means an hour, if the server allows it.
func (c *Client) IssueToken(ctx context.Context, org, account, clientSecret string, lifetime time.Duration) (IssuedToken, error) {
	in := struct {
		ClientSecret string `json:"clientSecret"`
		ExpiresIn    int64  `json:"expiresIn,omitzero"`
	}{clientSecret, int64(lifetime / time.Second)}
	var issued IssuedToken
	err := c.call(ctx, http.MethodPost, accountPath(org, account, "token"), in, &issued, nil)
	return issued, err
}

// Tokens lists the active tokens of an account that the server knows of, newest first. Tokens
// that are issued while it reads can repeat one.
func (c *Client) Tokens(ctx context.Context, org, account string) iter.Seq2[Token, error] {
	return pages[Token](ctx, c, accountPath(org, account, "tokens"), "")
}

// RevokeTokens ends every token of an account. New ones can be had at once.
func (c *Client) RevokeTokens(ctx context.Context, org, account string) error {
	return c.delete(ctx, accountPath(org, account, "tokens"), nil)
}

// RevokeToken ends one token.
func (c *Client) RevokeToken(ctx context.Context, org, account, jti string) error {
	return c.delete(ctx, accountPath(org, account, "tokens", jti), nil)
}
