package server_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/testenv"
)

// matrix is a server with two organizations, what has been deleted, and who calls.
type matrix struct {
	*testenv.Env
	t       testing.TB
	own     estate
	foreign estate
	deleted estate // organization and objects
	nowhere estate // ids of nothing
	ended   estate // objects of the own organization that are deleted
	sibling estate // other objects of the own organization
	callers []caller
	number  int
}

type caller struct {
	name      string
	token     string
	powerless bool // its token is none
	other     bool // of the foreign organization
	system    bool
}

// estate is an organization and one of each object in it.
type estate struct {
	id                          uuid.UUID
	slug                        string
	account, credential, secret uuid.UUID
	role, group                 uuid.UUID
	jti, kid                    string
}

func newMatrix(t testing.TB) *matrix {
	t.Helper()
	m := &matrix{t: t, Env: testenv.Start(t, func(c *testenv.Config) { c.Limiter = free{} })}
	m.own, m.foreign, m.deleted = m.estate("acme"), m.estate("globex"), m.estate("gone")
	must(t, m.Service.DeleteOrg(t.Context(), testenv.Operator, accounts.ByID(m.deleted.id), nil))
	m.ended, m.sibling = m.objectsIn(m.own), m.objectsIn(m.own)
	m.end(m.ended)
	id := func() uuid.UUID { return uuid.Must(uuid.NewV7()) }
	m.nowhere = estate{
		id: id(), slug: "nowhere", account: id(), credential: id(), secret: id(), role: id(), group: id(),
		jti: strings.Repeat("A", 26), kid: "nowhere",
	}
	m.call()
	m.Clock.Stop()
	return m
}

// call makes the callers.
func (m *matrix) call() {
	m.t.Helper()
	make := func(org, role string) (testenv.Machine, string) {
		machine := m.Machine(m.t, org, "caller-"+m.next(), role)
		return machine, m.Token(m.t, machine.Login, "resource", m.Issuer)
	}
	disabled, dead := make("acme", accounts.RoleOwner)
	_, err := m.Service.UpdateAccount(m.t.Context(), testenv.Operator, disabled.At(), accounts.AccountPatch{Disabled: accounts.Some(true)})
	must(m.t, err)
	_, other := make("globex", accounts.RoleOwner)
	_, viewer := make("acme", accounts.RoleViewer)
	_, admin := make("acme", accounts.RoleAdmin)
	owner, ofOwner := make("acme", accounts.RoleOwner)
	long, err := m.Service.CreateCredential(m.t.Context(), testenv.Operator, owner.At(), accounts.NewCredential{
		Kind: accounts.KindToken, Name: "token",
	})
	must(m.t, err)
	_, machine := make("acme", accounts.RoleAPI)
	m.callers = []caller{
		{name: "anonymous"},
		{name: "bad token", token: "bad", powerless: true},
		{name: "disabled owner", token: dead, powerless: true},
		{name: "other owner", token: other, other: true},
		{name: "own machine", token: machine},
		{name: "own viewer", token: viewer},
		{name: "own admin", token: admin},
		{name: "own owner", token: ofOwner},
		{name: "own owner's account token", token: long.Secret.Reveal()},
		{name: "system owner", token: m.Token(m.t, m.Admin), system: true},
	}
}

func (m *matrix) next() string {
	m.number++
	return strconv.Itoa(m.number)
}

// estate makes an organization with its objects.
func (m *matrix) estate(slug string) estate {
	m.t.Helper()
	org := m.Org(m.t, slug, func(in *accounts.NewOrg) { in.DefaultRole = accounts.RoleAPI })
	return m.objectsIn(estate{id: org.ID, slug: org.Slug})
}

// objectsIn makes new objects in the organization of e.
func (m *matrix) objectsIn(e estate) estate {
	m.t.Helper()
	ctx, org := m.t.Context(), accounts.ByID(e.id)
	e.role = m.Role(m.t, e.slug, "role-"+m.next()).ID
	group, _, err := m.Service.CreateGroup(ctx, testenv.Operator, org, accounts.NewGroup{Name: "group " + m.next()})
	must(m.t, err)
	machine := m.Machine(m.t, e.slug, "machine-"+m.next(), accounts.RoleAPI)
	_, err = m.Service.CreateCredential(ctx, testenv.Operator, machine.At(), accounts.NewCredential{Kind: accounts.KindToken, Name: "token"})
	must(m.t, err)
	added, err := m.Service.AddSecret(ctx, testenv.Operator, machine.At(), machine.Credential.ID, accounts.NewSecret{})
	must(m.t, err)
	e.group, e.account, e.credential, e.secret = group.ID, machine.Account.ID, machine.Credential.ID, added.Secret.ID
	e.jti, _ = testenv.Payload(m.t, m.Token(m.t, machine.Login))["jti"].(string)
	e.kid = "unknown"
	return e
}

// end deletes the objects of e.
func (m *matrix) end(e estate) {
	m.t.Helper()
	ctx, org := m.t.Context(), accounts.ByID(e.id)
	must(m.t, m.Service.DeleteAccount(ctx, testenv.Operator, accounts.AccountRef{Org: org, Account: accounts.ByID(e.account)}, nil))
	must(m.t, m.Service.DeleteGroup(ctx, testenv.Operator, org, e.group, nil))
	must(m.t, m.Service.DeleteRole(ctx, testenv.Operator, org, accounts.ByID(e.role), nil))
}

// objects finds what a column asks about: an organization, and what the last part of the path
// names; what is between is of the organization. A route of the organization itself has no other object.
func (m *matrix) objects(column string, ofOrg bool) (org, object estate) {
	switch column {
	case "foreign":
		return m.foreign, m.foreign
	case "nowhere":
		return m.nowhere, m.nowhere
	case "mixed":
		return m.own, m.foreign
	case "absent":
		return m.own, m.nowhere
	case "sibling":
		return m.own, m.sibling
	case "deleted":
		if ofOrg {
			return m.deleted, m.deleted
		}
		return m.own, m.ended
	default:
		return m.own, m.own
	}
}

// heal makes new objects in the place of those that a request may have changed.
func (m *matrix) heal(column string) {
	m.t.Helper()
	switch column {
	case "own", "mixed":
		m.own = m.objectsIn(m.own)
	case "foreign":
		m.foreign = m.objectsIn(m.foreign)
	}
}

// fill writes ids into a path: of the organization, and of the object where the path ends.
func fill(path string, org, object estate) string {
	names := variable.FindAllStringSubmatch(path, -1)
	for i, name := range names {
		from := org
		if i == len(names)-1 {
			from = object
		}
		path = strings.Replace(path, name[0], from.value(name[1]), 1)
	}
	return path
}

// value spells the id that a variable of a path stands for.
func (e estate) value(name string) string {
	switch name {
	case "org", "organization_id":
		return e.slug
	case "organizationID":
		return e.id.String()
	case "slug", "serviceAccountID", "clientId":
		return e.account.String()
	case "service_account_id":
		return accounts.ShortID(e.account)
	case "credential":
		return e.credential.String()
	case "credential_id":
		return accounts.ShortID(e.credential)
	case "secret":
		return e.secret.String()
	case "role":
		return e.role.String()
	case "group", "groupid":
		return e.group.String()
	case "jti":
		return e.jti
	default:
		return e.kid
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
