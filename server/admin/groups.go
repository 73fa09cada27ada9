package admin

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/server/web"
)

type groupWire struct {
	ID          string         `json:"id"`
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Roles       []string       `json:"roles"`
	Members     []string       `json:"members"`
	Tags        []accounts.Tag `json:"tags"`
	stamp
}

func wireGroup(g accounts.Group) groupWire {
	return groupWire{
		ID: g.ID.String(), Name: g.Name, Description: g.Description, Roles: g.Roles, Members: idTexts(g.Members),
		Tags: g.Tags, stamp: wireStamp(g.Stamp, g.Version),
	}
}

type newGroup struct {
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Roles       []string       `json:"roles"`
	Members     []string       `json:"members"`
	Tags        []accounts.Tag `json:"tags"`
}

func (n newGroup) domain(once accounts.Once) (accounts.NewGroup, error) {
	var bad fieldErrors
	in := accounts.NewGroup{
		Name: n.Name, Description: n.Description, Roles: n.Roles, Members: bad.ids("members", n.Members), Tags: n.Tags, Once: once,
	}
	return in, bad.err()
}

type groupPatch struct {
	Name        web.Field[string]         `json:"name"`
	Description web.Field[string]         `json:"description"`
	Roles       web.Field[[]string]       `json:"roles"`
	Members     web.Field[[]string]       `json:"members"`
	Tags        web.Field[[]accounts.Tag] `json:"tags"`
}

func (p groupPatch) domain(ifVersion *int64) (accounts.GroupPatch, error) {
	var bad fieldErrors
	patch := accounts.GroupPatch{
		Name:        present(&bad, "name", p.Name),
		Description: clearable(p.Description),
		Roles:       clearable(p.Roles),
		Members:     converted(p.Members, func(texts []string) []uuid.UUID { return bad.ids("members", texts) }),
		Tags:        clearable(p.Tags),
		IfVersion:   ifVersion,
	}
	return patch, bad.err()
}

func (a *api) listGroups(c *call) error {
	q, err := c.page()
	if err != nil {
		return err
	}
	groups, page, err := a.accounts.Groups(c.r.Context(), c.by, c.org(), q)
	if err != nil {
		return err
	}
	return c.list(listOf(groups, page.Total, wireGroup))
}

func (a *api) createGroup(c *call) error {
	in, err := readNew[newGroup](c)
	if err != nil {
		return err
	}
	made, repeated, err := a.accounts.CreateGroup(c.r.Context(), c.by, c.org(), in)
	if err != nil {
		return err
	}
	return c.made(http.StatusCreated, made.Version, repeated, wireGroup(made))
}

func (a *api) getGroup(c *call) error {
	found, err := a.accounts.Group(c.r.Context(), c.by, c.org(), c.id("group"))
	if err != nil {
		return err
	}
	return c.object(http.StatusOK, found.Version, wireGroup(found))
}

func (a *api) updateGroup(c *call) error {
	patch, err := readPatch[groupPatch](c)
	if err != nil {
		return err
	}
	changed, err := a.accounts.UpdateGroup(c.r.Context(), c.by, c.org(), c.id("group"), patch)
	if err != nil {
		return err
	}
	return c.object(http.StatusOK, changed.Version, wireGroup(changed))
}

func (a *api) deleteGroup(c *call) error {
	return c.remove(func(ifVersion *int64) error {
		return a.accounts.DeleteGroup(c.r.Context(), c.by, c.org(), c.id("group"), ifVersion)
	})
}
