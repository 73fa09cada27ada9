package admin

import (
	"net/http"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/server/web"
)

type roleWire struct {
	ID          string   `json:"id"`
	Slug        string   `json:"slug"`
	Name        string   `json:"name"`
	Permissions []string `json:"permissions"`
	Delegable   bool     `json:"delegable"`
	BuiltIn     bool     `json:"builtIn"`
	stamp
}

func wireRole(r accounts.Role) roleWire {
	return roleWire{
		ID: r.ID.String(), Slug: r.Slug, Name: r.Name, Permissions: r.Permissions.Patterns(),
		Delegable: r.Delegable, BuiltIn: r.BuiltIn, stamp: wireStamp(r.Stamp, r.Version),
	}
}

type roleList struct {
	list[roleWire]
	DefaultRole string `json:"defaultRole"`
}

type newRole struct {
	Slug        string   `json:"slug"`
	Name        string   `json:"name"`
	Permissions []string `json:"permissions"`
	Delegable   bool     `json:"delegable"`
}

func (n newRole) domain(once accounts.Once) (accounts.NewRole, error) {
	var bad fieldErrors
	in := accounts.NewRole{
		Slug: n.Slug, Name: n.Name, Permissions: bad.set("permissions", n.Permissions),
		Delegable: n.Delegable, Once: once,
	}
	return in, bad.err()
}

type rolePatch struct {
	Name        web.Field[string]   `json:"name"`
	Permissions web.Field[[]string] `json:"permissions"`
	Delegable   web.Field[bool]     `json:"delegable"`
}

func (p rolePatch) domain(ifVersion *int64) (accounts.RolePatch, error) {
	var bad fieldErrors
	patch := accounts.RolePatch{
		Name:        present(&bad, "name", p.Name),
		Permissions: converted(p.Permissions, func(texts []string) authz.Set { return bad.set("permissions", texts) }),
		Delegable:   present(&bad, "delegable", p.Delegable),
		IfVersion:   ifVersion,
	}
	return patch, bad.err()
}

func (c *call) role() accounts.Ref { return accounts.ParseRef(roleName(web.Var(c.r, "role"))) }

func (a *api) listRoles(c *call) error {
	q, err := c.page()
	if err != nil {
		return err
	}
	roles, page, standard, err := a.accounts.Roles(c.r.Context(), c.by, c.org(), q)
	if err != nil {
		return err
	}
	return c.list(roleList{list: listOf(roles, page.Total, wireRole), DefaultRole: standard})
}

func (a *api) createRole(c *call) error {
	in, err := readNew[newRole](c)
	if err != nil {
		return err
	}
	made, repeated, err := a.accounts.CreateRole(c.r.Context(), c.by, c.org(), in)
	if err != nil {
		return err
	}
	return c.made(http.StatusCreated, made.Version, repeated, wireRole(made))
}

func (a *api) getRole(c *call) error {
	found, err := a.accounts.Role(c.r.Context(), c.by, c.org(), c.role())
	if err != nil {
		return err
	}
	return c.object(http.StatusOK, found.Version, wireRole(found))
}

func (a *api) updateRole(c *call) error {
	patch, err := readPatch[rolePatch](c)
	if err != nil {
		return err
	}
	changed, err := a.accounts.UpdateRole(c.r.Context(), c.by, c.org(), c.role(), patch)
	if err != nil {
		return err
	}
	return c.object(http.StatusOK, changed.Version, wireRole(changed))
}

func (a *api) deleteRole(c *call) error {
	return c.remove(func(ifVersion *int64) error {
		return a.accounts.DeleteRole(c.r.Context(), c.by, c.org(), c.role(), ifVersion)
	})
}
