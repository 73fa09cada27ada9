package accounts

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
)

// Rotation describes how to replace what a credential of an account is proven by.
type Rotation struct {
	Kind      Kind          // whose: the oldest of the kind, the primary one first; empty: the primary one
	Overlap   time.Duration // how long the old secrets keep working; 0: they and their tokens end now, as a token always does
	IfVersion *int64        // of the account
	Once      Once
}

var mayRotate = authz.Permission(authz.Credentials, authz.Update)

// Rotate gives the credential that the rotation names a new secret, or a new token, which
// lives for [DefaultTokenLife]. An account without such a credential gets it.
func (s *Service) Rotate(ctx context.Context, by authz.Principal, at AccountRef, in Rotation) (Issued, error) {
	return s.rotate(ctx, by, in, func(r Reader) (turn, error) {
		org, account, err := reachAccount(ctx, r, by, at, mayRotate)
		return turn{holder: holder{org, account}}, err
	})
}

// RotateOwn is [Service.Rotate] of an account's token at a door where an account may replace
// its own: for a caller who presents a token of the account named it is that very token, and
// no permission is needed.
func (s *Service) RotateOwn(ctx context.Context, by authz.Principal, at AccountRef, in Rotation) (Issued, error) {
	in.Kind = KindToken
	return s.rotate(ctx, by, in, func(r Reader) (turn, error) {
		org, verdict := reach(ctx, r, by, at.Org, mayRotate)
		if _, denied := errors.AsType[*authz.DeniedError](verdict); verdict != nil && !denied {
			return turn{}, verdict
		}
		if own, err := reachOwn(ctx, r, org, by, at.Account); !errors.Is(err, ErrNotFound) {
			return own, err
		}
		if verdict != nil {
			return turn{}, verdict
		}
		account, err := r.Account(ctx, org.ID, at.Account)
		return turn{holder: holder{org, account}}, err
	})
}

// turn is whose turn it is to get a new secret.
type turn struct {
	holder
	own uuid.UUID // the credential that its holder replaces; zero: the caller has the permission
}

// reachOwn finds the token that the caller presents, or answers [ErrNotFound] when the caller
// presents none or names another account than its own.
func reachOwn(ctx context.Context, r Reader, org Org, by authz.Principal, ref Ref) (turn, error) {
	account, err := r.Account(ctx, org.ID, ByID(by.AccountID))
	if err != nil {
		return turn{}, err
	}
	credential, err := r.Credential(ctx, account.ID, by.CredentialID)
	if err == nil && (credential.Kind != KindToken || !ref.names(account.ID, account.Slug)) {
		err = ErrNotFound
	}
	return turn{holder{org, account}, credential.ID}, err
}

// rotate asks reach twice: before it settles what is known of uses, and in the write.
func (s *Service) rotate(ctx context.Context, by authz.Principal, in Rotation, reach func(Reader) (turn, error)) (Issued, error) {
	read := func() (t turn, err error) {
		err = s.store.Read(ctx, func(r Reader) error {
			t, err = reach(r)
			return err
		})
		return t, err
	}
	before, err := read()
	if err != nil {
		return Issued{}, err
	}
	if in.Overlap == 0 {
		s.settleUsage(ctx, before.account.ID)
	}
	var made Issued
	err = s.write(ctx, by, in.Once, func(c *change) (outcome, error) {
		t, err := reach(c)
		if err != nil {
			return outcome{}, err
		}
		if err := expect(in.IfVersion, t.account.Version); err != nil {
			return outcome{}, err
		}
		if made, err = c.rotate(ctx, t, in); err != nil {
			return outcome{}, err
		}
		return accountOutcome(audit.AccountRotated, t.org, made.Account), nil
	})
	if _, ok := repeated(err); ok {
		before, err = read()
		made = Issued{Account: before.account, Repeated: true}
	}
	if err != nil {
		return Issued{}, err
	}
	made.Account.LastUse = s.seen(ctx, made.Account.ID).merge(made.Account.ID, made.Account.LastUse)
	return made, nil
}

func (c *change) rotate(ctx context.Context, t turn, in Rotation) (Issued, error) {
	var rules check
	rules.that(in.Overlap >= 0 && in.Overlap <= MaxOverlap, "overlapSeconds", "0 to 2592000")
	rules.that(in.Kind == "" || in.Kind == KindSecret || in.Kind == KindToken, "kind", "must be secret or token")
	if err := rules.err(); err != nil {
		return Issued{}, err
	}
	// The new version tells whoever rotates at the same time that they come second.
	c.touch(&t.account.Stamp)
	if err := c.Tx.UpdateAccount(ctx, t.account); err != nil {
		return Issued{}, err
	}
	made, err := c.replace(ctx, t, in)
	if err != nil {
		return Issued{}, err
	}
	made.Account, err = c.Account(ctx, t.org.ID, ByID(t.account.ID))
	return made, err
}

// replace gives the credential that is meant a new secret, or makes it.
func (c *change) replace(ctx context.Context, t turn, in Rotation) (made Issued, err error) {
	credential, err := c.meant(ctx, t, in.Kind)
	if errors.Is(err, ErrNotFound) {
		return c.replaceNothing(ctx, t.holder, in.Kind)
	}
	if err != nil {
		return made, err
	}
	if credential.Kind == KindToken {
		if in.Overlap != 0 {
			return made, invalid("overlapSeconds", "must be 0 for a token, which ends at once")
		}
		if credential.Disabled {
			return made, ErrConflict // nobody gets a token that only comes alive later
		}
		if credential.ExpiresAt, err = c.successorEnds(ctx, t, credential); err != nil {
			return made, err
		}
	}
	if made.Previous, err = c.endSecrets(ctx, &credential, in.Overlap); err != nil {
		return made, err
	}
	if err := c.roomForSecret(ctx, credential.ID); err != nil {
		return made, err
	}
	// Who presents a token has all that its successor gives, and for as long.
	if t.own == uuid.Nil {
		if err := c.mayProve(ctx, t.account, credential); err != nil {
			return made, err
		}
	}
	made.Credential, _, made.Secret, err = c.addSecret(ctx, t.holder, credential, time.Time{})
	return made, err
}

// successorEnds is when a token ends that takes the place of another. Who replaces its own gets
// no longer life than that one was given.
func (c *change) successorEnds(ctx context.Context, t turn, credential Credential) (time.Time, error) {
	end := c.end(KindToken, time.Time{})
	if t.own == uuid.Nil {
		return end, nil
	}
	secrets, err := c.Secrets(ctx, credential.ID)
	if err != nil {
		return time.Time{}, err
	}
	for _, s := range secrets {
		if given := c.now.Add(credential.ExpiresAt.Sub(s.CreatedAt)); given.Before(end) {
			end = given
		}
	}
	return end, nil
}

// meant is the credential that the rotation names.
func (c *change) meant(ctx context.Context, t turn, kind Kind) (Credential, error) {
	if t.own != uuid.Nil {
		return c.Credential(ctx, t.account.ID, t.own)
	}
	return c.MainCredential(ctx, t.account.ID, kind)
}

// replaceNothing makes the credential that a rotation would have replaced.
func (c *change) replaceNothing(ctx context.Context, at holder, kind Kind) (made Issued, err error) {
	given, err := c.powerOf(ctx, at.account)
	if err != nil {
		return made, err
	}
	if err := c.mayHandOver(given); err != nil {
		return made, err
	}
	made.Credential = FirstCredential{Kind: kind}.of(c, at.account)
	_, err = c.MainCredential(ctx, at.account.ID, "")
	made.Credential.Primary = errors.Is(err, ErrNotFound)
	if err != nil && !made.Credential.Primary {
		return made, err
	}
	made.Secret, err = c.insertCredential(ctx, at, &made.Credential)
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
