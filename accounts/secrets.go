package accounts

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
	"github.com/signet-issuer/signet/internal/secret"
)

const hintLen = 4

// IssuedSecret is a secret that was just made. A repetition under the same idempotency key
// has no Value.
type IssuedSecret struct {
	Secret   Secret
	Value    secret.Text
	Repeated bool
}

// mayProve refuses to hand a secret of the credential to a caller to whom it would give too much.
func (c *change) mayProve(ctx context.Context, account ServiceAccount, credential Credential) error {
	given, err := c.powerOf(ctx, account)
	if err != nil {
		return err
	}
	return c.mayActAs(account, given, credential.Scopes)
}

// addSecret gives a credential one more secret.
func (c *change) addSecret(ctx context.Context, at holder, credential Credential, expires time.Time) (Credential, Secret, secret.Text, error) {
	credential.LastSeq++
	c.touch(&credential.Stamp)
	if err := c.Tx.UpdateCredential(ctx, credential); err != nil {
		return credential, Secret{}, secret.Text{}, err
	}
	credential.Version++
	added, value, err := c.insertSecret(ctx, at, credential, expires)
	return credential, added, value, err
}

// insertSecret makes the secret whose number is the credential's newest.
func (c *change) insertSecret(ctx context.Context, at holder, credential Credential, expires time.Time) (Secret, secret.Text, error) {
	value, err := c.s.newSecret(at.org.Slug, credential)
	if err != nil {
		return Secret{}, secret.Text{}, err
	}
	id, err := c.s.newID()
	if err != nil {
		return Secret{}, secret.Text{}, err
	}
	text := value.Reveal()
	made := Secret{
		ID: id, CredentialID: credential.ID, Seq: credential.LastSeq, Hint: text[len(text)-hintLen:],
		Gen: at.org.Gen + at.account.Gen + credential.Gen, CreatedAt: c.now, ExpiresAt: expires,
	}
	return made, value, c.InsertSecret(ctx, made, c.s.peppers.hash(value))
}

func (s Secret) expired(now time.Time) bool { return !s.ExpiresAt.IsZero() && !now.Before(s.ExpiresAt) }

// NewSecret describes a secret to add to a credential.
type NewSecret struct {
	ExpiresAt time.Time
	Once      Once
}

// AddSecret gives a credential one more live secret, so that a rotation can overlap.
func (s *Service) AddSecret(ctx context.Context, by authz.Principal, at AccountRef, credentialID uuid.UUID, in NewSecret) (IssuedSecret, error) {
	var made IssuedSecret
	err := s.write(ctx, by, in.Once, func(c *change) (outcome, error) {
		owner, credential, err := c.reachSecrets(ctx, at, credentialID)
		if err != nil {
			return outcome{}, err
		}
		var rules check
		rules.expiry(in.ExpiresAt, c.now)
		if err := rules.err(); err != nil {
			return outcome{}, err
		}
		if err := c.roomForSecret(ctx, credential.ID); err != nil {
			return outcome{}, err
		}
		if err := c.mayProve(ctx, owner.account, credential); err != nil {
			return outcome{}, err
		}
		if _, made.Secret, made.Value, err = c.addSecret(ctx, owner, credential, in.ExpiresAt); err != nil {
			return outcome{}, err
		}
		return secretOutcome(audit.SecretAdded, owner.org, made.Secret), nil
	})
	if id, ok := repeated(err); ok {
		return s.repeatedSecret(ctx, by, at, credentialID, id)
	}
	return made, err
}

// reachSecrets finds a credential that may have several secrets.
func (c *change) reachSecrets(ctx context.Context, at AccountRef, credentialID uuid.UUID) (holder, Credential, error) {
	org, account, err := reachAccount(ctx, c, c.by, at, authz.Permission(authz.Credentials, authz.Update))
	if err != nil {
		return holder{}, Credential{}, err
	}
	credential, err := c.Credential(ctx, account.ID, credentialID)
	if err == nil && credential.Kind != KindSecret {
		err = &NotFoundError{What: WhatSecret}
	}
	return holder{org, account}, credential, err
}

func (c *change) roomForSecret(ctx context.Context, credentialID uuid.UUID) error {
	secrets, err := c.Secrets(ctx, credentialID)
	if err != nil {
		return err
	}
	live := 0
	for _, s := range secrets {
		if !s.expired(c.now) {
			live++
		}
	}
	if live >= MaxSecrets {
		return &LimitError{What: "live secrets of the credential"}
	}
	return nil
}

func secretOutcome(event string, org Org, made Secret) outcome {
	return outcome{event: event, org: org, target: "secret:" + made.ID.String(), id: made.ID}
}

func (s *Service) repeatedSecret(ctx context.Context, by authz.Principal, at AccountRef, credentialID, id uuid.UUID) (IssuedSecret, error) {
	list, err := s.secrets(ctx, by, at, credentialID, authz.Permission(authz.Credentials, authz.Update))
	if err != nil {
		return IssuedSecret{}, err
	}
	for _, known := range list {
		if known.ID == id {
			return IssuedSecret{Secret: known, Repeated: true}, nil
		}
	}
	return IssuedSecret{}, &NotFoundError{What: WhatSecret}
}

// Secrets lists the secrets of a credential, oldest first.
func (s *Service) Secrets(ctx context.Context, by authz.Principal, at AccountRef, credentialID uuid.UUID) ([]Secret, error) {
	return s.secrets(ctx, by, at, credentialID, authz.Permission(authz.Credentials, authz.Read))
}

func (s *Service) secrets(ctx context.Context, by authz.Principal, at AccountRef, credentialID uuid.UUID, permission authz.Pattern) ([]Secret, error) {
	var list []Secret
	var accountID uuid.UUID
	err := s.store.Read(ctx, func(r Reader) error {
		_, account, err := reachAccount(ctx, r, by, at, permission)
		if err != nil {
			return err
		}
		accountID = account.ID
		if _, err = r.Credential(ctx, account.ID, credentialID); err != nil {
			return err
		}
		list, err = r.Secrets(ctx, credentialID)
		return err
	})
	if err != nil {
		return nil, err
	}
	known := s.seen(ctx, accountID)
	for i := range list {
		list[i].LastUse = known.merge(list[i].ID, list[i].LastUse)
	}
	return list, nil
}

// RetireSecret removes one secret of a credential; the tokens that it was traded for end, and
// those of the credential's other secrets live on.
func (s *Service) RetireSecret(ctx context.Context, by authz.Principal, at AccountRef, credentialID, id uuid.UUID) error {
	_, account, err := s.AuthorizeAccount(ctx, by, at, authz.Permission(authz.Credentials, authz.Update))
	if err != nil {
		return err
	}
	s.settleUsage(ctx, account.ID)
	return s.write(ctx, by, Once{}, func(c *change) (outcome, error) {
		owner, credential, err := c.reachSecrets(ctx, at, credentialID)
		if err != nil {
			return outcome{}, err
		}
		if err := c.DeleteSecret(ctx, credential.ID, id); err != nil {
			return outcome{}, err
		}
		c.touch(&credential.Stamp)
		if err := c.Tx.UpdateCredential(ctx, credential); err != nil {
			return outcome{}, err
		}
		return secretOutcome(audit.SecretRetired, owner.org, Secret{ID: id}), c.keepAnOwner(ctx, owner.org)
	})
}
