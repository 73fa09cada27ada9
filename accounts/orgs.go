package accounts

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
)

// NewOrg describes an org to create.
type NewOrg struct {
	Slug               string
	Name               string
	DefaultRole        string // empty: agent-standard
	Audiences          []string
	DefaultAudience    string
	MaxServiceAccounts *int64
	Once               Once
}

// OrgPatch changes the fields that are present. IfVersion, when set, must be the current version.
type OrgPatch struct {
	Name               Optional[string]
	DefaultRole        Optional[string]
	Audiences          Optional[[]string]
	DefaultAudience    Optional[string]
	MaxServiceAccounts Optional[*int64]
	Disabled           Optional[bool]
	IfVersion          *int64
}

// CreateOrg makes an org with its built-in roles. Only system accounts may.
func (s *Service) CreateOrg(ctx context.Context, by authz.Principal, in NewOrg) (Org, bool, error) {
	var org Org
	err := s.write(ctx, by, in.Once, func(c *change) (outcome, error) {
		if err := by.DemandSystem(authz.Permission(authz.Settings, authz.Create)); err != nil {
			return outcome{}, err
		}
		id, err := s.newID()
		if err != nil {
			return outcome{}, err
		}
		org = Org{ID: id, Slug: in.Slug}
		if err := c.insertOrg(ctx, &org, in); err != nil {
			return outcome{}, err
		}
		return orgOutcome(audit.OrgCreated, org), nil
	})
	if id, ok := repeated(err); ok {
		org, err = s.org(ctx, by, ByID(id), authz.Permission(authz.Settings, authz.Create))
		return org, true, err
	}
	return org, false, err
}

func orgOutcome(event string, org Org) outcome {
	return outcome{event: event, org: org, target: "org:" + org.Slug, id: org.ID}
}

func (c *change) insertOrg(ctx context.Context, org *Org, in NewOrg) error {
	if in.DefaultRole == "" {
		in.DefaultRole = RoleAgentStandard
	}
	org.Name, org.DefaultRole, org.MaxServiceAccounts = in.Name, roleSlug(in.DefaultRole), in.MaxServiceAccounts
	org.Audiences, org.DefaultAudience = sortedSet(in.Audiences), in.DefaultAudience
	org.Version, org.Stamp = 1, c.created()
	var rules check
	if org.ID != SystemOrgID {
		rules.slug(org.Slug)
	}
	rules.org(c.s.issuer, *org)
	if err := rules.err(); err != nil {
		return err
	}
	if err := c.InsertOrg(ctx, *org); err != nil {
		return err
	}
	if err := c.insertBuiltInRoles(ctx, org.ID); err != nil {
		return err
	}
	return c.mayBeDefault(ctx, *org)
}

func (c *check) org(issuer string, org Org) {
	c.name(org.Name)
	c.audiences(issuer, org.Audiences)
	c.that(org.DefaultAudience == "" || OwnsAudience(issuer, org.Slug, org.Audiences, org.DefaultAudience), "defaultAudience",
		"must be one of the organization's audiences")
	c.that(org.MaxServiceAccounts == nil || *org.MaxServiceAccounts >= 0, "maxServiceAccounts", "must not be negative")
}

// mayBeDefault checks the role that new accounts get when none is named.
func (c *change) mayBeDefault(ctx context.Context, org Org) error {
	if org.DefaultRole == RoleOwner || org.DefaultRole == RoleAdmin {
		return invalid("defaultRole", "must not be owner or admin")
	}
	given, err := c.sumOfRoles(ctx, org.ID, map[string]bool{org.DefaultRole: true})
	if err != nil {
		return roleNamed("defaultRole", err)
	}
	return c.mayHandOver(given)
}

// Orgs lists the orgs that the caller may know of.
func (s *Service) Orgs(ctx context.Context, by authz.Principal, q Query) ([]Org, Page, error) {
	if err := by.Demand(authz.Permission(authz.Settings, authz.Read)); err != nil {
		return nil, Page{}, err
	}
	if err := q.check(); err != nil {
		return nil, Page{}, err
	}
	var orgs []Org
	var page Page
	err := s.store.Read(ctx, func(r Reader) (err error) {
		if by.System {
			orgs, page, err = r.Orgs(ctx, q)
			return err
		}
		orgs, page, err = ownOrg(ctx, r, by, q)
		return err
	})
	return orgs, page, err
}

// ownOrg is the list of orgs for who reaches but one.
func ownOrg(ctx context.Context, r Reader, by authz.Principal, q Query) ([]Org, Page, error) {
	org, err := r.Org(ctx, ByID(by.OrgID))
	if err != nil {
		return nil, Page{}, err
	}
	if !strings.Contains(strings.ToLower(org.Name+"\n"+org.Slug), strings.ToLower(q.Search)) {
		return []Org{}, Page{}, nil
	}
	page, shown := q.pageOfOne(org.ID)
	if !shown {
		return []Org{}, page, nil
	}
	return []Org{org}, page, nil
}

// Org returns one org.
func (s *Service) Org(ctx context.Context, by authz.Principal, ref Ref) (Org, error) {
	return s.org(ctx, by, ref, authz.Permission(authz.Settings, authz.Read))
}

func (s *Service) org(ctx context.Context, by authz.Principal, ref Ref, permission authz.Pattern) (Org, error) {
	var org Org
	err := s.store.Read(ctx, func(r Reader) (err error) {
		org, err = reach(ctx, r, by, ref, permission)
		return err
	})
	return org, err
}

// UpdateOrg changes an org. Quota, audiences and disabling are for system accounts.
func (s *Service) UpdateOrg(ctx context.Context, by authz.Principal, ref Ref, patch OrgPatch) (Org, error) {
	var org Org
	err := s.write(ctx, by, Once{}, func(c *change) (outcome, error) {
		permission := authz.Permission(authz.Settings, authz.Update)
		var err error
		if org, err = reach(ctx, c, by, ref, permission); err != nil {
			return outcome{}, err
		}
		if patch.Audiences.Present || patch.MaxServiceAccounts.Present || patch.Disabled.Present {
			if err := by.DemandSystem(permission); err != nil {
				return outcome{}, err
			}
		}
		if err := expect(patch.IfVersion, org.Version); err != nil {
			return outcome{}, err
		}
		if err := c.applyOrg(ctx, &org, patch); err != nil {
			return outcome{}, err
		}
		return orgOutcome(audit.OrgUpdated, org), nil
	})
	return org, err
}

func (c *change) applyOrg(ctx context.Context, org *Org, patch OrgPatch) error {
	wasDisabled := org.Disabled
	patch.Name.apply(&org.Name)
	patch.DefaultAudience.apply(&org.DefaultAudience)
	patch.MaxServiceAccounts.apply(&org.MaxServiceAccounts)
	patch.Disabled.apply(&org.Disabled)
	if patch.DefaultRole.Present {
		org.DefaultRole = roleSlug(patch.DefaultRole.Value)
	}
	if patch.Audiences.Present {
		org.Audiences = sortedSet(patch.Audiences.Value)
	}
	var rules check
	rules.org(c.s.issuer, *org)
	if err := rules.err(); err != nil {
		return err
	}
	if patch.DefaultRole.Present {
		if err := c.mayBeDefault(ctx, *org); err != nil {
			return err
		}
	}
	if org.Disabled && org.ID == SystemOrgID {
		return &ProtectedError{What: "the system organization"}
	}
	if org.Disabled && !wasDisabled {
		org.Gen++
	}
	c.touch(&org.Stamp)
	if err := c.Tx.UpdateOrg(ctx, *org); err != nil {
		return err
	}
	org.Version++
	return nil
}

// DeleteOrg removes an org and everything in it. Only system accounts may, and its slug
// stays taken for ever.
func (s *Service) DeleteOrg(ctx context.Context, by authz.Principal, ref Ref, ifVersion *int64) error {
	var gone []uuid.UUID
	err := s.write(ctx, by, Once{}, func(c *change) (outcome, error) {
		permission := authz.Permission(authz.Settings, authz.Delete)
		org, err := reach(ctx, c, by, ref, permission)
		if err != nil {
			return outcome{}, err
		}
		if err := by.DemandSystem(permission); err != nil {
			return outcome{}, err
		}
		if org.ID == SystemOrgID {
			return outcome{}, &ProtectedError{What: "the system organization"}
		}
		if err := expect(ifVersion, org.Version); err != nil {
			return outcome{}, err
		}
		if gone, err = c.AccountIDs(ctx, org.ID); err != nil {
			return outcome{}, err
		}
		if err := c.Tx.DeleteOrg(ctx, org.ID, c.now); err != nil {
			return outcome{}, err
		}
		return orgOutcome(audit.OrgDeleted, org), nil
	})
	if err == nil {
		s.erase(ctx, gone)
	}
	return err
}

// sortedSet sorts and drops repetitions. It never returns nil.
func sortedSet[T ~string](items []T) []T {
	sorted := slices.Clone(items)
	if sorted == nil {
		sorted = []T{}
	}
	slices.Sort(sorted)
	return slices.Compact(sorted)
}
