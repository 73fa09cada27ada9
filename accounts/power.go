package accounts

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/authz"
)

// power is what holding an account's credentials yields.
type power struct {
	all         authz.Set
	undelegable authz.Set // the part that comes from roles that are not delegable
}

func (p power) restrict(ceiling authz.Set) power {
	return power{all: p.all.Restrict(ceiling), undelegable: p.undelegable.Restrict(ceiling)}
}

// powerOf adds up the roles of an account, directly and by its groups, under its own ceiling.
func (c *change) powerOf(ctx context.Context, account ServiceAccount) (power, error) {
	roles := map[string]bool{}
	if account.Role != "" {
		roles[account.Role] = true
	}
	for _, id := range account.Groups {
		group, err := c.Group(ctx, account.OrgID, id)
		if errors.Is(err, ErrNotFound) {
			return power{}, invalid("groups", "names a group that does not exist")
		}
		if err != nil {
			return power{}, err
		}
		for _, slug := range group.Roles {
			roles[slug] = true
		}
	}
	return c.powerOfRoles(ctx, account.OrgID, roles, account.Scopes)
}

func (c *change) powerOfRoles(ctx context.Context, orgID uuid.UUID, roles map[string]bool, ceiling authz.Set) (power, error) {
	var sum power
	for slug := range roles {
		role, err := c.Role(ctx, orgID, BySlug(slug))
		if errors.Is(err, ErrNotFound) {
			return power{}, invalid("roleSlug", "names a role that does not exist")
		}
		if err != nil {
			return power{}, err
		}
		sum.all = sum.all.Union(role.Permissions)
		if !role.Delegable {
			sum.undelegable = sum.undelegable.Union(role.Permissions)
		}
	}
	if sum.all.Len() > authz.MaxHeld {
		return power{}, invalid("roleSlug", "adds up to more than 512 permissions with the other roles")
	}
	return sum.restrict(ceiling), nil
}

// orNone reads roles that add up to too much as no power, which is what they give.
func orNone(had power, err error) (power, error) {
	if _, tooMuch := errors.AsType[*InvalidError](err); tooMuch {
		return power{}, nil
	}
	return had, err
}

// mayRaise refuses a write that makes somebody more powerful than the caller may make them:
// whatever is new must be delegable or the caller's own to grant.
func (c *change) mayRaise(before, after power) error {
	fresh := after.undelegable.Filter(func(p authz.Pattern) bool { return !before.all.Covers(p) })
	return c.mayGrant(fresh)
}

// mayHandOver refuses a write that gives the caller a means to act with the given power.
func (c *change) mayHandOver(p power) error { return c.mayRaise(power{}, p) }

func (c *change) mayGrant(set authz.Set) error {
	if !c.by.MayGrant(set) {
		return &authz.DeniedError{Reason: "this would give a permission that you neither hold nor may delegate"}
	}
	return nil
}

// keepAnOwner refuses a write that leaves the system org without an enabled owner. Every
// write that can take one away ends with it.
func (c *change) keepAnOwner(ctx context.Context, org Org) error {
	if org.ID != SystemOrgID {
		return nil
	}
	owners, err := c.EnabledOwners(ctx, org.ID)
	if err != nil {
		return err
	}
	if owners == 0 {
		return &ProtectedError{What: "the last enabled owner of the system organization"}
	}
	return nil
}
