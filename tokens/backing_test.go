package tokens_test

import (
	"testing"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/tokens"
)

// Every fact that a token rests on, taken away alone, ends it.
func TestI10_BackedBy(t *testing.T) {
	now := time.Unix(1_800_000_000, 0).UTC()
	claims := tokens.Claims{
		Issuer: "https://id.example", Subject: "sa:acme:bot", Audience: []string{"https://api.example", "https://id.example/orgs/acme"},
		ClientID: "client", ExpiresAt: now.Add(time.Minute), Scope: authz.MustSet("api:read"), Org: "acme", Gen: 3, SecretSeq: 2,
	}
	standing := accounts.Standing{
		OrgSlug: "acme", Audiences: []string{"https://api.example"}, AccountSlug: "bot", ClientID: "client", SecretSeq: 2,
		RolePermissions: authz.MustSet("api:*"), Gen: 3,
	}
	if !claims.BackedBy(standing, now) {
		t.Fatal("a token with everything behind it is not backed")
	}
	for name, change := range map[string]func(*tokens.Claims, *accounts.Standing){
		"expired":             func(c *tokens.Claims, _ *accounts.Standing) { c.ExpiresAt = now },
		"org disabled":        func(_ *tokens.Claims, s *accounts.Standing) { s.OrgDisabled = true },
		"account disabled":    func(_ *tokens.Claims, s *accounts.Standing) { s.AccountDisabled = true },
		"credential disabled": func(_ *tokens.Claims, s *accounts.Standing) { s.CredentialDisabled = true },
		"credential expired":  func(_ *tokens.Claims, s *accounts.Standing) { s.CredentialExpiresAt = now },
		"secret expired":      func(_ *tokens.Claims, s *accounts.Standing) { s.SecretExpiresAt = now },
		"generation raised":   func(_ *tokens.Claims, s *accounts.Standing) { s.Gen++ },
		"generation lower":    func(_ *tokens.Claims, s *accounts.Standing) { s.Gen-- },
		"role lowered":        func(_ *tokens.Claims, s *accounts.Standing) { s.RolePermissions = authz.MustSet("api:write") },
		"account narrowed":    func(_ *tokens.Claims, s *accounts.Standing) { s.AccountScopes = authz.MustSet("api:write") },
		"credential narrowed": func(_ *tokens.Claims, s *accounts.Standing) { s.CredentialScopes = authz.MustSet("api:write") },
		"audience taken away": func(_ *tokens.Claims, s *accounts.Standing) { s.Audiences = nil },
		"another's audience":  func(c *tokens.Claims, _ *accounts.Standing) { c.Audience = []string{"https://id.example/orgs/other"} },
		"another client":      func(c *tokens.Claims, _ *accounts.Standing) { c.ClientID = "other" },
		"another secret":      func(c *tokens.Claims, _ *accounts.Standing) { c.SecretSeq = 1 },
		"another account":     func(c *tokens.Claims, _ *accounts.Standing) { c.Subject = "sa:acme:other" },
		"another org":         func(c *tokens.Claims, _ *accounts.Standing) { c.Org = "other" },
	} {
		c, s := claims, standing
		change(&c, &s)
		if c.BackedBy(s, now) {
			t.Errorf("%s: still backed", name)
		}
	}
}
