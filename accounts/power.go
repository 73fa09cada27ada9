package accounts

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/authz"
)

// judge decides for a caller, by what is read.
type judge struct {
	Reader
	by authz.Principal
}

// power is what holding an account's credentials yields.
type power struct {
	all         authz.Set
	undelegable authz.Set // the part that comes from roles that are not delegable
	excess      bool      // the roles add up to more than [authz.MaxHeld] patterns, and allow nothing while they do
}

// restrict narrows power to a ceiling. In excess it stays whole: whoever may hand over all
// of it may hand over whatever is left when a role shrinks.
func (p power) restrict(ceiling authz.Set) power {
	if p.excess {
		return p
	}
	return power{all: p.all.Restrict(ceiling), undelegable: p.undelegable.Restrict(ceiling)}
}

// inForce is what the power allows now.
func (p power) inForce() power {
	if p.excess {
		return power{}
	}
	return p
}

// errNoRole reports a role that does not exist, to whoever knows the field that names it.
var errNoRole = errors.New("no such role")

// roleNamed reports a role that does not exist under the name of the field.
func roleNamed(field string, err error) error {
	if errors.Is(err, errNoRole) {
		return invalid(field, "names a role that does not exist")
	}
	return err
}

// rolesOf adds up the roles of an account, directly and by its groups.
func (j judge) rolesOf(ctx context.Context, account ServiceAccount) (power, error) {
	roles := map[string]bool{}
	if account.Role != "" {
		roles[account.Role] = true
	}
	for _, id := range account.Groups {
		group, err := j.Group(ctx, account.OrgID, id)
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
	sum, err := j.sumOfRoles(ctx, account.OrgID, roles)
	return sum, roleNamed("roleSlug", err)
}

// powerOf is what the roles of an account come to under its own ceiling.
func (j judge) powerOf(ctx context.Context, account ServiceAccount) (power, error) {
	permitted, err := j.rolesOf(ctx, account)
	return permitted.restrict(account.Scopes), err
}

// sumOfRoles answers [errNoRole] for a role that the org does not have.
func (j judge) sumOfRoles(ctx context.Context, orgID uuid.UUID, roles map[string]bool) (power, error) {
	var all, undelegable []authz.Set
	for slug := range roles {
		role, err := j.Role(ctx, orgID, BySlug(slug))
		if errors.Is(err, ErrNotFound) {
			return power{}, errNoRole
		}
		if err != nil {
			return power{}, err
		}
		all = append(all, role.Permissions)
		if !role.Delegable {
			undelegable = append(undelegable, role.Permissions)
		}
	}
	sum := power{all: authz.Set{}.Union(all...), undelegable: authz.Set{}.Union(undelegable...)}
	sum.excess = sum.all.Len() > authz.MaxHeld
	return sum, nil
}

// mayRaise refuses a write that makes somebody more powerful than the caller may make them:
// whatever is new must be the caller's own to grant, or come from a delegable role and the
// caller be one who makes or changes service accounts.
func (j judge) mayRaise(before, after power) error {
	judged := after.all
	if j.delegates() {
		judged = after.undelegable
	}
	return j.mayGrant(judged.Minus(before.all))
}

func (j judge) delegates() bool {
	return j.by.Permissions.Covers(authz.Permission(authz.ServiceAccounts, authz.Create)) ||
		j.by.Permissions.Covers(authz.Permission(authz.ServiceAccounts, authz.Update))
}

// mayHandOver refuses a write that gives the caller a means to act with the given power.
func (j judge) mayHandOver(p power) error { return j.mayRaise(power{}, p) }

// mayActAs refuses to hand a credential to a caller who may not grant all that the account may
// do: whoever holds one acts under the account's name, however narrow its ceiling. Under
// their own name callers are judged by what the credential yields.
func (j judge) mayActAs(account ServiceAccount, permitted power, ceiling authz.Set) error {
	if account.ID == j.by.AccountID {
		permitted = permitted.restrict(ceiling)
	}
	return j.mayHandOver(permitted)
}

func (j judge) mayGrant(set authz.Set) error {
	if !j.by.MayGrant(set) {
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
