package accounts_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

// objects is one of everything in an org, as a request would name it.
type objects struct {
	org        accounts.Ref
	account    accounts.AccountRef
	role       accounts.Ref
	group      uuid.UUID
	credential uuid.UUID
	secret     uuid.UUID
}

func (f *fixture) objects(org accounts.Org) objects {
	f.t.Helper()
	made := f.account(org, accounts.NewAccount{Slug: "bot", Credential: &accounts.FirstCredential{}})
	secrets, err := f.Secrets(f.t.Context(), operator(), refTo(made.Account), made.Credential.ID)
	must(f.t, err)
	return objects{
		org: accounts.ByID(org.ID), account: refTo(made.Account), role: accounts.ByID(f.role(org, "spare", "a:b").ID),
		group: f.group(org, []string{accounts.RoleAPI}).ID, credential: made.Credential.ID, secret: secrets[0].ID,
	}
}

// operation is one method of the service.
type operation struct {
	name       string
	permission authz.Pattern
	system     bool   // only for system accounts
	event      string // of the audit, empty for a read
	noObject   bool   // names nothing but the org
	call       func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error
}

func fails[T any](_ T, err error) error { return err }

func fails2[T, U any](_ T, _ U, err error) error { return err }

func operations() []operation {
	lists := [][]operation{orgOperations(), roleOperations(), groupOperations(), accountOperations(), registrationOperations(), credentialOperations()}
	var all []operation
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

func orgOperations() []operation {
	may := func(a authz.Action) authz.Pattern { return authz.Permission(authz.Settings, a) }
	return []operation{
		{"Org", may(authz.Read), false, "", true, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails(s.Org(ctx, by, o.org))
		}},
		{"UpdateOrg", may(authz.Update), false, "organizations.updated", true, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails(s.UpdateOrg(ctx, by, o.org, accounts.OrgPatch{Name: accounts.Some("New")}))
		}},
		{"UpdateOrg, disabled", may(authz.Update), true, "organizations.updated", true, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails(s.UpdateOrg(ctx, by, o.org, accounts.OrgPatch{Disabled: accounts.Some(true)}))
		}},
		{"UpdateOrg, audiences", may(authz.Update), true, "organizations.updated", true, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails(s.UpdateOrg(ctx, by, o.org, accounts.OrgPatch{Audiences: accounts.Some([]string{"https://api.example"})}))
		}},
		{"UpdateOrg, quota", may(authz.Update), true, "organizations.updated", true, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails(s.UpdateOrg(ctx, by, o.org, accounts.OrgPatch{MaxServiceAccounts: accounts.Some[*int64](nil)}))
		}},
		{"DeleteOrg", may(authz.Delete), true, "", true, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return s.DeleteOrg(ctx, by, o.org, nil)
		}},
		{"AuditEvents", authz.Permission(authz.AuditEvents, authz.Read), false, "", true, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails2(s.AuditEvents(ctx, by, o.org, accounts.AuditQuery{Limit: 5}))
		}},
	}
}

func roleOperations() []operation {
	may := func(a authz.Action) authz.Pattern { return authz.Permission(authz.Roles, a) }
	return []operation{
		{"CreateRole", may(authz.Create), false, "organizations.roles.created", true, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails2(s.CreateRole(ctx, by, o.org, accounts.NewRole{Slug: "fresh", Name: "Fresh"}))
		}},
		{"Roles", may(authz.Read), false, "", true, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			_, _, _, err := s.Roles(ctx, by, o.org, accounts.Query{Limit: 5})
			return err
		}},
		{"Role", may(authz.Read), false, "", false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails(s.Role(ctx, by, o.org, o.role))
		}},
		{"UpdateRole", may(authz.Update), false, "organizations.roles.updated", false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails(s.UpdateRole(ctx, by, o.org, o.role, accounts.RolePatch{Name: accounts.Some("New")}))
		}},
		{"DeleteRole", may(authz.Delete), false, "organizations.roles.deleted", false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return s.DeleteRole(ctx, by, o.org, o.role, nil)
		}},
	}
}

func groupOperations() []operation {
	may := func(a authz.Action) authz.Pattern { return authz.Permission(authz.Groups, a) }
	return []operation{
		{"CreateGroup", may(authz.Create), false, "organizations.groups.created", true, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails2(s.CreateGroup(ctx, by, o.org, accounts.NewGroup{Name: "Fresh"}))
		}},
		{"Groups", may(authz.Read), false, "", true, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails2(s.Groups(ctx, by, o.org, accounts.Query{Limit: 5}))
		}},
		{"Group", may(authz.Read), false, "", false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails(s.Group(ctx, by, o.org, o.group))
		}},
		{"UpdateGroup", may(authz.Update), false, "organizations.groups.updated", false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails(s.UpdateGroup(ctx, by, o.org, o.group, accounts.GroupPatch{Name: accounts.Some("New")}))
		}},
		{"DeleteGroup", may(authz.Delete), false, "organizations.groups.deleted", false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return s.DeleteGroup(ctx, by, o.org, o.group, nil)
		}},
	}
}

func accountOperations() []operation {
	may := func(a authz.Action) authz.Pattern { return authz.Permission(authz.ServiceAccounts, a) }
	return []operation{
		{"CreateAccount", may(authz.Create), false, "organizations.serviceAccounts.created", true, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails(s.CreateAccount(ctx, by, o.org, accounts.NewAccount{Name: "Fresh", Credential: &accounts.FirstCredential{}}))
		}},
		{"Accounts", may(authz.Read), false, "", true, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails2(s.Accounts(ctx, by, o.org, accounts.Query{Limit: 5}))
		}},
		{"Account", may(authz.Read), false, "", false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails(s.Account(ctx, by, o.account))
		}},
		{"UpdateAccount", may(authz.Update), false, "organizations.serviceAccounts.updated", false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails(s.UpdateAccount(ctx, by, o.account, accounts.AccountPatch{Disabled: accounts.Some(true)}))
		}},
		{"DeleteAccount", may(authz.Delete), false, "organizations.serviceAccounts.deleted", false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return s.DeleteAccount(ctx, by, o.account, nil)
		}},
		{"RevokeTokens", authz.Permission(authz.Tokens, authz.Delete), false, "organizations.serviceAccounts.tokensRevoked", false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return s.RevokeTokens(ctx, by, o.account)
		}},
		{"Rotate", authz.Permission(authz.Credentials, authz.Update), false, "organizations.serviceAccounts.rotated", false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails(s.Rotate(ctx, by, o.account, accounts.Rotation{Overlap: time.Hour}))
		}},
		{"RotateOwn", authz.Permission(authz.Credentials, authz.Update), false, "organizations.serviceAccounts.rotated", false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails(s.RotateOwn(ctx, by, o.account, accounts.Rotation{}))
		}},
	}
}

func credentialOperations() []operation {
	may := func(a authz.Action) authz.Pattern { return authz.Permission(authz.Credentials, a) }
	return []operation{
		{"CreateCredential", may(authz.Create), false, "organizations.credentials.created", false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails(s.CreateCredential(ctx, by, o.account, accounts.NewCredential{Kind: accounts.KindSecret, Name: "Fresh"}))
		}},
		{"Credentials", may(authz.Read), false, "", false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails2(s.Credentials(ctx, by, o.account, accounts.Query{Limit: 5}))
		}},
		{"Credential", may(authz.Read), false, "", false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails(s.Credential(ctx, by, o.account, o.credential))
		}},
		{"UpdateCredential", may(authz.Update), false, "organizations.credentials.updated", false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails(s.UpdateCredential(ctx, by, o.account, o.credential, accounts.CredentialPatch{Disabled: accounts.Some(true)}))
		}},
		{"DeleteCredential", may(authz.Delete), false, "organizations.credentials.deleted", false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return s.DeleteCredential(ctx, by, o.account, o.credential, nil)
		}},
		{"AddSecret", may(authz.Update), false, "organizations.secrets.added", false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails(s.AddSecret(ctx, by, o.account, o.credential, accounts.NewSecret{}))
		}},
		{"Secrets", may(authz.Read), false, "", false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return fails(s.Secrets(ctx, by, o.account, o.credential))
		}},
		{"RetireSecret", may(authz.Update), false, "organizations.secrets.retired", false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects) error {
			return s.RetireSecret(ctx, by, o.account, o.credential, o.secret)
		}},
	}
}

// TestI33_PermissionMatrix calls every method as every class of caller.
func TestI33_PermissionMatrix(t *testing.T) {
	for _, op := range operations() {
		t.Run(op.name, func(t *testing.T) {
			f := newFixture(t)
			acme, other := f.org("acme"), f.org("other")
			mine, theirs := f.objects(acme), f.objects(other)
			call := func(by authz.Principal, o objects) error { return op.call(t.Context(), f.Service, by, o) }
			refused := func(by authz.Principal, o objects) error {
				return f.unchanged(func() error { return call(by, o) })
			}

			all := admin(acme, "*")
			checkAbsent(t, "foreign org", refused(all, theirs))
			checkAbsent(t, "absent org", refused(all, objects{org: accounts.ByID(uuid.New()), account: accounts.AccountRef{Org: accounts.ByID(uuid.New()), Account: mine.account.Account}}))
			if !op.noObject {
				checkAbsent(t, "foreign object", refused(all, movedInto(mine, theirs)))
				checkAbsent(t, "absent object", refused(all, movedInto(mine, nobodys())))
			}

			lacking := admin(acme, "*")
			lacking.Permissions = everythingBut(op.permission)
			wantDenied(t, refused(lacking, mine), op.permission)

			able := admin(acme, "*")
			able.Permissions = authz.MustSet(string(op.permission))
			if op.system {
				wantDenied(t, refused(able, mine), "")
				able.System = true
			}
			if op.event == "" {
				must(t, call(able, mine))
				return
			}
			f.recorded(mine.org, op.event, func() error { return call(able, mine) })
		})
	}
}

func checkAbsent(t *testing.T, name string, err error) {
	t.Helper()
	if !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("%s: error %v, want ErrNotFound", name, err)
	}
	if _, told := errors.AsType[*authz.DeniedError](err); told {
		t.Errorf("%s: the refusal gives away that it exists", name)
	}
}

// movedInto names what is in o by paths of mine.
func movedInto(mine, o objects) objects {
	moved := o
	moved.org = mine.org
	moved.account.Org = mine.account.Org
	return moved
}

func nobodys() objects {
	return objects{
		account: accounts.AccountRef{Account: accounts.ByID(uuid.New())}, role: accounts.ByID(uuid.New()),
		group: uuid.New(), credential: uuid.New(), secret: uuid.New(),
	}
}

// everythingBut is every administrative permission but one.
func everythingBut(missing authz.Pattern) authz.Set {
	var texts []string
	for _, r := range []authz.Resource{
		authz.ServiceAccounts, authz.Credentials, authz.Roles, authz.Groups, authz.Tokens, authz.AuditEvents, authz.Settings,
	} {
		for _, a := range []authz.Action{authz.Create, authz.Read, authz.Update, authz.Delete} {
			if p := authz.Permission(r, a); p != missing {
				texts = append(texts, string(p))
			}
		}
	}
	return authz.MustSet(texts...)
}

// TestRow41_ObjectThroughAnotherParent names a credential by an account that does not own
// it, and a secret by a credential that does not.
func TestRow41_ObjectThroughAnotherParent(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	mine := f.objects(acme)
	second := f.account(acme, accounts.NewAccount{Slug: "second", Credential: &accounts.FirstCredential{}})
	for _, op := range credentialOperations() {
		if op.name == "CreateCredential" || op.name == "Credentials" {
			continue
		}
		swapped := mine
		swapped.account = refTo(second.Account)
		checkAbsent(t, op.name, f.unchanged(func() error { return op.call(t.Context(), f.Service, admin(acme, "*"), swapped) }))
	}
	swapped := mine
	swapped.account, swapped.credential = refTo(second.Account), second.Credential.ID
	checkAbsent(t, "secret of another credential", f.unchanged(func() error {
		return f.RetireSecret(t.Context(), admin(acme, "*"), swapped.account, swapped.credential, swapped.secret)
	}))
}
