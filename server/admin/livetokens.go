package admin

import (
	"github.com/signet-issuer/signet/server/web"
	"github.com/signet-issuer/signet/tokens"
)

// tokenWire describes a live token with its claims. Times are seconds since 1970, as in the token.
type tokenWire struct {
	JTI          string   `json:"jti"`
	CredentialID string   `json:"credentialId"`
	ClientID     string   `json:"clientId"`
	Scope        string   `json:"scope"`
	Audience     []string `json:"aud"`
	IssuedAt     int64    `json:"iat"`
	ExpiresAt    int64    `json:"exp"`
}

func wireToken(t tokens.LiveToken) tokenWire {
	return tokenWire{
		JTI: t.JTI, CredentialID: t.CredentialID.String(), ClientID: t.ClientID, Scope: t.Scope,
		Audience: t.Audience, IssuedAt: t.IssuedAt.Unix(), ExpiresAt: t.ExpiresAt.Unix(),
	}
}

func (a *api) listTokens(c *call) error {
	q, err := c.page()
	if err != nil {
		return err
	}
	found, err := a.registry.List(c.r.Context(), c.by, c.account())
	if err != nil {
		return err
	}
	first := min(q.Offset, len(found))
	return c.list(listOf(found[first:min(first+q.Limit, len(found))], len(found), wireToken))
}

func (a *api) revokeTokens(c *call) error {
	if err := a.accounts.RevokeTokens(c.r.Context(), c.by, c.account()); err != nil {
		return err
	}
	return c.done()
}

func (a *api) revokeToken(c *call) error {
	if err := a.registry.Revoke(c.r.Context(), c.by, c.account(), web.Var(c.r, "jti")); err != nil {
		return err
	}
	return c.done()
}
