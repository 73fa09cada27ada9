package accounts

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
	"github.com/signet-issuer/signet/internal/secret"
)

// NewAccount describes a service account to create.
type NewAccount struct {
	Slug          string // empty: by Stem, or else its own id
	Stem          string // the slug, with "-2", "-3"… at its end while an account of the org has or had it
	Name          string // empty, with Stem: the slug
	Description   string
	Role          string // slug; empty: the org's default role
	NoRole        bool   // not even the default one
	Groups        []uuid.UUID
	KnownGroups   bool // of Groups those that there are, instead of a refusal
	Scopes        authz.Set
	TokenLifetime time.Duration
	Tags          []Tag
	Credential    *FirstCredential // made with it as the primary one; nil: none
	Once          Once
}

// AccountPatch changes the fields that are present. An empty role means none.
type AccountPatch struct {
	Name          Optional[string]
	Description   Optional[string]
	Role          Optional[string]
	Groups        Optional[[]uuid.UUID]
	KnownGroups   bool // of Groups those that there are, instead of a refusal
	Scopes        Optional[authz.Set]
	TokenLifetime Optional[time.Duration]
	Tags          Optional[[]Tag]
	Disabled      Optional[bool]
	IfVersion     *int64
}

// Issued is an account together with the secret or token that was just made for it. A repetition
// under the same idempotency key has the account without the secret.
type Issued struct {
	Account    ServiceAccount
	Credential Credential // zero when none was made
	Secret     secret.Text
	Previous   time.Time // end of the older secrets, zero when there are none
	Repeated   bool

	// Of an account that was just created: its org, and what its roles permit within its scopes.
	Org     Org
	Allowed authz.Set
}

// CreateAccount makes a service account in an org.
func (s *Service) CreateAccount(ctx context.Context, by authz.Principal, org Ref, in NewAccount) (Issued, error) {
	var made Issued
	err := s.naming(ctx, by, in, func(c *change) (outcome, error) {
		owner, err := reach(ctx, c, by, org, authz.Permission(authz.ServiceAccounts, authz.Create))
		if err != nil {
			return outcome{}, err
		}
		if made, err = c.createAccount(ctx, owner, in); err != nil {
			return outcome{}, err
		}
		return accountOutcome(audit.AccountCreated, owner, made.Account), nil
	})
	if id, ok := repeated(err); ok {
		return s.repeatedAccount(ctx, by, AccountRef{Org: org, Account: ByID(id)}, authz.Permission(authz.ServiceAccounts, authz.Create))
	}
	return made, err
}

func (c *change) createAccount(ctx context.Context, org Org, in NewAccount) (Issued, error) {
	in, err := c.named(ctx, org, in)
	if err != nil {
		return Issued{}, err
	}
	if in.KnownGroups {
		if in.Groups, err = c.existing(ctx, org.ID, in.Groups); err != nil {
			return Issued{}, err
		}
	}
	account, err := c.newAccount(org, in)
	if err != nil {
		return Issued{}, err
	}
	given, err := c.checkNewAccount(ctx, in, account)
	if err != nil {
		return Issued{}, err
	}
	if err := c.mayHandOver(given); err != nil {
		return Issued{}, err
	}
	if err := accountFits(c.InsertAccount(ctx, account)); err != nil {
		return Issued{}, err
	}
	if err := c.groupsFit(ctx, ServiceAccount{}, account); err != nil {
		return Issued{}, err
	}
	made := Issued{Account: account, Org: org, Allowed: given.inForce().all}
	if in.Credential == nil {
		return made, nil
	}
	made.Credential = in.Credential.of(c, account)
	made.Secret, err = c.insertCredential(ctx, holder{org, account}, &made.Credential)
	if made.Credential.Kind == KindToken {
		made.Account.TokenExpiresAt = made.Credential.ExpiresAt
	}
	return made, err
}

func (c *change) newAccount(org Org, in NewAccount) (ServiceAccount, error) {
	id, err := c.s.newID()
	if err != nil {
		return ServiceAccount{}, err
	}
	account := ServiceAccount{
		ID: id, OrgID: org.ID, OrgSlug: org.Slug, Slug: in.Slug, Name: in.Name, Description: in.Description,
		Role: roleSlug(in.Role), Groups: sortedIDs(in.Groups), Scopes: in.Scopes,
		TokenLifetime: in.TokenLifetime, Tags: in.Tags, Version: 1, Stamp: c.created(),
	}
	if account.Role == "" && !in.NoRole {
		account.Role = org.DefaultRole
	}
	if account.Slug == "" {
		account.Slug = ShortID(id)
	}
	return account, nil
}

func (c *change) checkNewAccount(ctx context.Context, in NewAccount, account ServiceAccount) (power, error) {
	var rules check
	if in.Slug != "" {
		rules.slug(in.Slug)
	}
	rules.account(account)
	rules.groups(account.Groups)
	rules.that(in.Role == "" || !in.NoRole, "roleSlug", "must not be named for an account without a role")
	if in.Credential != nil {
		first := in.Credential.of(c, account)
		rules.kind(first.Kind, first.Shape)
		rules.cidrs(first.AllowedCIDRs)
		rules.end(first, c.now)
	}
	if err := rules.err(); err != nil {
		return power{}, err
	}
	permitted, err := c.rolesOf(ctx, account)
	if err != nil {
		return power{}, err
	}
	rules.fits(permitted, "groups")
	rules.scopesLeave(permitted, account.Scopes)
	return permitted.restrict(account.Scopes), rules.err()
}

func accountFits(err error) error {
	if errors.Is(err, ErrLimit) {
		return &LimitError{What: "service accounts of the organization"}
	}
	return err
}

func accountOutcome(event string, org Org, account ServiceAccount) outcome {
	return outcome{event: event, org: org, target: account.UserID(), id: account.ID}
}

func (s *Service) repeatedAccount(ctx context.Context, by authz.Principal, at AccountRef, permission authz.Pattern) (Issued, error) {
	account, err := s.account(ctx, by, at, permission)
	return Issued{Account: account, Repeated: true}, err
}

// Accounts lists the service accounts of an org.
func (s *Service) Accounts(ctx context.Context, by authz.Principal, org Ref, q Query) ([]ServiceAccount, Page, error) {
	if err := q.check(); err != nil {
		return nil, Page{}, err
	}
	var list []ServiceAccount
	var page Page
	err := s.store.Read(ctx, func(r Reader) error {
		owner, err := reach(ctx, r, by, org, authz.Permission(authz.ServiceAccounts, authz.Read))
		if err != nil {
			return err
		}
		list, page, err = r.Accounts(ctx, owner.ID, q)
		return err
	})
	if err != nil {
		return nil, Page{}, err
	}
	ids := make([]uuid.UUID, len(list))
	for i, account := range list {
		ids[i] = account.ID
	}
	known := s.seen(ctx, ids...)
	for i := range list {
		list[i].LastUse = known.merge(list[i].ID, list[i].LastUse)
	}
	return list, page, nil
}

// Account returns one service account.
func (s *Service) Account(ctx context.Context, by authz.Principal, at AccountRef) (ServiceAccount, error) {
	return s.account(ctx, by, at, authz.Permission(authz.ServiceAccounts, authz.Read))
}

// account reads for who holds the permission: a repeated write asks for that of the write.
func (s *Service) account(ctx context.Context, by authz.Principal, at AccountRef, permission authz.Pattern) (ServiceAccount, error) {
	_, account, err := s.AuthorizeAccount(ctx, by, at, permission)
	if err != nil {
		return ServiceAccount{}, err
	}
	account.LastUse = s.seen(ctx, account.ID).merge(account.ID, account.LastUse)
	return account, nil
}

// AuthorizeAccount returns an account on which the caller holds the permission, and its org.
func (s *Service) AuthorizeAccount(ctx context.Context, by authz.Principal, at AccountRef, permission authz.Pattern) (Org, ServiceAccount, error) {
	var org Org
	var account ServiceAccount
	err := s.store.Read(ctx, func(r Reader) (err error) {
		org, account, err = reachAccount(ctx, r, by, at, permission)
		return err
	})
	return org, account, err
}

// UpdateAccount changes an account. Disabling it ends its tokens; enabling it revives none.
func (s *Service) UpdateAccount(ctx context.Context, by authz.Principal, at AccountRef, patch AccountPatch) (ServiceAccount, error) {
	var account ServiceAccount
	err := s.write(ctx, by, Once{}, func(c *change) (outcome, error) {
		org, before, err := reachAccount(ctx, c, by, at, authz.Permission(authz.ServiceAccounts, authz.Update))
		if err != nil {
			return outcome{}, err
		}
		if err := expect(patch.IfVersion, before.Version); err != nil {
			return outcome{}, err
		}
		if patch.KnownGroups {
			if patch.Groups.Value, err = c.existing(ctx, org.ID, patch.Groups.Value); err != nil {
				return outcome{}, err
			}
		}
		if account, err = c.applyAccount(ctx, before, patch); err != nil {
			return outcome{}, err
		}
		return accountOutcome(audit.AccountUpdated, org, account), c.keepAnOwner(ctx, org)
	})
	if err != nil {
		return ServiceAccount{}, err
	}
	account.LastUse = s.seen(ctx, account.ID).merge(account.ID, account.LastUse)
	return account, nil
}

func (c *change) applyAccount(ctx context.Context, before ServiceAccount, patch AccountPatch) (ServiceAccount, error) {
	account := before
	patch.Name.apply(&account.Name)
	patch.Description.apply(&account.Description)
	patch.Scopes.apply(&account.Scopes)
	patch.TokenLifetime.apply(&account.TokenLifetime)
	patch.Tags.apply(&account.Tags)
	patch.Disabled.apply(&account.Disabled)
	if patch.Role.Present {
		account.Role = roleSlug(patch.Role.Value)
	}
	if patch.Groups.Present {
		account.Groups = sortedIDs(patch.Groups.Value)
	}
	var rules check
	rules.account(account)
	if patch.Groups.Present {
		rules.groups(account.Groups)
	}
	if err := rules.err(); err != nil {
		return ServiceAccount{}, err
	}
	if err := c.mayReshape(ctx, before, account, patch); err != nil {
		return ServiceAccount{}, err
	}
	if account.Disabled && !before.Disabled {
		account.Gen++
	}
	c.touch(&account.Stamp)
	if err := c.Tx.UpdateAccount(ctx, account); err != nil {
		return ServiceAccount{}, err
	}
	account.Version++
	return account, c.groupsFit(ctx, before, account)
}

// mayReshape checks the power of the account as it will be. What enabling it brings back counts
// as new. A patch that leaves its power alone is not judged by it: nothing may stop a disable.
func (c *change) mayReshape(ctx context.Context, before, after ServiceAccount, patch AccountPatch) error {
	enabled := before.Disabled && !after.Disabled
	reshaped := patch.Role.Present || patch.Groups.Present || patch.Scopes.Present
	if !enabled && !reshaped {
		return nil
	}
	permitted, err := c.rolesOf(ctx, after)
	if err != nil {
		return err
	}
	var rules check
	if reshaped {
		rules.scopesLeave(permitted, after.Scopes)
	}
	switch {
	case gains(before.Groups, after.Groups):
		rules.fits(permitted, "groups")
	case after.Role != "" && after.Role != before.Role:
		rules.fits(permitted, "roleSlug")
	}
	if err := rules.err(); err != nil {
		return err
	}
	has := permitted.restrict(after.Scopes)
	if enabled {
		return c.mayHandOver(has)
	}
	had, err := c.powerOf(ctx, before)
	if err != nil {
		return err
	}
	return c.mayRaise(had.inForce(), has)
}

// DeleteAccount removes an account with its credentials. Its slug stays taken for ever.
func (s *Service) DeleteAccount(ctx context.Context, by authz.Principal, at AccountRef, ifVersion *int64) error {
	var gone ServiceAccount
	err := s.write(ctx, by, Once{}, func(c *change) (outcome, error) {
		org, account, err := reachAccount(ctx, c, by, at, authz.Permission(authz.ServiceAccounts, authz.Delete))
		if err != nil {
			return outcome{}, err
		}
		if err := expect(ifVersion, account.Version); err != nil {
			return outcome{}, err
		}
		gone = account
		if err := c.Tx.DeleteAccount(ctx, org.ID, account.ID, c.now); err != nil {
			return outcome{}, err
		}
		return accountOutcome(audit.AccountDeleted, org, account), c.keepAnOwner(ctx, org)
	})
	if err == nil {
		s.erase(ctx, []uuid.UUID{gone.ID})
	}
	return err
}

// RevokeTokens ends every token of an account. New ones can be had at once.
func (s *Service) RevokeTokens(ctx context.Context, by authz.Principal, at AccountRef) error {
	return s.write(ctx, by, Once{}, func(c *change) (outcome, error) {
		org, account, err := reachAccount(ctx, c, by, at, authz.Permission(authz.Tokens, authz.Delete))
		if err != nil {
			return outcome{}, err
		}
		account.Gen++
		c.touch(&account.Stamp)
		return accountOutcome(audit.AccountTokensRevoked, org, account), c.Tx.UpdateAccount(ctx, account)
	})
}

// erase tells the shared state of accounts that are gone. What it may keep is no truth.
func (s *Service) erase(ctx context.Context, ids []uuid.UUID) {
	ctx, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	if err := s.usage.Erase(ctx, ids); err != nil {
		s.log.LogAttrs(ctx, slog.LevelWarn, "state of deleted accounts is not erased", slog.Any("error", err))
	}
}
