package accounts_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

// TestI34_Row39_NoEscalation lets random administrators write at random. Whatever succeeds
// makes nobody more powerful than its author may make them, and leaves one audit row;
// whatever fails leaves nothing (I17, I44).
func TestI34_Row39_NoEscalation(t *testing.T) {
	var runs, allowed, refused atomic.Int64
	dir := t.TempDir()
	longRuns(t)
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt, filepath.Join(dir, fmt.Sprintf("%d.db", runs.Add(1))))
		for range rapid.IntRange(20, 60).Draw(rt, "writes") {
			if w.step(rt) == nil {
				allowed.Add(1)
			} else {
				refused.Add(1)
			}
		}
	})
	// A property that never sees a success, or never a refusal, proves nothing.
	if allowed.Load() < 50 || refused.Load() < 50 {
		t.Errorf("%d writes succeeded and %d were refused", allowed.Load(), refused.Load())
	}
}

// longRuns makes few runs of many writes out of rapid's usual hundred, as a world takes long
// to make. A number on the command line wins.
func longRuns(t *testing.T) {
	checks := flag.Lookup("rapid.checks")
	if checks.Value.String() != checks.DefValue {
		return
	}
	must(t, checks.Value.Set("15"))
	t.Cleanup(func() { must(t, checks.Value.Set(checks.DefValue)) })
}

// world is a store with two orgs and the system org, full of random administrators.
type world struct {
	*fixture
	last  snapshot
	power map[string]map[string]bool // by the last snapshot
	dump  string
	turn  int
}

func newWorld(rt *rapid.T, path string) *world {
	w := &world{fixture: openFixture(rt, path)}
	orgs := []accounts.Org{w.org("acme"), w.org("other"), w.systemOrg()}
	for i, org := range orgs {
		for n := range 2 {
			w.randomRole(rt, org, fmt.Sprintf("role-%d", n))
		}
		w.role(org, "clerk", "orgs:*")
		group := w.group(org, []string{"clerk"})
		w.group(org, []string{"role-1"})
		for n := range 4 - i {
			w.randomAdmin(rt, org, group, fmt.Sprintf("admin-%d", n))
		}
	}
	w.look()
	return w
}

// randomAdmin makes an account that may be disabled, as may its second credential.
func (w *world) randomAdmin(rt *rapid.T, org accounts.Org, clerks accounts.Group, slug string) {
	w.turn++
	in := accounts.NewAccount{
		Slug: slug, Name: "Admin", Role: w.roleSlug(rt), Scopes: scopes(rt), Credential: maybeFirst(rt),
	}
	if rapid.IntRange(0, 3).Draw(rt, "clerk") > 0 {
		in.Groups = []uuid.UUID{clerks.ID}
	}
	made, err := w.CreateAccount(rt.Context(), operator(), accounts.ByID(org.ID), in)
	if _, invalid := errors.AsType[*accounts.InvalidError](err); invalid {
		return // a role that is not there yet, or scopes that leave nothing
	}
	must(rt, err)
	second, err := w.CreateCredential(rt.Context(), operator(), refTo(made.Account), accounts.NewCredential{
		Kind: accounts.KindSecret, Name: "Second", Scopes: made.Account.Scopes,
	})
	must(rt, err)
	_, err = w.UpdateCredential(rt.Context(), operator(), refTo(made.Account), second.Credential.ID, accounts.CredentialPatch{
		Scopes: maybe(rt, authz.MustSet("orgs:*", "llm:chat")), Disabled: maybe(rt, true),
	})
	if _, invalid := errors.AsType[*accounts.InvalidError](err); !invalid {
		must(rt, err)
	}
	_, err = w.UpdateAccount(rt.Context(), operator(), refTo(made.Account), accounts.AccountPatch{
		Disabled: accounts.Some(rapid.IntRange(0, 3).Draw(rt, "account disabled") == 0),
	})
	must(rt, err)
}

func (w *world) randomRole(rt *rapid.T, org accounts.Org, slug string) {
	_, _, err := w.CreateRole(rt.Context(), operator(), accounts.ByID(org.ID), accounts.NewRole{
		Slug: slug, Name: "Role", Permissions: patterns(rt, 3), Delegable: rapid.Bool().Draw(rt, "delegable"),
	})
	must(rt, err)
}

func (w *world) look() {
	w.last, w.dump = w.snapshot(), w.fixture.dump()
	w.power = w.last.power()
}

func patterns(rt *rapid.T, most int) authz.Set {
	return authz.MustSet(rapid.SliceOfN(rapid.SampledFrom(pool), 0, most).Draw(rt, "patterns")...)
}

// scopes is mostly empty, for no restriction.
func scopes(rt *rapid.T) authz.Set {
	if rapid.IntRange(0, 3).Draw(rt, "restricted") > 0 {
		return authz.Set{}
	}
	return patterns(rt, 3)
}

func (w *world) roleSlug(rt *rapid.T) string {
	return pick(w, rt, []string{
		"", "role-0", "role-1", "role-0", "role-1", "made", "org:role-1", accounts.RoleAdmin, accounts.RoleOwner,
		accounts.RoleViewer, accounts.RoleAgentStandard, accounts.RoleAPI, accounts.RoleMember,
	})
}

// actor is a random enabled account with a token that may be narrower than the account.
func (w *world) actor(rt *rapid.T) authz.Principal {
	var enabled []accounts.Credential
	for _, credential := range sortedByID(w.last.credentials) {
		if !credential.Disabled && !w.last.accounts[credential.AccountID].Disabled {
			enabled = append(enabled, credential)
		}
	}
	if len(enabled) == 0 {
		return operator()
	}
	credential := pick(w, rt, enabled)
	standing, err := w.store.StandingByClient(rt.Context(), credential.ClientID, credential.LastSeq)
	must(rt, err)
	by := authz.Principal{
		OrgID: standing.OrgID, System: standing.System(), AccountID: standing.AccountID, CredentialID: standing.CredentialID,
		SecretID: standing.SecretID, Gen: standing.Gen,
		Subject: standing.Subject(), Holds: standing.Allowed(), Permissions: standing.Allowed().Intersect(authz.AdminScopes),
	}
	for _, word := range words {
		if means(by.Holds, word) != w.last.works(credential.ID, word) {
			rt.Fatalf("%s: the standing and the model differ about %s", by.Subject, word)
		}
	}
	if standing.Kind == accounts.KindToken {
		return by // it says what its credential is allowed
	}
	if narrow := scopes(rt); !narrow.Empty() {
		by.Permissions = by.Permissions.Intersect(narrow)
	}
	return by
}

// step makes one random write and checks what became of it.
func (w *world) step(rt *rapid.T) error {
	w.turn++
	by := w.actor(rt)
	before, was, dumped, rows := w.last, w.power, w.dump, w.auditRows()
	name := pick(w, rt, writeNames)
	err := writes[name](rt.Context(), w, rt, by)
	if err != nil {
		if w.fixture.dump() != dumped {
			rt.Fatalf("%s failed (%v) and left a trace", name, err)
		}
		return err
	}
	w.look()
	if got := w.auditRows() - rows; got != 1 {
		rt.Fatalf("%s left %d audit rows", name, got)
	}
	w.checkPower(rt, by, name, before, was)
	w.checkDefaultRoles(rt, by, name, before)
	return nil
}

func (w *world) checkPower(rt *rapid.T, by authz.Principal, name string, before snapshot, was map[string]map[string]bool) {
	for holder, has := range w.power {
		for word := range has {
			held := means(by.Holds, word) && (!means(authz.AdminScopes, word) || means(by.Permissions, word))
			if !was[holder][word] && !held && !(delegates(by) && delegable(before, w.last, holder, word)) {
				rt.Fatalf("%s by %s (holds %v, token %v) gave %s to %s", name, by.Subject, by.Holds, by.Permissions, word, holder)
			}
		}
	}
}

func (w *world) checkDefaultRoles(rt *rapid.T, by authz.Principal, name string, before snapshot) {
	for id, org := range w.last.orgs {
		role := w.last.roles[roleKey{id, org.DefaultRole}]
		if role.Slug == accounts.RoleOwner || role.Slug == accounts.RoleAdmin {
			rt.Fatalf("%s made %s a default role", name, role.Slug)
		}
		if before.orgs[id].DefaultRole == org.DefaultRole {
			continue
		}
		for _, word := range words {
			if means(role.Permissions, word) && !role.Delegable && !means(by.Holds, word) {
				rt.Fatalf("%s by %s made a default role that gives %s", name, by.Subject, word)
			}
		}
	}
}

var writeNames = []string{
	"create role", "patch role", "create group", "patch group", "delete group", "create account", "patch account",
	"patch account", "enable account", "default role", "create credential", "patch credential", "add secret", "rotate", "rotate a token", "rotate its own", "delete account",
}

var writes = map[string]func(ctx context.Context, w *world, rt *rapid.T, by authz.Principal) error{
	"create role": func(ctx context.Context, w *world, rt *rapid.T, by authz.Principal) error {
		return fails2(w.CreateRole(ctx, by, w.place(rt, by), accounts.NewRole{
			Slug: "made", Name: "Made", Permissions: patterns(rt, 2), Delegable: rapid.Bool().Draw(rt, "delegable"),
		}))
	},
	"patch role": func(ctx context.Context, w *world, rt *rapid.T, by authz.Principal) error {
		return fails(w.UpdateRole(ctx, by, w.place(rt, by), accounts.BySlug(pick(w, rt, []string{"role-0", "role-1", "made", "clerk", "api"})), accounts.RolePatch{
			Permissions: maybe(rt, patterns(rt, 3)), Delegable: maybe(rt, rapid.Bool().Draw(rt, "delegable")),
		}))
	},
	"create group": func(ctx context.Context, w *world, rt *rapid.T, by authz.Principal) error {
		org := w.place(rt, by)
		return fails2(w.CreateGroup(ctx, by, org, accounts.NewGroup{
			Name: "Made", Roles: []string{w.roleSlug(rt)}, Members: w.members(rt, org.ID),
		}))
	},
	"patch group": func(ctx context.Context, w *world, rt *rapid.T, by authz.Principal) error {
		group := w.someGroup(rt, by)
		return fails(w.UpdateGroup(ctx, by, accounts.ByID(group.OrgID), group.ID, accounts.GroupPatch{
			Roles: maybe(rt, []string{w.roleSlug(rt)}), Members: maybe(rt, w.members(rt, group.OrgID)),
		}))
	},
	"delete group": func(ctx context.Context, w *world, rt *rapid.T, by authz.Principal) error {
		group := w.someGroup(rt, by)
		return w.DeleteGroup(ctx, by, accounts.ByID(group.OrgID), group.ID, nil)
	},
	"create account": func(ctx context.Context, w *world, rt *rapid.T, by authz.Principal) error {
		org := w.place(rt, by)
		return fails(w.CreateAccount(ctx, by, org, accounts.NewAccount{
			Name: "Made", Role: w.roleSlug(rt), Groups: w.groupsOf(rt, org.ID), Scopes: scopes(rt), Credential: maybeFirst(rt),
		}))
	},
	"patch account": func(ctx context.Context, w *world, rt *rapid.T, by authz.Principal) error {
		account := w.someAccount(rt, by)
		return fails(w.UpdateAccount(ctx, by, refTo(account), accounts.AccountPatch{
			Role: maybe(rt, w.roleSlug(rt)), Groups: maybe(rt, w.groupsOf(rt, account.OrgID)), Scopes: maybe(rt, scopes(rt)),
			Disabled: maybe(rt, rapid.Bool().Draw(rt, "disabled")),
		}))
	},
	"enable account": func(ctx context.Context, w *world, rt *rapid.T, by authz.Principal) error {
		return fails(w.UpdateAccount(ctx, by, refTo(w.someAccount(rt, by)), accounts.AccountPatch{Disabled: accounts.Some(rapid.IntRange(0, 2).Draw(rt, "disabled") == 0)}))
	},
	"delete account": func(ctx context.Context, w *world, rt *rapid.T, by authz.Principal) error {
		return w.DeleteAccount(ctx, by, refTo(w.someAccount(rt, by)), nil)
	},
	"default role": func(ctx context.Context, w *world, rt *rapid.T, by authz.Principal) error {
		return fails(w.UpdateOrg(ctx, by, w.place(rt, by), accounts.OrgPatch{DefaultRole: accounts.Some(w.roleSlug(rt))}))
	},
	"create credential": func(ctx context.Context, w *world, rt *rapid.T, by authz.Principal) error {
		return fails(w.CreateCredential(ctx, by, refTo(w.someAccount(rt, by)), accounts.NewCredential{
			Kind: rapid.SampledFrom([]accounts.Kind{accounts.KindSecret, accounts.KindToken}).Draw(rt, "kind"), Name: "Made", Scopes: scopes(rt),
		}))
	},
	"patch credential": func(ctx context.Context, w *world, rt *rapid.T, by authz.Principal) error {
		credential := w.someCredential(rt, by)
		return fails(w.UpdateCredential(ctx, by, refTo(w.last.accounts[credential.AccountID]), credential.ID, accounts.CredentialPatch{
			Scopes: maybe(rt, scopes(rt)), Disabled: maybe(rt, rapid.Bool().Draw(rt, "disabled")),
			AllowedCIDRs: maybe(rt, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}), ExpiresAt: maybe(rt, start.Add(time.Hour)),
		}))
	},
	"add secret": func(ctx context.Context, w *world, rt *rapid.T, by authz.Principal) error {
		credential := w.someCredential(rt, by)
		return fails(w.AddSecret(ctx, by, refTo(w.last.accounts[credential.AccountID]), credential.ID, accounts.NewSecret{}))
	},
	"rotate": func(ctx context.Context, w *world, rt *rapid.T, by authz.Principal) error {
		overlap := rapid.SampledFrom([]time.Duration{0, time.Hour}).Draw(rt, "overlap")
		return fails(w.Rotate(ctx, by, refTo(w.someAccount(rt, by)), accounts.Rotation{Overlap: overlap}))
	},
	"rotate a token": func(ctx context.Context, w *world, rt *rapid.T, by authz.Principal) error {
		return fails(w.Rotate(ctx, by, refTo(w.someAccount(rt, by)), accounts.Rotation{Kind: accounts.KindToken}))
	},
	"rotate its own": func(ctx context.Context, w *world, rt *rapid.T, by authz.Principal) error {
		account := w.last.accounts[by.AccountID]
		if rapid.IntRange(0, 3).Draw(rt, "another's") == 0 {
			account = w.someAccount(rt, by)
		}
		return fails(w.RotateOwn(ctx, by, refTo(account), accounts.Rotation{}))
	},
}

// delegates reports whether the administrator may give delegable roles at all.
func delegates(by authz.Principal) bool {
	return by.Permissions.Covers("orgs:service-accounts:create") || by.Permissions.Covers("orgs:service-accounts:update")
}

func TestI34_DelegableRolesAreForThoseWhoMakeAccounts(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	made := f.account(acme, accounts.NewAccount{Role: accounts.RoleAPI, Credential: &accounts.FirstCredential{}})
	grouper, keeper := admin(acme, "orgs:groups:*"), admin(acme, "orgs:credentials:*")
	wantDenied(t, f.unchanged(func() error {
		_, _, err := f.CreateGroup(t.Context(), grouper, accounts.ByID(acme.ID), accounts.NewGroup{
			Name: "Mine", Roles: []string{accounts.RoleAPI}, Members: []uuid.UUID{made.Account.ID},
		})
		return err
	}), "")
	wantDenied(t, f.unchanged(func() error {
		return fails(f.CreateCredential(t.Context(), keeper, refTo(made.Account), accounts.NewCredential{Kind: accounts.KindSecret, Name: "Mine"}))
	}), "")
	wantDenied(t, f.unchanged(func() error {
		return fails(f.Rotate(t.Context(), keeper, refTo(made.Account), accounts.Rotation{}))
	}), "")
	maker := admin(acme, "orgs:credentials:*", "orgs:service-accounts:update")
	_, err := f.CreateCredential(t.Context(), maker, refTo(made.Account), accounts.NewCredential{Kind: accounts.KindSecret, Name: "Mine"})
	must(t, err)
}

// Whoever holds a credential acts under the account's name, however narrow its ceiling.
func TestI34_NobodyActsUnderAStrongerName(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	boss := f.account(acme, accounts.NewAccount{Role: accounts.RoleOwner, Credential: &accounts.FirstCredential{}})
	narrow := accounts.NewCredential{Kind: accounts.KindSecret, Name: "Narrow", Scopes: authz.MustSet("orgs:roles:*")}
	wantDenied(t, f.unchanged(func() error {
		return fails(f.CreateCredential(t.Context(), admin(acme, "orgs:*"), refTo(boss.Account), narrow))
	}), "")
	made, err := f.CreateCredential(t.Context(), operator(), refTo(boss.Account), narrow)
	must(t, err)
	wantDenied(t, f.unchanged(func() error {
		return fails(f.AddSecret(t.Context(), admin(acme, "orgs:*"), refTo(boss.Account), made.Credential.ID, accounts.NewSecret{}))
	}), "")
	itself := admin(acme, "orgs:roles:*", "orgs:credentials:*")
	itself.AccountID = boss.Account.ID
	_, err = f.AddSecret(t.Context(), itself, refTo(boss.Account), made.Credential.ID, accounts.NewSecret{})
	must(t, err)
}

// maybeFirst is the credential of a new account: a secret, a token, or none.
func maybeFirst(rt *rapid.T) *accounts.FirstCredential {
	return rapid.SampledFrom([]*accounts.FirstCredential{
		nil, {}, {}, {Kind: accounts.KindToken}, {Shape: accounts.Alphanumeric},
	}).Draw(rt, "first credential")
}
