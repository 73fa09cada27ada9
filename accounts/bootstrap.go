package accounts

import (
	"context"
	"errors"
	"time"

	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
)

// BootstrapActor is the actor of what the operator's own commands write.
const BootstrapActor = "signet:bootstrap"

// Bootstrapped reports whether an enabled administrator exists: an owner of the system org.
func (s *Service) Bootstrapped(ctx context.Context) (bool, error) {
	owners := 0
	err := s.store.Read(ctx, func(r Reader) (err error) {
		owners, err = r.EnabledOwners(ctx, SystemOrgID)
		return err
	})
	return owners > 0, err
}

// Bootstrap makes an administrator: an owner of the system org, which it makes when it is
// not there. It answers [ErrExists] when there is one already, unless another is wanted.
func (s *Service) Bootstrap(ctx context.Context, another bool) (Issued, error) {
	by := authz.Operator(BootstrapActor)
	if err := s.makeSystemOrg(ctx, by); err != nil {
		return Issued{}, err
	}
	var made Issued
	err := s.write(ctx, by, Once{}, func(c *change) (outcome, error) {
		owners, err := c.EnabledOwners(ctx, SystemOrgID)
		if err != nil {
			return outcome{}, err
		}
		if owners > 0 && !another {
			return outcome{}, ErrExists
		}
		org, err := c.Org(ctx, ByID(SystemOrgID))
		if err != nil {
			return outcome{}, err
		}
		made, err = c.createAccount(ctx, org, NewAccount{
			Stem: "admin", Name: "Administrator", Role: RoleOwner, Credential: &FirstCredential{},
		})
		return accountOutcome(audit.AccountCreated, org, made.Account), err
	})
	return made, err
}

// makeSystemOrg is a write of its own, with its own event. Whoever makes the org first has
// made it for everybody.
func (s *Service) makeSystemOrg(ctx context.Context, by authz.Principal) error {
	_, err := s.Org(ctx, by, ByID(SystemOrgID))
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	err = s.write(ctx, by, Once{}, func(c *change) (outcome, error) {
		org := Org{ID: SystemOrgID, Slug: SystemOrg}
		err := c.insertOrg(ctx, &org, NewOrg{Name: "System", DefaultRole: RoleMember})
		return orgOutcome(audit.OrgCreated, org), err
	})
	if errors.Is(err, ErrExists) {
		return nil
	}
	return err
}

// Sweep removes what nothing can need any more and counts it. Secrets stay for a while after
// their end, so that an administrator can see them.
func (s *Service) Sweep(ctx context.Context) (int, error) {
	now := s.now()
	return s.store.Sweep(ctx, now.Add(-ReceiptLifetime), now.Add(-expiredSecretsKept))
}

const expiredSecretsKept = 7 * 24 * time.Hour
