package admin

import (
	"net/http"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/server/web"
)

type orgWire struct {
	ID                 string   `json:"id"`
	Slug               string   `json:"slug"`
	Name               string   `json:"name"`
	DefaultRole        string   `json:"defaultRole"`
	Audiences          []string `json:"audiences"`
	DefaultAudience    *string  `json:"defaultAudience"`
	MaxServiceAccounts *int64   `json:"maxServiceAccounts"`
	Disabled           bool     `json:"disabled"`
	stamp
}

func wireOrg(o accounts.Org) orgWire {
	return orgWire{
		ID: o.ID.String(), Slug: o.Slug, Name: o.Name, DefaultRole: o.DefaultRole, Audiences: o.Audiences,
		DefaultAudience: optionalText(o.DefaultAudience), MaxServiceAccounts: o.MaxServiceAccounts,
		Disabled: o.Disabled, stamp: wireStamp(o.Stamp, o.Version),
	}
}

type newOrg struct {
	Slug               string            `json:"slug"`
	Name               string            `json:"name"`
	DefaultRole        web.Field[string] `json:"defaultRole"`
	Audiences          []string          `json:"audiences"`
	DefaultAudience    web.Field[string] `json:"defaultAudience"`
	MaxServiceAccounts *int64            `json:"maxServiceAccounts"`
}

func (n newOrg) domain(once accounts.Once) (accounts.NewOrg, error) {
	var bad fieldErrors
	in := accounts.NewOrg{
		Slug: n.Slug, Name: n.Name, DefaultRole: roleName(bad.text("defaultRole", n.DefaultRole).Value),
		Audiences: n.Audiences, DefaultAudience: bad.text("defaultAudience", n.DefaultAudience).Value,
		MaxServiceAccounts: n.MaxServiceAccounts, Once: once,
	}
	return in, bad.err()
}

type orgPatch struct {
	Name               web.Field[string]   `json:"name"`
	DefaultRole        web.Field[string]   `json:"defaultRole"`
	Audiences          web.Field[[]string] `json:"audiences"`
	DefaultAudience    web.Field[string]   `json:"defaultAudience"`
	MaxServiceAccounts web.Field[int64]    `json:"maxServiceAccounts"`
	Disabled           web.Field[bool]     `json:"disabled"`
}

func (p orgPatch) domain(ifVersion *int64) (accounts.OrgPatch, error) {
	var bad fieldErrors
	patch := accounts.OrgPatch{
		Name:               present(&bad, "name", p.Name),
		DefaultRole:        present(&bad, "defaultRole", p.DefaultRole),
		Audiences:          clearable(p.Audiences),
		DefaultAudience:    bad.text("defaultAudience", p.DefaultAudience),
		MaxServiceAccounts: converted(p.MaxServiceAccounts, func(n int64) *int64 { return &n }),
		Disabled:           present(&bad, "disabled", p.Disabled),
		IfVersion:          ifVersion,
	}
	patch.DefaultRole.Value = roleName(patch.DefaultRole.Value)
	return patch, bad.err()
}

func (a *api) listOrgs(c *call) error {
	q, err := c.page()
	if err != nil {
		return err
	}
	orgs, page, err := a.accounts.Orgs(c.r.Context(), c.by, q)
	if err != nil {
		return err
	}
	return c.list(listOf(orgs, page.Total, wireOrg))
}

func (a *api) createOrg(c *call) error {
	in, err := readNew[newOrg](c)
	if err != nil {
		return err
	}
	made, repeated, err := a.accounts.CreateOrg(c.r.Context(), c.by, in)
	if err != nil {
		return err
	}
	return c.made(http.StatusCreated, made.Version, repeated, wireOrg(made))
}

func (a *api) getOrg(c *call) error {
	found, err := a.accounts.Org(c.r.Context(), c.by, c.org())
	if err != nil {
		return err
	}
	return c.object(http.StatusOK, found.Version, wireOrg(found))
}

func (a *api) updateOrg(c *call) error {
	patch, err := readPatch[orgPatch](c)
	if err != nil {
		return err
	}
	changed, err := a.accounts.UpdateOrg(c.r.Context(), c.by, c.org(), patch)
	if err != nil {
		return err
	}
	return c.object(http.StatusOK, changed.Version, wireOrg(changed))
}

func (a *api) deleteOrg(c *call) error {
	return c.remove(func(ifVersion *int64) error {
		return a.accounts.DeleteOrg(c.r.Context(), c.by, c.org(), ifVersion)
	})
}
