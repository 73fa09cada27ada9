package nscale

import (
	"errors"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/server/web"
)

// listAccounts shows an account that may not list the others itself.
func (a *api) listAccounts(c *call) error {
	err := array(c, func(q accounts.Query) ([]accounts.ServiceAccount, accounts.Page, error) {
		return a.Accounts.Accounts(c.r.Context(), c.by, c.inOrg(), q)
	}, func(s accounts.ServiceAccount) (uuid.UUID, any) { return s.ID, wireAccount(s) })
	if _, denied := errors.AsType[*authz.DeniedError](err); !denied || c.by.OrgID != c.org {
		return err
	}
	_, own, err := a.Accounts.Self(c.r.Context(), c.by)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, []any{wireAccount(own)})
}

// createAccount gives the account a token and no role: its power comes from its groups.
func (a *api) createAccount(c *call) error {
	d, spec, err := read(c, checkAccount)
	if err != nil {
		return err
	}
	made, err := a.Accounts.CreateAccount(c.r.Context(), c.by, c.inOrg(), accounts.NewAccount{
		Name: d.name, Description: d.description, Tags: d.tags, NoRole: true,
		Groups: parseIDs(spec.GroupIDs), KnownGroups: true,
		Credential: &accounts.FirstCredential{Kind: accounts.KindToken},
	})
	if err != nil {
		return err
	}
	return c.secret(http.StatusCreated, wireIssued(made))
}

func (a *api) replaceAccount(c *call) error {
	d, spec, err := read(c, checkAccount)
	if err != nil {
		return err
	}
	changed, err := a.Accounts.UpdateAccount(c.r.Context(), c.by, c.at(), accounts.AccountPatch{
		Name: accounts.Some(d.name), Description: accounts.Some(d.description), Tags: accounts.Some(d.tags),
		Groups: accounts.Some(parseIDs(spec.GroupIDs)), KnownGroups: true,
	})
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, wireAccount(changed))
}

func (a *api) deleteAccount(c *call) error {
	return c.done(a.Accounts.DeleteAccount(c.r.Context(), c.by, c.at(), nil))
}

// rotateAccount is open to the account itself, too.
func (a *api) rotateAccount(c *call) error {
	if err := web.ReadJSON(c.r, &struct{}{}, web.OptionalBody, web.OptionalType); err != nil {
		return err
	}
	made, err := a.Accounts.RotateOwn(c.r.Context(), c.by, c.at(), accounts.Rotation{})
	if err != nil {
		return err
	}
	return c.secret(http.StatusOK, wireIssued(made))
}

func (a *api) listGroups(c *call) error {
	return array(c, func(q accounts.Query) ([]accounts.Group, accounts.Page, error) {
		return a.Accounts.Groups(c.r.Context(), c.by, c.inOrg(), q)
	}, func(g accounts.Group) (uuid.UUID, any) { return g.ID, wireGroup(g) })
}

func (a *api) createGroup(c *call) error {
	d, spec, err := read(c, checkGroup)
	if err != nil {
		return err
	}
	made, _, err := a.Accounts.CreateGroup(c.r.Context(), c.by, c.inOrg(), accounts.NewGroup{
		Name: d.name, Description: d.description, Tags: d.tags,
		Roles: idTexts(parseIDs(spec.RoleIDs)), Members: parseIDs(spec.ServiceAccountIDs),
	})
	if err != nil {
		return err
	}
	return c.answer(http.StatusCreated, wireGroup(made))
}

func (a *api) getGroup(c *call) error {
	found, err := a.Accounts.Group(c.r.Context(), c.by, c.inOrg(), c.group)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, wireGroup(found))
}

func (a *api) replaceGroup(c *call) error {
	d, spec, err := read(c, checkGroup)
	if err != nil {
		return err
	}
	_, err = a.Accounts.UpdateGroup(c.r.Context(), c.by, c.inOrg(), c.group, accounts.GroupPatch{
		Name: accounts.Some(d.name), Description: accounts.Some(d.description), Tags: accounts.Some(d.tags),
		Roles: accounts.Some(idTexts(parseIDs(spec.RoleIDs))), Members: accounts.Some(parseIDs(spec.ServiceAccountIDs)),
	})
	return c.done(err)
}

func (a *api) deleteGroup(c *call) error {
	return c.done(a.Accounts.DeleteGroup(c.r.Context(), c.by, c.inOrg(), c.group, nil))
}

func (a *api) listRoles(c *call) error {
	return array(c, func(q accounts.Query) ([]accounts.Role, accounts.Page, error) {
		found, page, _, err := a.Accounts.Roles(c.r.Context(), c.by, c.inOrg(), q)
		return found, page, err
	}, func(r accounts.Role) (uuid.UUID, any) { return r.ID, wireRole(r) })
}

// listOrganizations is exactly the caller's own, for which no permission is needed.
func (a *api) listOrganizations(c *call) error {
	own, _, err := a.Accounts.Self(c.r.Context(), c.by)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, []any{wireOrganization(own)})
}

// pageSize is how much of a list is in memory at a time.
const pageSize = 500

// array answers with a whole list, sorted by id. This door knows no pages and an organization
// no limit, so it is sent page by page.
func array[T any](c *call, read func(accounts.Query) ([]T, accounts.Page, error), wire func(T) (uuid.UUID, any)) error {
	q := accounts.Query{ByID: true, Limit: pageSize}
	found, page, err := read(q)
	if err != nil {
		return err
	}
	noCache(c.w)
	c.w.Header().Set("Content-Type", "application/json")
	text := []byte{'['}
	for {
		for _, object := range found {
			id, shown := wire(object)
			one, err := json.Marshal(shown)
			c.orAbort(err)
			if q.After != uuid.Nil {
				text = append(text, ',')
			}
			text, q.After = append(text, one...), id
		}
		if !page.Next {
			break
		}
		_, err = c.w.Write(text)
		c.orAbort(err)
		text = text[:0]
		found, page, err = read(q)
		c.orAbort(err)
	}
	_, err = c.w.Write(append(text, ']'))
	c.orAbort(err)
	return nil
}

// orAbort cuts the connection under an answer that cannot be completed: half of it must not
// look whole.
func (c *call) orAbort(err error) {
	if err != nil {
		web.EventFrom(c.r.Context()).SetCause(err)
		panic(http.ErrAbortHandler)
	}
}
