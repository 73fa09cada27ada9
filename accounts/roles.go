package accounts

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
)

// Slugs of the roles that every org has.
const (
	RoleOwner         = "owner"
	RoleAdmin         = "admin"
	RoleViewer        = "viewer"
	RoleMember        = "member"
	RoleAgentStandard = "agent-standard"
	RoleAPI           = "api"
)

var builtInRoles = []Role{
	{Slug: RoleOwner, Name: "Owner", Permissions: authz.MustSet("*")},
	{Slug: RoleAdmin, Name: "Administrator", Permissions: authz.MustSet("orgs:*")},
	{Slug: RoleViewer, Name: "Viewer", Permissions: authz.MustSet("orgs:*:read")},
	{Slug: RoleMember, Name: "Member", Delegable: true},
	{Slug: RoleAgentStandard, Name: "Standard agent", Permissions: authz.MustSet("llm:*", "tools:*"), Delegable: true},
	{Slug: RoleAPI, Name: "API client", Permissions: authz.MustSet("api:read", "api:write"), Delegable: true},
}

func (c *change) insertBuiltInRoles(ctx context.Context, orgID uuid.UUID) error {
	for _, role := range builtInRoles {
		id, err := c.s.newID()
		if err != nil {
			return err
		}
		role.ID, role.OrgID, role.BuiltIn, role.Version, role.Stamp = id, orgID, true, 1, c.created()
		if err := c.InsertRole(ctx, role); err != nil {
			return err
		}
	}
	return nil
}

// roleSlug reads a role as it may be written: "org:x" means x, and "org:" alone no role.
func roleSlug(text string) string {
	if slug := strings.TrimPrefix(text, "org:"); slug != "" {
		return slug
	}
	return text
}

// NewRole describes a role to create.
type NewRole struct {
	Slug        string
	Name        string
	Permissions authz.Set
	Delegable   bool
	Once        Once
}

// RolePatch changes the fields that are present.
type RolePatch struct {
	Name        Optional[string]
	Permissions Optional[authz.Set]
	Delegable   Optional[bool]
	IfVersion   *int64
}

// CreateRole makes a role of permissions that the caller may grant.
func (s *Service) CreateRole(ctx context.Context, by authz.Principal, org Ref, in NewRole) (Role, bool, error) {
	var role Role
	err := s.write(ctx, by, in.Once, func(c *change) (outcome, error) {
		in.Slug = roleSlug(in.Slug)
		owner, err := reach(ctx, c, by, org, authz.Permission(authz.Roles, authz.Create))
		if err != nil {
			return outcome{}, err
		}
		var rules check
		rules.slug(in.Slug)
		rules.name(in.Name)
		if err := rules.err(); err != nil {
			return outcome{}, err
		}
		if err := c.mayGrant(in.Permissions); err != nil {
			return outcome{}, err
		}
		id, err := s.newID()
		if err != nil {
			return outcome{}, err
		}
		role = Role{
			ID: id, OrgID: owner.ID, Slug: in.Slug, Name: in.Name,
			Permissions: in.Permissions, Delegable: in.Delegable, Version: 1, Stamp: c.created(),
		}
		return roleOutcome(audit.RoleCreated, owner, role), c.InsertRole(ctx, role)
	})
	if id, ok := repeated(err); ok {
		role, err = s.role(ctx, by, org, ByID(id), authz.Permission(authz.Roles, authz.Create))
		return role, true, err
	}
	return role, false, err
}

func roleOutcome(event string, org Org, role Role) outcome {
	return outcome{
		event: event, org: org,
		target: "role:" + org.Slug + ":" + role.Slug, id: role.ID,
	}
}

// Roles lists the roles of an org and names its default role.
func (s *Service) Roles(ctx context.Context, by authz.Principal, org Ref, q Query) (roles []Role, page Page, defaultRole string, err error) {
	if err := q.check(); err != nil {
		return nil, Page{}, "", err
	}
	err = s.store.Read(ctx, func(r Reader) error {
		owner, err := reach(ctx, r, by, org, authz.Permission(authz.Roles, authz.Read))
		if err != nil {
			return err
		}
		defaultRole = owner.DefaultRole
		roles, page, err = r.Roles(ctx, owner.ID, q)
		return err
	})
	return roles, page, defaultRole, err
}

// Role returns one role.
func (s *Service) Role(ctx context.Context, by authz.Principal, org, ref Ref) (Role, error) {
	return s.role(ctx, by, org, ref, authz.Permission(authz.Roles, authz.Read))
}

func (s *Service) role(ctx context.Context, by authz.Principal, org, ref Ref, permission authz.Pattern) (Role, error) {
	var role Role
	err := s.store.Read(ctx, func(r Reader) error {
		owner, err := reach(ctx, r, by, org, permission)
		if err != nil {
			return err
		}
		role, err = r.Role(ctx, owner.ID, ref)
		return err
	})
	return role, err
}

// UpdateRole changes a role that is not built in. What is added to it, and all of it when it
// becomes delegable, must be the caller's to grant.
func (s *Service) UpdateRole(ctx context.Context, by authz.Principal, org, ref Ref, patch RolePatch) (Role, error) {
	var role Role
	err := s.write(ctx, by, Once{}, func(c *change) (outcome, error) {
		owner, err := reach(ctx, c, by, org, authz.Permission(authz.Roles, authz.Update))
		if err != nil {
			return outcome{}, err
		}
		if role, err = c.Role(ctx, owner.ID, ref); err != nil {
			return outcome{}, err
		}
		if role.BuiltIn {
			return outcome{}, &ProtectedError{What: "a built-in role"}
		}
		if err := expect(patch.IfVersion, role.Version); err != nil {
			return outcome{}, err
		}
		if err := c.applyRole(&role, patch); err != nil {
			return outcome{}, err
		}
		if err := c.Tx.UpdateRole(ctx, role); err != nil {
			return outcome{}, err
		}
		role.Version++
		return roleOutcome(audit.RoleUpdated, owner, role), nil
	})
	return role, err
}

func (c *change) applyRole(role *Role, patch RolePatch) error {
	before := *role
	patch.Name.apply(&role.Name)
	patch.Permissions.apply(&role.Permissions)
	patch.Delegable.apply(&role.Delegable)
	var rules check
	rules.name(role.Name)
	if err := rules.err(); err != nil {
		return err
	}
	fresh := role.Permissions.Minus(before.Permissions)
	if role.Delegable && !before.Delegable {
		fresh = role.Permissions
	}
	c.touch(&role.Stamp)
	return c.mayGrant(fresh)
}

// DeleteRole removes a role that is not built in and that nobody has.
func (s *Service) DeleteRole(ctx context.Context, by authz.Principal, org, ref Ref, ifVersion *int64) error {
	return s.write(ctx, by, Once{}, func(c *change) (outcome, error) {
		owner, err := reach(ctx, c, by, org, authz.Permission(authz.Roles, authz.Delete))
		if err != nil {
			return outcome{}, err
		}
		role, err := c.Role(ctx, owner.ID, ref)
		if err != nil {
			return outcome{}, err
		}
		if role.BuiltIn {
			return outcome{}, &ProtectedError{What: "a built-in role"}
		}
		if err := expect(ifVersion, role.Version); err != nil {
			return outcome{}, err
		}
		if owner.DefaultRole == role.Slug {
			return outcome{}, ErrInUse
		}
		return roleOutcome(audit.RoleDeleted, owner, role), c.Tx.DeleteRole(ctx, owner.ID, role.Slug)
	})
}
