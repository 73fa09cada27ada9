package accounts

import (
	"context"
	"errors"
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

// Rotation describes how to replace the secrets of an account's primary credential.
type Rotation struct {
	Overlap   time.Duration // how long the old secrets keep working; 0: they and their tokens end now
	IfVersion *int64        // of the account
	Once      Once
}

// Rotate gives the account's primary credential a new secret; an account without one gets it.
func (s *Service) Rotate(ctx context.Context, by authz.Principal, at AccountRef, in Rotation) (Issued, error) {
	permission := authz.Permission(authz.Credentials, authz.Update)
	if _, account, err := s.AuthorizeAccount(ctx, by, at, permission); err != nil {
		return Issued{}, err
	} else if in.Overlap == 0 {
		s.settleUsage(ctx, account.ID)
	}
	var made Issued
	err := s.write(ctx, by, in.Once, func(c *change) (outcome, error) {
		org, account, err := reachAccount(ctx, c, by, at, permission)
		if err != nil {
			return outcome{}, err
		}
		if err := expect(in.IfVersion, account.Version); err != nil {
			return outcome{}, err
		}
		if made, err = c.rotate(ctx, account, in.Overlap); err != nil {
			return outcome{}, err
		}
		return accountOutcome(audit.AccountRotated, org, made.Account), nil
	})
	if id, ok := repeated(err); ok {
		return s.repeatedAccount(ctx, by, AccountRef{Org: at.Org, Account: ByID(id)}, permission)
	}
	if err != nil {
		return Issued{}, err
	}
	made.Account.LastUse = s.seen(ctx, made.Account.ID).merge(made.Account.ID, made.Account.LastUse)
	return made, nil
}

func (c *change) rotate(ctx context.Context, account ServiceAccount, overlap time.Duration) (Issued, error) {
	var rules check
	rules.that(overlap >= 0 && overlap <= MaxOverlap, "overlapSeconds", "0 to 2592000")
	if err := rules.err(); err != nil {
		return Issued{}, err
	}
	// The new version tells whoever rotates at the same time that they come second.
	c.touch(&account.Stamp)
	if err := c.Tx.UpdateAccount(ctx, account); err != nil {
		return Issued{}, err
	}
	account.Version++
	made := Issued{Account: account}
	credential, err := c.PrimaryCredential(ctx, account.ID)
	if errors.Is(err, ErrNotFound) {
		given, err := c.powerOf(ctx, account)
		if err != nil {
			return made, err
		}
		if err := c.mayHandOver(given); err != nil {
			return made, err
		}
		made.Credential, made.Secret, err = c.insertPrimary(ctx, account)
		return made, err
	}
	if err != nil {
		return made, err
	}
	if made.Previous, err = c.endSecrets(ctx, &credential, overlap); err != nil {
		return made, err
	}
	if err := c.roomForSecret(ctx, credential.ID); err != nil {
		return made, err
	}
	made.Credential, _, made.Secret, err = c.addSecret(ctx, account, credential, time.Time{})
	return made, err
}

// endSecrets ends the secrets of a credential: with their tokens now, or after overlap. It
// answers when the last one ends.
func (c *change) endSecrets(ctx context.Context, credential *Credential, overlap time.Duration) (time.Time, error) {
	secrets, err := c.Secrets(ctx, credential.ID)
	if err != nil {
		return time.Time{}, err
	}
	if overlap == 0 {
		credential.Gen++
		for _, old := range secrets {
			if err := c.DeleteSecret(ctx, credential.ID, old.ID); err != nil {
				return time.Time{}, err
			}
		}
		return time.Time{}, nil
	}
	var last time.Time
	end := c.now.Add(overlap)
	for _, old := range secrets {
		if old.expired(c.now) {
			continue
		}
		if old.ExpiresAt.IsZero() || old.ExpiresAt.After(end) {
			old.ExpiresAt = end
			if err := c.ExpireSecret(ctx, credential.ID, old.ID, end); err != nil {
				return time.Time{}, err
			}
		}
		if old.ExpiresAt.After(last) {
			last = old.ExpiresAt
		}
	}
	return last, nil
}

// addSecret gives a credential one more secret. It hands the account's power to the caller.
func (c *change) addSecret(ctx context.Context, account ServiceAccount, credential Credential, expires time.Time) (Credential, Secret, secret.Text, error) {
	given, err := c.powerOf(ctx, account)
	if err != nil {
		return credential, Secret{}, secret.Text{}, err
	}
	if err := c.mayActAs(account, given, credential.Scopes); err != nil {
		return credential, Secret{}, secret.Text{}, err
	}
	credential.LastSeq++
	c.touch(&credential.Stamp)
	if err := c.Tx.UpdateCredential(ctx, credential); err != nil {
		return credential, Secret{}, secret.Text{}, err
	}
	credential.Version++
	added, value, err := c.insertSecret(ctx, account.OrgSlug, credential, expires)
	return credential, added, value, err
}

// insertSecret makes the secret whose number is the credential's newest.
func (c *change) insertSecret(ctx context.Context, orgSlug string, credential Credential, expires time.Time) (Secret, secret.Text, error) {
	value, err := c.s.newSecret(orgSlug)
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
		CreatedAt: c.now, ExpiresAt: expires,
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
		org, account, credential, err := c.reachSecrets(ctx, at, credentialID)
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
		if _, made.Secret, made.Value, err = c.addSecret(ctx, account, credential, in.ExpiresAt); err != nil {
			return outcome{}, err
		}
		return secretOutcome(audit.SecretAdded, org, made.Secret), nil
	})
	if id, ok := repeated(err); ok {
		return s.repeatedSecret(ctx, by, at, credentialID, id)
	}
	return made, err
}

func (c *change) reachSecrets(ctx context.Context, at AccountRef, credentialID uuid.UUID) (Org, ServiceAccount, Credential, error) {
	org, account, err := reachAccount(ctx, c, c.by, at, authz.Permission(authz.Credentials, authz.Update))
	if err != nil {
		return Org{}, ServiceAccount{}, Credential{}, err
	}
	credential, err := c.Credential(ctx, account.ID, credentialID)
	if err == nil && credential.Kind != KindSecret {
		err = ErrNotFound
	}
	return org, account, credential, err
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
	return IssuedSecret{}, ErrNotFound
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
		org, _, credential, err := c.reachSecrets(ctx, at, credentialID)
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
		return secretOutcome(audit.SecretRetired, org, Secret{ID: id}), c.keepAnOwner(ctx, org)
	})
}
