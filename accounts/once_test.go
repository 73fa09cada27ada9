package accounts_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
)

// creation is a write that an idempotency key protects. It answers the id of the object.
type creation struct {
	permission authz.Pattern
	system     bool
	call       func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects, once accounts.Once) (made, error)
}

type made struct {
	id       uuid.UUID
	secret   bool
	repeated bool
}

var creations = map[string]creation{
	"org": {authz.Permission(authz.Settings, authz.Create), true, func(ctx context.Context, s *accounts.Service, by authz.Principal, _ objects, once accounts.Once) (made, error) {
		org, repeated, err := s.CreateOrg(ctx, by, accounts.NewOrg{Slug: "fresh", Name: "Fresh", Once: once})
		return made{org.ID, false, repeated}, err
	}},
	"role": {authz.Permission(authz.Roles, authz.Create), false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects, once accounts.Once) (made, error) {
		role, repeated, err := s.CreateRole(ctx, by, o.org, accounts.NewRole{Slug: "fresh", Name: "Fresh", Once: once})
		return made{role.ID, false, repeated}, err
	}},
	"group": {authz.Permission(authz.Groups, authz.Create), false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects, once accounts.Once) (made, error) {
		group, repeated, err := s.CreateGroup(ctx, by, o.org, accounts.NewGroup{Name: "Fresh", Once: once})
		return made{group.ID, false, repeated}, err
	}},
	"account": {authz.Permission(authz.ServiceAccounts, authz.Create), false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects, once accounts.Once) (made, error) {
		issued, err := s.CreateAccount(ctx, by, o.org, accounts.NewAccount{Name: "Fresh", Credential: &accounts.FirstCredential{}, Once: once})
		return made{issued.Account.ID, !issued.Secret.IsZero(), issued.Repeated}, err
	}},
	"credential": {authz.Permission(authz.Credentials, authz.Create), false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects, once accounts.Once) (made, error) {
		issued, err := s.CreateCredential(ctx, by, o.account, accounts.NewCredential{Kind: accounts.KindSecret, Name: "Fresh", Once: once})
		return made{issued.Credential.ID, !issued.Secret.IsZero(), issued.Repeated}, err
	}},
	"secret": {authz.Permission(authz.Credentials, authz.Update), false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects, once accounts.Once) (made, error) {
		issued, err := s.AddSecret(ctx, by, o.account, o.credential, accounts.NewSecret{Once: once})
		return made{issued.Secret.ID, !issued.Value.IsZero(), issued.Repeated}, err
	}},
	"token": {authz.Permission(authz.Credentials, authz.Create), false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects, once accounts.Once) (made, error) {
		issued, err := s.CreateCredential(ctx, by, o.account, accounts.NewCredential{Kind: accounts.KindToken, Name: "Fresh", Once: once})
		return made{issued.Credential.ID, !issued.Secret.IsZero(), issued.Repeated}, err
	}},
	"stem": {authz.Permission(authz.ServiceAccounts, authz.Create), false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects, once accounts.Once) (made, error) {
		issued, err := s.CreateAccount(ctx, by, o.org, accounts.NewAccount{Stem: "fresh", Credential: &accounts.FirstCredential{Kind: accounts.KindToken}, Once: once})
		return made{issued.Account.ID, !issued.Secret.IsZero(), issued.Repeated}, err
	}},
	"rotation of a token": {authz.Permission(authz.Credentials, authz.Update), false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects, once accounts.Once) (made, error) {
		issued, err := s.RotateOwn(ctx, by, o.account, accounts.Rotation{Once: once})
		return made{issued.Account.ID, !issued.Secret.IsZero(), issued.Repeated}, err
	}},
	"rotation": {authz.Permission(authz.Credentials, authz.Update), false, func(ctx context.Context, s *accounts.Service, by authz.Principal, o objects, once accounts.Once) (made, error) {
		issued, err := s.Rotate(ctx, by, o.account, accounts.Rotation{Once: once})
		return made{issued.Account.ID, !issued.Secret.IsZero(), issued.Repeated}, err
	}},
}

func TestI18_Once(t *testing.T) {
	for name, creation := range creations {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			acme := f.org("acme")
			o := f.objects(acme)
			by := admin(acme, "*")
			by.System = creation.system
			by.Permissions = authz.MustSet(string(creation.permission)) // a repetition needs no more than the write did
			once := accounts.Once{Key: "key-1", Fingerprint: "request-1"}
			call := func(by authz.Principal, once accounts.Once) (made, error) {
				return creation.call(t.Context(), f.Service, by, o, once)
			}
			first, err := call(by, once)
			must(t, err)
			dump := f.dump()
			again, err := call(by, once)
			must(t, err)
			if again.id != first.id || again.secret || !again.repeated || first.repeated {
				t.Errorf("first %+v, again %+v", first, again)
			}
			if f.dump() != dump {
				t.Error("the repetition changed something")
			}
			wantErr(t, f.unchanged(func() error { return fails(call(by, accounts.Once{Key: "key-1", Fingerprint: "request-2"})) }), accounts.ErrKeyReused)

			lost := by
			lost.Permissions = everythingBut(creation.permission)
			wantDenied(t, f.unchanged(func() error { return fails(call(lost, once)) }), creation.permission)

			f.clock.advance(accounts.ReceiptLifetime - time.Microsecond)
			if again, err := call(by, once); err != nil || !again.repeated {
				t.Errorf("just before a day has passed: %+v, %v", again, err)
			}
			f.clock.advance(time.Microsecond)
			if again, err := call(by, once); again.repeated || err != nil && !errors.Is(err, accounts.ErrExists) {
				t.Errorf("after a day: %+v, %v", again, err)
			}
		})
	}
}

func TestI18_Judge(t *testing.T) {
	receipt := audit.Receipt{Key: "k", Fingerprint: "a", Target: "target-1", Time: start}
	for _, test := range []struct {
		name        string
		fingerprint string
		after       time.Duration
		want        error
		target      string
	}{
		{"at once", "a", 0, nil, "target-1"},
		{"just before a day", "a", accounts.ReceiptLifetime - 1, nil, "target-1"},
		{"after a day", "a", accounts.ReceiptLifetime, nil, ""},
		{"a clock behind", "a", -time.Minute, nil, "target-1"},
		{"another request", "b", 0, accounts.ErrKeyReused, ""},
		{"another request after a day", "b", accounts.ReceiptLifetime, nil, ""},
	} {
		err := accounts.Once{Key: "k", Fingerprint: test.fingerprint}.Judge(receipt, start.Add(test.after))
		repeated, ok := errors.AsType[*accounts.RepeatedError](err)
		switch {
		case test.target != "":
			if !ok || repeated.Target != test.target {
				t.Errorf("%s: %v, want a repetition of %s", test.name, err, test.target)
			}
		case !errors.Is(err, test.want):
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

func TestI18_KeysBelongToTheirCaller(t *testing.T) {
	f := newFixture(t)
	o := f.objects(f.org("acme"))
	once := accounts.Once{Key: "key-1", Fingerprint: "request-1"}
	acme, err := f.Org(t.Context(), operator(), o.org)
	must(t, err)
	call := creations["group"].call
	first, err := call(t.Context(), f.Service, admin(acme, "*"), o, once)
	must(t, err)
	second, err := call(t.Context(), f.Service, admin(acme, "*"), o, once)
	must(t, err)
	if first.id == second.id || second.repeated {
		t.Error("a key of one caller answered another")
	}
}

func TestI17_I18_FailureKeepsNoKey(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	by := admin(acme, "*")
	create := func(name string) error {
		return fails2(f.CreateGroup(t.Context(), by, accounts.ByID(acme.ID), accounts.NewGroup{Name: name, Once: accounts.Once{Key: "k", Fingerprint: name}}))
	}
	if f.unchanged(func() error { return create("") }) == nil {
		t.Error("a group without a name")
	}
	must(t, create("Group"))
}

func TestI18_ConcurrentRepetitionsActOnce(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	o := f.objects(acme)
	by := admin(acme, "*")
	rows := f.auditRows()
	var wg sync.WaitGroup
	results := make([]made, 16)
	for i := range results {
		wg.Go(func() {
			var err error
			results[i], err = creations["account"].call(t.Context(), f.Service, by, o, accounts.Once{Key: "k", Fingerprint: "f"})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	secrets := 0
	for _, result := range results {
		if result.id != results[0].id {
			t.Error("two objects")
		}
		if result.secret {
			secrets++
		}
	}
	if secrets != 1 || f.auditRows() != rows+1 {
		t.Errorf("%d answers with a secret, %d audit rows", secrets, f.auditRows()-rows)
	}
}
