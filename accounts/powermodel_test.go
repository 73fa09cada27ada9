package accounts_test

import (
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/sqldb"
)

// The model knows power as a set of single permissions, the words, and asks no pattern of
// authz what it covers. Patterns are drawn from pool, and "fresh" stands for all segments
// that no pattern names.
var (
	pool = []string{
		"*", "orgs:*", "orgs:roles:*", "orgs:*:read", "orgs:service-accounts:*", "orgs:credentials:*", "orgs:groups:*",
		"orgs:roles:update", "orgs:settings:*", "llm:*", "llm:chat", "llm:*:big", "*:chat", "tools:*", "api:read", "api:*", "pay:out",
	}
	words = []string{
		"orgs:roles:update", "orgs:roles:read", "orgs:service-accounts:create", "orgs:credentials:update", "orgs:groups:read",
		"orgs:settings:update", "orgs:fresh:read", "orgs:fresh", "orgs:chat", "llm:chat", "llm:fresh", "llm:fresh:big", "llm:chat:fresh",
		"tools:fresh", "tools:chat", "api:read", "api:write", "api:fresh", "pay:out", "pay:fresh", "fresh:chat", "fresh",
	}
)

func matches(pattern, word []string) bool {
	if len(pattern) == 1 && pattern[0] == "*" {
		return len(word) > 0
	}
	if len(pattern) == 0 || len(word) == 0 {
		return len(pattern) == len(word)
	}
	return (pattern[0] == "*" || pattern[0] == word[0]) && matches(pattern[1:], word[1:])
}

func means(set authz.Set, word string) bool {
	segments := strings.Split(word, ":")
	return slices.ContainsFunc(set.Patterns(), func(p string) bool { return matches(strings.Split(p, ":"), segments) })
}

// within reports whether a ceiling lets the word through; an empty one lets everything.
func within(ceiling authz.Set, word string) bool { return ceiling.Empty() || means(ceiling, word) }

// snapshot is all of the store that power comes from.
type snapshot struct {
	orgs        map[uuid.UUID]accounts.Org
	roles       map[roleKey]accounts.Role
	groups      map[uuid.UUID]accounts.Group
	accounts    map[uuid.UUID]accounts.ServiceAccount
	credentials map[uuid.UUID]accounts.Credential
	secrets     map[uuid.UUID]uuid.UUID // secret to credential
}

type roleKey struct {
	org  uuid.UUID
	slug string
}

// snapshot reads the tables, and not by the store, whose mistakes it would share.
func (f *fixture) snapshot() snapshot {
	f.t.Helper()
	s := snapshot{
		map[uuid.UUID]accounts.Org{},
		map[roleKey]accounts.Role{},
		map[uuid.UUID]accounts.Group{},
		map[uuid.UUID]accounts.ServiceAccount{},
		map[uuid.UUID]accounts.Credential{},
		map[uuid.UUID]uuid.UUID{},
	}
	must(f.t, f.db.Read(f.t.Context(), func(tx *sqldb.Tx) error {
		return errors.Join(
			each(f, tx, "SELECT id, default_role FROM orgs", func(row *sql.Rows) error {
				var o accounts.Org
				err := row.Scan(&o.ID, &o.DefaultRole)
				s.orgs[o.ID] = o
				return err
			}),
			each(f, tx, "SELECT org_id, slug, permissions, delegable FROM roles", func(row *sql.Rows) error {
				var r accounts.Role
				var permissions string
				err := row.Scan(&r.OrgID, &r.Slug, &permissions, &r.Delegable)
				r.Permissions = authz.TrustedSet(permissions)
				s.roles[roleKey{r.OrgID, r.Slug}] = r
				return err
			}),
			s.readGroups(f, tx), s.readAccounts(f, tx),
		)
	}))
	return s
}

func (s snapshot) readGroups(f *fixture, tx *sqldb.Tx) error {
	return errors.Join(
		each(f, tx, "SELECT id, org_id FROM account_groups", func(row *sql.Rows) error {
			var g accounts.Group
			err := row.Scan(&g.ID, &g.OrgID)
			s.groups[g.ID] = g
			return err
		}),
		each(f, tx, "SELECT group_id, role FROM group_roles", func(row *sql.Rows) error {
			var id uuid.UUID
			var role string
			err := row.Scan(&id, &role)
			g := s.groups[id]
			g.Roles = append(g.Roles, role)
			s.groups[id] = g
			return err
		}),
		each(f, tx, "SELECT group_id, account_id FROM group_members", func(row *sql.Rows) error {
			var id, account uuid.UUID
			err := row.Scan(&id, &account)
			g := s.groups[id]
			g.Members = append(g.Members, account)
			s.groups[id] = g
			return err
		}),
	)
}

func (s snapshot) readAccounts(f *fixture, tx *sqldb.Tx) error {
	return errors.Join(
		each(f, tx, "SELECT id, org_id, COALESCE(role, ''), scopes, disabled FROM service_accounts", func(row *sql.Rows) error {
			var a accounts.ServiceAccount
			var scopes string
			err := row.Scan(&a.ID, &a.OrgID, &a.Role, &scopes, &a.Disabled)
			a.Scopes = authz.TrustedSet(scopes)
			s.accounts[a.ID] = a
			return err
		}),
		each(f, tx, "SELECT id, account_id, org_id, client_id, scopes, disabled, last_seq FROM credentials", func(row *sql.Rows) error {
			var c accounts.Credential
			var scopes string
			err := row.Scan(&c.ID, &c.AccountID, &c.OrgID, &c.ClientID, &scopes, &c.Disabled, &c.LastSeq)
			c.Scopes = authz.TrustedSet(scopes)
			s.credentials[c.ID] = c
			return err
		}),
		each(f, tx, "SELECT id, credential_id FROM secrets", func(row *sql.Rows) error {
			var id, credential uuid.UUID
			err := row.Scan(&id, &credential)
			s.secrets[id] = credential
			return err
		}),
	)
}

// rolesOf lists the roles that an account has, directly and as a member of groups. It goes
// by the groups' members, and not by the account's own list.
func (s snapshot) rolesOf(account accounts.ServiceAccount) []accounts.Role {
	slugs := map[string]bool{account.Role: true}
	for _, group := range s.groups {
		if slices.Contains(group.Members, account.ID) {
			for _, slug := range group.Roles {
				slugs[slug] = true
			}
		}
	}
	var roles []accounts.Role
	for slug := range slugs {
		if role, ok := s.roles[roleKey{account.OrgID, slug}]; ok {
			roles = append(roles, role)
		}
	}
	return roles
}

func (s snapshot) permits(account accounts.ServiceAccount, word string) bool {
	return within(account.Scopes, word) &&
		slices.ContainsFunc(s.rolesOf(account), func(r accounts.Role) bool { return means(r.Permissions, word) })
}

// power is what each holder can do: the accounts and credentials that are enabled, every
// secret of such a credential, and what is power in waiting, roles, groups and default roles.
func (s snapshot) power() map[string]map[string]bool {
	all := map[string]map[string]bool{}
	add := func(holder, word string, has bool) {
		if all[holder] == nil {
			all[holder] = map[string]bool{}
		}
		if has {
			all[holder][word] = true
		}
	}
	for _, word := range words {
		for key, role := range s.roles {
			add("role "+key.org.String()+key.slug, word, means(role.Permissions, word))
			add("delegable "+key.org.String()+key.slug, word, role.Delegable && means(role.Permissions, word))
		}
		for _, account := range s.accounts {
			add("account "+account.ID.String(), word, !account.Disabled && s.permits(account, word))
		}
		for id := range s.credentials {
			add("credential "+id.String(), word, s.works(id, word))
		}
		for id, credential := range s.secrets {
			add("secret "+id.String(), word, s.works(credential, word))
		}
	}
	return all
}

func (s snapshot) works(credentialID uuid.UUID, word string) bool {
	credential := s.credentials[credentialID]
	account := s.accounts[credential.AccountID]
	return !credential.Disabled && !account.Disabled && within(credential.Scopes, word) && s.permits(account, word)
}

// delegable reports whether a role that already was delegable gives the word to the holder.
func delegable(before, after snapshot, holder, word string) bool {
	kind, rest, _ := strings.Cut(holder, " ")
	id, err := uuid.Parse(rest)
	if err != nil {
		return false // a role is never excused by itself
	}
	switch kind {
	case "secret":
		id = after.credentials[after.secrets[id]].AccountID
	case "credential":
		id = after.credentials[id].AccountID
	}
	return slices.ContainsFunc(after.rolesOf(after.accounts[id]), func(now accounts.Role) bool {
		was := before.roles[roleKey{now.OrgID, now.Slug}]
		return was.Delegable && means(was.Permissions, word)
	})
}
