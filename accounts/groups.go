package accounts

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
)

// NewGroup describes a group to create.
type NewGroup struct {
	Name        string
	Description string
	Roles       []string // slugs or ids
	Members     []uuid.UUID
	Tags        []Tag
	Once        Once
}

// GroupPatch changes the fields that are present.
type GroupPatch struct {
	Name        Optional[string]
	Description Optional[string]
	Roles       Optional[[]string] // slugs or ids
	Members     Optional[[]uuid.UUID]
	Tags        Optional[[]Tag]
	IfVersion   *int64
}

// CreateGroup makes a group of roles that the caller may give.
func (s *Service) CreateGroup(ctx context.Context, by authz.Principal, org Ref, in NewGroup) (Group, bool, error) {
	var group Group
	err := s.write(ctx, by, in.Once, func(c *change) (outcome, error) {
		owner, err := reach(ctx, c, by, org, authz.Permission(authz.Groups, authz.Create))
		if err != nil {
			return outcome{}, err
		}
		id, err := s.newID()
		if err != nil {
			return outcome{}, err
		}
		group = Group{
			ID: id, OrgID: owner.ID, Name: in.Name, Description: in.Description,
			Members: sortedIDs(in.Members), Tags: in.Tags, Version: 1, Stamp: c.created(),
		}
		if err := c.setRoles(ctx, &group, in.Roles); err != nil {
			return outcome{}, err
		}
		if err := c.mayShape(ctx, Group{}, group); err != nil {
			return outcome{}, err
		}
		if err := membersExist(c.InsertGroup(ctx, group)); err != nil {
			return outcome{}, err
		}
		return groupOutcome(audit.GroupCreated, owner, group), c.membersFit(ctx, Group{}, group)
	})
	if id, ok := repeated(err); ok {
		group, err = s.group(ctx, by, org, id, authz.Permission(authz.Groups, authz.Create))
		return group, true, err
	}
	return group, false, err
}

// mayShape checks a group against the rules and against escalation: roles that it gains, or
// all of them when somebody joins, must be the caller's to give.
func (c *change) mayShape(ctx context.Context, before, after Group) error {
	var rules check
	rules.name(after.Name)
	rules.description(after.Description)
	rules.tags(after.Tags)
	rules.that(len(after.Members) <= MaxMembersOfGroup, "members", "at most 1000")
	if err := rules.err(); err != nil {
		return err
	}
	given, err := c.powerOfGroup(ctx, after)
	if err != nil {
		return roleNamed("roles", err)
	}
	sameRoles := slices.Equal(before.Roles, after.Roles)
	if !sameRoles {
		rules.fits(given, "roles")
	}
	if err := rules.err(); err != nil {
		return err
	}
	switch {
	case before.ID == (uuid.UUID{}) || gains(before.Members, after.Members):
		return c.mayHandOver(given)
	case sameRoles:
		return nil
	}
	had, err := c.powerOfGroup(ctx, before)
	if err != nil {
		return err
	}
	return c.mayRaise(had.inForce(), given)
}

// setRoles gives a group the roles that are named by slug or id.
func (c *change) setRoles(ctx context.Context, group *Group, named []string) error {
	named = roleSlugs(named)
	if len(named) > MaxRolesOfGroup {
		return invalid("roles", "at most 8")
	}
	group.Roles, group.RoleIDs = []string{}, []uuid.UUID{}
	for _, text := range named {
		role, err := c.Role(ctx, group.OrgID, ParseRef(text))
		if errors.Is(err, ErrNotFound) {
			return roleNamed("roles", errNoRole)
		}
		if err != nil {
			return err
		}
		group.Roles, group.RoleIDs = append(group.Roles, role.Slug), append(group.RoleIDs, role.ID)
	}
	group.Roles, group.RoleIDs = sortedSet(group.Roles), sortedIDs(group.RoleIDs)
	return nil
}

func (c *change) powerOfGroup(ctx context.Context, group Group) (power, error) {
	roles := map[string]bool{}
	for _, slug := range group.Roles {
		roles[slug] = true
	}
	return c.sumOfRoles(ctx, group.OrgID, roles)
}

// gains reports whether after has an id that before has not.
func gains(before, after []uuid.UUID) bool {
	had := make(map[uuid.UUID]bool, len(before))
	for _, id := range before {
		had[id] = true
	}
	return slices.ContainsFunc(after, func(id uuid.UUID) bool { return !had[id] })
}

// membersFit refuses a stored group that took somebody into one group too many.
func (c *change) membersFit(ctx context.Context, before, after Group) error {
	if !gains(before.Members, after.Members) {
		return nil
	}
	most, err := c.MostGroups(ctx, after.ID)
	if err == nil && most > MaxGroupsOfAccount {
		return &LimitError{What: "groups of a service account"}
	}
	return err
}

// groupsFit refuses a stored account that is one member too many for a group that it joined.
func (c *change) groupsFit(ctx context.Context, before, after ServiceAccount) error {
	if !gains(before.Groups, after.Groups) {
		return nil
	}
	most, err := c.MostMembers(ctx, after.ID)
	if err == nil && most > MaxMembersOfGroup {
		return &LimitError{What: "members of a group"}
	}
	return err
}

// maxNamedGroups bounds how many groups a write looks for.
const maxNamedGroups = 64

// existing leaves out what is no group of the org.
func (c *change) existing(ctx context.Context, orgID uuid.UUID, named []uuid.UUID) ([]uuid.UUID, error) {
	named = sortedIDs(named)
	if len(named) > maxNamedGroups {
		return nil, invalid("groups", "names more than 64 groups")
	}
	found := []uuid.UUID{}
	for _, id := range named {
		_, err := c.Group(ctx, orgID, id)
		switch {
		case err == nil:
			found = append(found, id)
		case !errors.Is(err, ErrNotFound):
			return nil, err
		}
	}
	return found, nil
}

func membersExist(err error) error {
	if errors.Is(err, ErrNotFound) {
		return invalid("members", "names a service account that does not exist")
	}
	return err
}

func groupOutcome(event string, org Org, group Group) outcome {
	return outcome{event: event, org: org, target: "group:" + group.ID.String(), id: group.ID}
}

// Groups lists the groups of an org.
func (s *Service) Groups(ctx context.Context, by authz.Principal, org Ref, q Query) ([]Group, Page, error) {
	if err := q.check(); err != nil {
		return nil, Page{}, err
	}
	var groups []Group
	var page Page
	err := s.store.Read(ctx, func(r Reader) error {
		owner, err := reach(ctx, r, by, org, authz.Permission(authz.Groups, authz.Read))
		if err != nil {
			return err
		}
		groups, page, err = r.Groups(ctx, owner.ID, q)
		return err
	})
	return groups, page, err
}

// Group returns one group.
func (s *Service) Group(ctx context.Context, by authz.Principal, org Ref, id uuid.UUID) (Group, error) {
	return s.group(ctx, by, org, id, authz.Permission(authz.Groups, authz.Read))
}

func (s *Service) group(ctx context.Context, by authz.Principal, org Ref, id uuid.UUID, permission authz.Pattern) (Group, error) {
	var group Group
	err := s.store.Read(ctx, func(r Reader) error {
		owner, err := reach(ctx, r, by, org, permission)
		if err != nil {
			return err
		}
		group, err = r.Group(ctx, owner.ID, id)
		return err
	})
	return group, err
}

// UpdateGroup changes a group, its roles and its members.
func (s *Service) UpdateGroup(ctx context.Context, by authz.Principal, org Ref, id uuid.UUID, patch GroupPatch) (Group, error) {
	var group Group
	err := s.write(ctx, by, Once{}, func(c *change) (outcome, error) {
		owner, err := reach(ctx, c, by, org, authz.Permission(authz.Groups, authz.Update))
		if err != nil {
			return outcome{}, err
		}
		before, err := c.Group(ctx, owner.ID, id)
		if err != nil {
			return outcome{}, err
		}
		if err := expect(patch.IfVersion, before.Version); err != nil {
			return outcome{}, err
		}
		if group, err = c.applyGroup(ctx, before, patch); err != nil {
			return outcome{}, err
		}
		if err := c.mayShape(ctx, before, group); err != nil {
			return outcome{}, err
		}
		c.touch(&group.Stamp)
		if err := membersExist(c.Tx.UpdateGroup(ctx, group)); err != nil {
			return outcome{}, err
		}
		group.Version++
		if err := c.membersFit(ctx, before, group); err != nil {
			return outcome{}, err
		}
		return groupOutcome(audit.GroupUpdated, owner, group), c.keepAnOwner(ctx, owner)
	})
	return group, err
}

func (c *change) applyGroup(ctx context.Context, before Group, patch GroupPatch) (Group, error) {
	group := before
	patch.Name.apply(&group.Name)
	patch.Description.apply(&group.Description)
	patch.Tags.apply(&group.Tags)
	if patch.Members.Present {
		group.Members = sortedIDs(patch.Members.Value)
	}
	if patch.Roles.Present {
		return group, c.setRoles(ctx, &group, patch.Roles.Value)
	}
	return group, nil
}

// DeleteGroup removes a group; its members lose the roles that it gave.
func (s *Service) DeleteGroup(ctx context.Context, by authz.Principal, org Ref, id uuid.UUID, ifVersion *int64) error {
	return s.write(ctx, by, Once{}, func(c *change) (outcome, error) {
		owner, err := reach(ctx, c, by, org, authz.Permission(authz.Groups, authz.Delete))
		if err != nil {
			return outcome{}, err
		}
		group, err := c.Group(ctx, owner.ID, id)
		if err != nil {
			return outcome{}, err
		}
		if err := expect(ifVersion, group.Version); err != nil {
			return outcome{}, err
		}
		if err := c.Tx.DeleteGroup(ctx, owner.ID, id); err != nil {
			return outcome{}, err
		}
		return groupOutcome(audit.GroupDeleted, owner, group), c.keepAnOwner(ctx, owner)
	})
}

func roleSlugs(texts []string) []string {
	slugs := make([]string, len(texts))
	for i, text := range texts {
		slugs[i] = roleSlug(text)
	}
	return sortedSet(slugs)
}

func sortedIDs(ids []uuid.UUID) []uuid.UUID {
	sorted := slices.Clone(ids)
	slices.SortFunc(sorted, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(sorted)
}
