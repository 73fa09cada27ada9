package accounts

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
)

// Registration is an account as one OAuth client (RFC 7591): with the client id and the secret
// that a rotation for [KindSecret] would replace.
type Registration struct {
	Org        Org
	Account    ServiceAccount
	Credential Credential // zero: the account has no secret
	RotatedAt  time.Time  // when its newest secret replaced another; zero: never, and in lists
}

// RegistrationPatch changes the fields that are present, of the account and its credential at once.
type RegistrationPatch struct {
	Account      AccountPatch
	AllowedCIDRs Optional[[]netip.Prefix]
}

// Registration returns one account as an OAuth client, to who may read accounts and credentials.
func (s *Service) Registration(ctx context.Context, by authz.Principal, at AccountRef) (Registration, error) {
	return s.registration(ctx, by, at, authz.Permission(authz.ServiceAccounts, authz.Read), authz.Permission(authz.Credentials, authz.Read))
}

// RegistrationToDelete returns what a deletion is about to end, to who may delete the account.
func (s *Service) RegistrationToDelete(ctx context.Context, by authz.Principal, at AccountRef) (Registration, error) {
	return s.registration(ctx, by, at, authz.Permission(authz.ServiceAccounts, authz.Delete))
}

func (s *Service) registration(ctx context.Context, by authz.Principal, at AccountRef, permissions ...authz.Pattern) (Registration, error) {
	var found Registration
	err := s.store.Read(ctx, func(r Reader) (err error) {
		for _, permission := range permissions {
			if found.Org, err = reach(ctx, r, by, at.Org, permission); err != nil {
				return err
			}
		}
		if found.Account, err = r.Account(ctx, found.Org.ID, at.Account); err != nil {
			return err
		}
		if found.Credential, err = secretCredential(ctx, r, found.Account.ID); err != nil {
			return err
		}
		found.RotatedAt, err = rotatedAt(ctx, r, found.Credential)
		return err
	})
	if err != nil {
		return Registration{}, err
	}
	known := s.seen(ctx, found.Account.ID)
	found.Account.LastUse = known.merge(found.Account.ID, found.Account.LastUse)
	return found, nil
}

// secretCredential is the zero credential when the account has none with a secret.
func secretCredential(ctx context.Context, r Reader, accountID uuid.UUID) (Credential, error) {
	credential, err := r.MainCredential(ctx, accountID, KindSecret)
	if errors.Is(err, ErrNotFound) {
		return Credential{}, nil
	}
	return credential, err
}

func rotatedAt(ctx context.Context, r Reader, credential Credential) (time.Time, error) {
	if credential.LastSeq < 2 {
		return time.Time{}, nil
	}
	secrets, err := r.Secrets(ctx, credential.ID)
	if err != nil || len(secrets) == 0 {
		return time.Time{}, err
	}
	return secrets[len(secrets)-1].CreatedAt, nil
}

// Registrations lists the accounts of an org as OAuth clients.
func (s *Service) Registrations(ctx context.Context, by authz.Principal, org Ref, q Query) ([]Registration, Page, error) {
	if err := q.check(); err != nil {
		return nil, Page{}, err
	}
	var list []Registration
	var page Page
	err := s.store.Read(ctx, func(r Reader) error {
		owner, err := reach(ctx, r, by, org, authz.Permission(authz.ServiceAccounts, authz.Read))
		if err == nil {
			err = by.Demand(authz.Permission(authz.Credentials, authz.Read))
		}
		if err != nil {
			return err
		}
		var found []ServiceAccount
		if found, page, err = r.Accounts(ctx, owner.ID, q); err != nil {
			return err
		}
		list = make([]Registration, len(found))
		for i, account := range found {
			list[i].Org, list[i].Account = owner, account
			if list[i].Credential, err = secretCredential(ctx, r, account.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, Page{}, err
	}
	ids := make([]uuid.UUID, len(list))
	for i := range list {
		ids[i] = list[i].Account.ID
	}
	known := s.seen(ctx, ids...)
	for i := range list {
		list[i].Account.LastUse = known.merge(ids[i], list[i].Account.LastUse)
	}
	return list, page, nil
}

// UpdateRegistration changes an account and its credential in one write, and returns both
// states. To change the addresses, the caller needs the permission on credentials, too.
func (s *Service) UpdateRegistration(ctx context.Context, by authz.Principal, at AccountRef, patch RegistrationPatch) (before, after Registration, err error) {
	err = s.write(ctx, by, Once{}, func(c *change) (outcome, error) {
		org, account, err := reachAccount(ctx, c, by, at, authz.Permission(authz.ServiceAccounts, authz.Update))
		if err != nil {
			return outcome{}, err
		}
		if err := expect(patch.Account.IfVersion, account.Version); err != nil {
			return outcome{}, err
		}
		before = Registration{Org: org, Account: account}
		if before.Credential, err = secretCredential(ctx, c, account.ID); err != nil {
			return outcome{}, err
		}
		if after, err = c.applyRegistration(ctx, before, patch); err != nil {
			return outcome{}, err
		}
		return accountOutcome(audit.AccountUpdated, org, after.Account), c.keepAnOwner(ctx, org)
	})
	if err != nil {
		return Registration{}, Registration{}, err
	}
	known := s.seen(ctx, after.Account.ID)
	after.Account.LastUse = known.merge(after.Account.ID, after.Account.LastUse)
	return before, after, nil
}

func (c *change) applyRegistration(ctx context.Context, before Registration, patch RegistrationPatch) (after Registration, err error) {
	after = before
	if after.Account, err = c.applyAccount(ctx, before.Account, patch.Account); err != nil || !patch.AllowedCIDRs.Present {
		return after, err
	}
	if err := c.by.Demand(authz.Permission(authz.Credentials, authz.Update)); err != nil {
		return after, err
	}
	if before.Credential.ID == uuid.Nil {
		return after, invalid("allowedCidrs", "restricts nothing, as the account has no secret")
	}
	after.Credential, err = c.applyCredential(ctx, after.Account, before.Credential, CredentialPatch{AllowedCIDRs: patch.AllowedCIDRs})
	return after, err
}

// DeletedAt is when an account of the org was deleted, for who may delete there. One that is not
// deleted is [ErrNotFound], whether it ever was.
func (s *Service) DeletedAt(ctx context.Context, by authz.Principal, org Ref, id uuid.UUID) (time.Time, error) {
	var at time.Time
	err := s.store.Read(ctx, func(r Reader) error {
		owner, err := reach(ctx, r, by, org, authz.Permission(authz.ServiceAccounts, authz.Delete))
		if err != nil {
			return err
		}
		at, err = r.DeletedAt(ctx, owner.ID, id)
		return err
	})
	return at, err
}
