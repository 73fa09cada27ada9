package accounts

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"
)

// callerStands refuses the write of a caller that has been cut off, or lost some of its power,
// since it was proven: a client can take seconds to send a request. It is part of the write, so
// that no cut-off can come between. Operators hold no credential and always stand.
func (c *change) callerStands(ctx context.Context) error {
	if c.by.CredentialID == uuid.Nil {
		return nil
	}
	stands, err := c.standsAsProven(ctx)
	if errors.Is(err, ErrNotFound) || (err == nil && !stands) {
		return ErrUnauthenticated
	}
	return err
}

func (c *change) standsAsProven(ctx context.Context) (bool, error) {
	org, err := c.Org(ctx, ByID(c.by.OrgID))
	if err != nil {
		return false, err
	}
	account, err := c.Account(ctx, org.ID, ByID(c.by.AccountID))
	if err != nil {
		return false, err
	}
	credential, err := c.Credential(ctx, account.ID, c.by.CredentialID)
	if err != nil {
		return false, err
	}
	if org.Disabled || account.Disabled || credential.Disabled || org.Gen+account.Gen+credential.Gen != c.by.Gen ||
		(!credential.ExpiresAt.IsZero() && !c.now.Before(credential.ExpiresAt)) {
		return false, nil
	}
	secrets, err := c.Secrets(ctx, credential.ID)
	if err != nil {
		return false, err
	}
	if !slices.ContainsFunc(secrets, func(s Secret) bool { return s.ID == c.by.SecretID && !s.expired(c.now) }) {
		return false, nil
	}
	has, err := c.powerOf(ctx, account)
	return err == nil && has.restrict(credential.Scopes).inForce().all.Contains(c.by.Holds), err
}
