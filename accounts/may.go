package accounts

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/authz"
)

// MayActAs reports for each account whether [Service.CreateCredential] would give the caller
// a credential of it. The accounts are as just read.
func (s *Service) MayActAs(ctx context.Context, by authz.Principal, list ...ServiceAccount) ([]bool, error) {
	verdicts := make([]bool, len(list))
	if !by.Allows(authz.Permission(authz.Credentials, authz.Create)) {
		return verdicts, nil
	}
	err := s.store.Read(ctx, func(r Reader) error {
		j := judge{Reader: newRemembering(r), by: by}
		for i, account := range list {
			permitted, err := j.powerOf(ctx, account)
			if _, changed := errors.AsType[*InvalidError](err); changed {
				continue // a role or group that it had was deleted since
			}
			if err != nil {
				return err
			}
			verdicts[i] = by.Reaches(account.OrgID) && j.mayActAs(account, permitted, authz.Set{}) == nil
		}
		return nil
	})
	return verdicts, err
}

// MayCreateAccount reports whether [Service.CreateAccount] would make the caller an account
// for which no role is named.
func (s *Service) MayCreateAccount(ctx context.Context, by authz.Principal, org Ref) (bool, error) {
	may := false
	err := s.store.Read(ctx, func(r Reader) error {
		owner, err := reach(ctx, r, by, org, authz.Permission(authz.ServiceAccounts, authz.Create))
		if err != nil {
			return err
		}
		j := judge{Reader: r, by: by}
		given, err := j.rolesOf(ctx, ServiceAccount{OrgID: owner.ID, Role: owner.DefaultRole})
		if err == nil {
			may = j.mayHandOver(given) == nil
		}
		return err
	})
	if _, denied := errors.AsType[*authz.DeniedError](err); denied {
		return false, nil
	}
	return may, err
}

// remembering reads each role and group once: the accounts of a list share few.
type remembering struct {
	Reader
	roles  map[roleKey]Role
	groups map[uuid.UUID]Group
}

type roleKey struct {
	org  uuid.UUID
	role Ref
}

func newRemembering(r Reader) *remembering {
	return &remembering{Reader: r, roles: map[roleKey]Role{}, groups: map[uuid.UUID]Group{}}
}

// Role implements [RoleReader].
func (m *remembering) Role(ctx context.Context, orgID uuid.UUID, ref Ref) (Role, error) {
	key := roleKey{orgID, ref}
	if known, ok := m.roles[key]; ok {
		return known, nil
	}
	role, err := m.Reader.Role(ctx, orgID, ref)
	if err == nil {
		m.roles[key] = role
	}
	return role, err
}

// Group implements [GroupReader].
func (m *remembering) Group(ctx context.Context, orgID, id uuid.UUID) (Group, error) {
	if known, ok := m.groups[id]; ok && known.OrgID == orgID {
		return known, nil
	}
	group, err := m.Reader.Group(ctx, orgID, id)
	if err == nil {
		m.groups[id] = group
	}
	return group, err
}
