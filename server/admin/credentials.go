package admin

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/server/web"
)

type credentialWire struct {
	ID            string   `json:"id"`
	ClientID      string   `json:"clientId"`
	Kind          string   `json:"kind"`
	Name          string   `json:"name"`
	Description   string   `json:"description"`
	Scopes        []string `json:"scopes"`
	AllowedCIDRs  []string `json:"allowedCidrs"`
	ExpiresAt     *string  `json:"expiresAt"`
	Disabled      bool     `json:"disabled"`
	Primary       bool     `json:"primary"`
	LastUsedAt    *string  `json:"lastUsedAt"`
	LastUsedKnown bool     `json:"lastUsedKnown"`
	stamp
}

func wireCredential(k accounts.Credential) credentialWire {
	return credentialWire{
		ID: k.ID.String(), ClientID: k.ClientID, Kind: string(k.Kind), Name: k.Name, Description: k.Description,
		Scopes: k.Scopes.Patterns(), AllowedCIDRs: wires(k.AllowedCIDRs, netip.Prefix.String),
		ExpiresAt: optionalTime(k.ExpiresAt), Disabled: k.Disabled, Primary: k.Primary,
		LastUsedAt: optionalTime(k.LastUse.At), LastUsedKnown: !k.LastUse.Unknown,
		stamp: wireStamp(k.Stamp, k.Version),
	}
}

// shown is a secret or token in the only answer that has it, or the statement that an earlier
// one had it.
type shown struct {
	ClientSecret       string `json:"clientSecret,omitzero"`
	Token              string `json:"token,omitzero"`
	SecretAlreadyShown bool   `json:"secretAlreadyShown,omitzero"`
}

func show(kind accounts.Kind, value secret.Text) shown {
	if kind == accounts.KindToken {
		return shown{Token: value.Reveal()}
	}
	return shown{ClientSecret: value.Reveal()}
}

type issuedCredential struct {
	credentialWire
	shown
}

func wireIssuedCredential(made accounts.IssuedCredential) issuedCredential {
	answer := issuedCredential{credentialWire: wireCredential(made.Credential), shown: show(made.Credential.Kind, made.Secret)}
	if made.Repeated {
		answer.shown = shown{SecretAlreadyShown: true}
	}
	return answer
}

type newCredential struct {
	Kind         string               `json:"kind"`
	Name         string               `json:"name"`
	Description  string               `json:"description"`
	Scopes       []string             `json:"scopes"`
	AllowedCIDRs []string             `json:"allowedCidrs"`
	ExpiresAt    web.Field[time.Time] `json:"expiresAt"`
}

func (n newCredential) domain(once accounts.Once) (accounts.NewCredential, error) {
	var bad fieldErrors
	in := accounts.NewCredential{
		Kind: accounts.Kind(n.Kind), Name: n.Name, Description: n.Description,
		Scopes: bad.set("scopes", n.Scopes), AllowedCIDRs: bad.cidrs("allowedCidrs", n.AllowedCIDRs),
		ExpiresAt: bad.expiry("expiresAt", n.ExpiresAt).Value, Once: once,
	}
	return in, bad.err()
}

type credentialPatch struct {
	Name         web.Field[string]    `json:"name"`
	Description  web.Field[string]    `json:"description"`
	Scopes       web.Field[[]string]  `json:"scopes"`
	AllowedCIDRs web.Field[[]string]  `json:"allowedCidrs"`
	ExpiresAt    web.Field[time.Time] `json:"expiresAt"`
	Disabled     web.Field[bool]      `json:"disabled"`
}

func (p credentialPatch) domain(ifVersion *int64) (accounts.CredentialPatch, error) {
	var bad fieldErrors
	patch := accounts.CredentialPatch{
		Name:         present(&bad, "name", p.Name),
		Description:  clearable(p.Description),
		Scopes:       converted(p.Scopes, func(texts []string) authz.Set { return bad.set("scopes", texts) }),
		AllowedCIDRs: converted(p.AllowedCIDRs, func(texts []string) []netip.Prefix { return bad.cidrs("allowedCidrs", texts) }),
		ExpiresAt:    bad.expiry("expiresAt", p.ExpiresAt),
		Disabled:     present(&bad, "disabled", p.Disabled),
		IfVersion:    ifVersion,
	}
	return patch, bad.err()
}

func (a *api) listCredentials(c *call) error {
	q, err := c.page()
	if err != nil {
		return err
	}
	found, page, err := a.accounts.Credentials(c.r.Context(), c.by, c.account(), q)
	if err != nil {
		return err
	}
	return c.list(listOf(found, page.Total, wireCredential))
}

func (a *api) createCredential(c *call) error {
	in, err := readNew[newCredential](c)
	if err != nil {
		return err
	}
	made, err := a.accounts.CreateCredential(c.r.Context(), c.by, c.account(), in)
	if err != nil {
		return err
	}
	return c.made(http.StatusCreated, made.Credential.Version, made.Repeated, wireIssuedCredential(made))
}

func (a *api) getCredential(c *call) error {
	found, err := a.accounts.Credential(c.r.Context(), c.by, c.account(), c.id("credential"))
	if err != nil {
		return err
	}
	return c.object(http.StatusOK, found.Version, wireCredential(found))
}

func (a *api) updateCredential(c *call) error {
	patch, err := readPatch[credentialPatch](c)
	if err != nil {
		return err
	}
	changed, err := a.accounts.UpdateCredential(c.r.Context(), c.by, c.account(), c.id("credential"), patch)
	if err != nil {
		return err
	}
	return c.object(http.StatusOK, changed.Version, wireCredential(changed))
}

func (a *api) deleteCredential(c *call) error {
	return c.remove(func(ifVersion *int64) error {
		return a.accounts.DeleteCredential(c.r.Context(), c.by, c.account(), c.id("credential"), ifVersion)
	})
}
