package admin

import (
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/server/web"
)

type accountWire struct {
	ID                   string         `json:"id"`
	UserID               string         `json:"userId"`
	OrgSlug              string         `json:"orgSlug"`
	Slug                 string         `json:"slug"`
	Name                 string         `json:"name"`
	Description          string         `json:"description"`
	RoleSlug             *string        `json:"roleSlug"`
	Scopes               []string       `json:"scopes"`
	Disabled             bool           `json:"disabled"`
	LastUsedAt           *string        `json:"lastUsedAt"`
	LastUsedKnown        bool           `json:"lastUsedKnown"`
	Groups               []string       `json:"groups"`
	TokenLifetimeSeconds *int64         `json:"tokenLifetimeSeconds"`
	Tags                 []accounts.Tag `json:"tags"`
	stamp
}

func wireAccount(s accounts.ServiceAccount) accountWire {
	return accountWire{
		ID: s.ID.String(), UserID: s.UserID(), OrgSlug: s.OrgSlug, Slug: s.Slug,
		Name: s.Name, Description: s.Description, RoleSlug: optionalText(s.Role), Scopes: s.Scopes.Patterns(),
		Disabled: s.Disabled, LastUsedAt: optionalTime(s.LastUse.At), LastUsedKnown: !s.LastUse.Unknown,
		Groups: idTexts(s.Groups), TokenLifetimeSeconds: optionalSeconds(s.TokenLifetime), Tags: s.Tags,
		stamp: wireStamp(s.Stamp, s.Version),
	}
}

func optionalSeconds(d time.Duration) *int64 {
	if d == 0 {
		return nil
	}
	seconds := int64(d / time.Second)
	return &seconds
}

// issuedAccount is an account with the secret or token that was just made for it. A repetition
// under an idempotency key has neither, and so says nothing of its credential.
type issuedAccount struct {
	accountWire
	ClientID     string `json:"clientId,omitzero"`
	CredentialID string `json:"credentialId,omitzero"`
	shown
}

func wireIssued(made accounts.Issued) issuedAccount {
	if made.Repeated {
		return issuedAccount{accountWire: wireAccount(made.Account), shown: shown{SecretAlreadyShown: true}}
	}
	return issuedAccount{
		accountWire: wireAccount(made.Account), ClientID: made.Credential.ClientID,
		CredentialID: made.Credential.ID.String(), shown: show(made.Credential.Kind, made.Secret),
	}
}

type newAccount struct {
	Slug                 string            `json:"slug"`
	Name                 string            `json:"name"`
	RoleSlug             web.Field[string] `json:"roleSlug"`
	Description          string            `json:"description"`
	Scopes               []string          `json:"scopes"`
	Groups               []string          `json:"groups"`
	TokenLifetimeSeconds *int64            `json:"tokenLifetimeSeconds"`
	Tags                 []accounts.Tag    `json:"tags"`
}

func (n newAccount) domain(once accounts.Once) (accounts.NewAccount, error) {
	var bad fieldErrors
	in := accounts.NewAccount{
		Slug: n.Slug, Name: n.Name, Description: n.Description, Role: bad.text("roleSlug", n.RoleSlug).Value,
		Groups: bad.ids("groups", n.Groups), Scopes: bad.set("scopes", n.Scopes), Tags: n.Tags,
		Credential: &accounts.FirstCredential{}, Once: once,
	}
	if n.Slug == "" {
		bad.add("slug", "is required")
	}
	if n.TokenLifetimeSeconds != nil {
		in.TokenLifetime = positiveSeconds(*n.TokenLifetimeSeconds)
	}
	return in, bad.err()
}

type accountPatch struct {
	Name                 web.Field[string]         `json:"name"`
	Description          web.Field[string]         `json:"description"`
	RoleSlug             web.Field[string]         `json:"roleSlug"`
	Scopes               web.Field[[]string]       `json:"scopes"`
	Groups               web.Field[[]string]       `json:"groups"`
	TokenLifetimeSeconds web.Field[int64]          `json:"tokenLifetimeSeconds"`
	Tags                 web.Field[[]accounts.Tag] `json:"tags"`
	Disabled             web.Field[bool]           `json:"disabled"`
}

func (p accountPatch) domain(ifVersion *int64) (accounts.AccountPatch, error) {
	var bad fieldErrors
	patch := accounts.AccountPatch{
		Name:          present(&bad, "name", p.Name),
		Description:   clearable(p.Description),
		Role:          bad.text("roleSlug", p.RoleSlug),
		Groups:        converted(p.Groups, func(texts []string) []uuid.UUID { return bad.ids("groups", texts) }),
		Scopes:        converted(p.Scopes, func(texts []string) authz.Set { return bad.set("scopes", texts) }),
		TokenLifetime: converted(p.TokenLifetimeSeconds, positiveSeconds),
		Tags:          clearable(p.Tags),
		Disabled:      present(&bad, "disabled", p.Disabled),
		IfVersion:     ifVersion,
	}
	return patch, bad.err()
}

func (a *api) listAccounts(c *call) error {
	q, err := c.page()
	if err != nil {
		return err
	}
	found, page, err := a.accounts.Accounts(c.r.Context(), c.by, c.org(), q)
	if err != nil {
		return err
	}
	return c.list(listOf(found, page.Total, wireAccount))
}

func (a *api) createAccount(c *call) error {
	in, err := readNew[newAccount](c)
	if err != nil {
		return err
	}
	made, err := a.accounts.CreateAccount(c.r.Context(), c.by, c.org(), in)
	if err != nil {
		return err
	}
	return c.made(http.StatusCreated, made.Account.Version, made.Repeated, wireIssued(made))
}

func (a *api) getAccount(c *call) error {
	found, err := a.accounts.Account(c.r.Context(), c.by, c.account())
	if err != nil {
		return err
	}
	return c.object(http.StatusOK, found.Version, wireAccount(found))
}

func (a *api) updateAccount(c *call) error {
	patch, err := readPatch[accountPatch](c)
	if err != nil {
		return err
	}
	changed, err := a.accounts.UpdateAccount(c.r.Context(), c.by, c.account(), patch)
	if err != nil {
		return err
	}
	return c.object(http.StatusOK, changed.Version, wireAccount(changed))
}

func (a *api) deleteAccount(c *call) error {
	return c.remove(func(ifVersion *int64) error {
		return a.accounts.DeleteAccount(c.r.Context(), c.by, c.account(), ifVersion)
	})
}
