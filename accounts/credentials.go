package accounts

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
	"github.com/signet-issuer/signet/internal/secret"
)

// NewCredential describes a credential to create.
type NewCredential struct {
	Kind         Kind
	Shape        Shape // empty: Native
	Name         string
	Description  string
	Scopes       authz.Set
	AllowedCIDRs []netip.Prefix
	ExpiresAt    time.Time // zero: never, or for a token after [DefaultTokenLife]
	Once         Once
}

// CredentialPatch changes the fields that are present.
type CredentialPatch struct {
	Name         Optional[string]
	Description  Optional[string]
	Scopes       Optional[authz.Set]
	AllowedCIDRs Optional[[]netip.Prefix]
	ExpiresAt    Optional[time.Time]
	Disabled     Optional[bool]
	IfVersion    *int64
}

// IssuedCredential is a credential with the secret or token that was just made for it.
type IssuedCredential struct {
	Credential Credential
	Secret     secret.Text
	Repeated   bool
}

// Names of the credentials that nobody names.
const (
	primaryName = "primary"
	tokenName   = "token"
)

// CreateCredential gives an account one more way to prove itself. It hands the account's
// power to the caller, who must be allowed to grant it.
func (s *Service) CreateCredential(ctx context.Context, by authz.Principal, at AccountRef, in NewCredential) (IssuedCredential, error) {
	var made IssuedCredential
	err := s.write(ctx, by, in.Once, func(c *change) (outcome, error) {
		org, account, err := reachAccount(ctx, c, by, at, authz.Permission(authz.Credentials, authz.Create))
		if err != nil {
			return outcome{}, err
		}
		made.Credential = Credential{
			AccountID: account.ID, OrgID: account.OrgID, Kind: in.Kind, Shape: in.Shape.orNative(), Name: in.Name, Description: in.Description,
			Scopes: in.Scopes, AllowedCIDRs: sortedPrefixes(in.AllowedCIDRs), ExpiresAt: c.end(in.Kind, in.ExpiresAt),
		}
		if err := c.checkNewCredential(ctx, account, made.Credential); err != nil {
			return outcome{}, err
		}
		if made.Secret, err = c.insertCredential(ctx, holder{org, account}, &made.Credential); err != nil {
			return outcome{}, err
		}
		return credentialOutcome(audit.CredentialCreated, org, made.Credential), nil
	})
	if id, ok := repeated(err); ok {
		made.Credential, err = s.credential(ctx, by, at, id, authz.Permission(authz.Credentials, authz.Create))
		return IssuedCredential{Credential: made.Credential, Repeated: true}, err
	}
	return made, err
}

// checkNewCredential checks a credential and that it is the caller's to hand over.
func (c *change) checkNewCredential(ctx context.Context, account ServiceAccount, credential Credential) error {
	permitted, err := c.powerOf(ctx, account)
	if err != nil {
		return err
	}
	var rules check
	rules.kind(credential.Kind, credential.Shape)
	rules.credential(credential)
	rules.end(credential, c.now)
	rules.scopesLeave(permitted, credential.Scopes)
	if err := rules.err(); err != nil {
		return err
	}
	return c.mayActAs(account, permitted, credential.Scopes)
}

// end is when a credential ends for which no end was named.
func (c *change) end(kind Kind, named time.Time) time.Time {
	if kind == KindToken && named.IsZero() {
		return c.now.Add(DefaultTokenLife)
	}
	return named
}

func (c *check) kind(kind Kind, shape Shape) {
	c.that(kind == KindSecret || kind == KindToken, "kind", "must be secret or token")
	c.that(shape.known() && (kind != KindToken || shape == Native), "shape", "is not one for this kind")
}

// end checks when a credential ends. A token must.
func (c *check) end(credential Credential, now time.Time) {
	c.expiry(credential.ExpiresAt, now)
	if credential.Kind == KindToken {
		c.that(!credential.ExpiresAt.IsZero() && !credential.ExpiresAt.After(now.Add(MaxTokenLife)), "expiresAt",
			"a token lives at most 366 days")
	}
}

func (c *check) credential(credential Credential) {
	c.name(credential.Name)
	c.description(credential.Description)
	c.cidrs(credential.AllowedCIDRs)
}

// FirstCredential describes the credential that an account is made with. The zero value is a
// secret in the native shape that never ends.
type FirstCredential struct {
	Kind         Kind  // empty: [KindSecret]
	Shape        Shape // empty: Native
	AllowedCIDRs []netip.Prefix
	ExpiresAt    time.Time // zero: never, or for a token after [DefaultTokenLife]
}

// of is the credential of an account that f describes.
func (f FirstCredential) of(c *change, account ServiceAccount) Credential {
	kind, name := cmp.Or(f.Kind, KindSecret), primaryName
	if kind == KindToken {
		name = tokenName
	}
	return Credential{
		AccountID: account.ID, OrgID: account.OrgID, Kind: kind, Shape: f.Shape.orNative(), Name: name,
		AllowedCIDRs: sortedPrefixes(f.AllowedCIDRs), ExpiresAt: c.end(kind, f.ExpiresAt), Primary: true,
	}
}

// holder is the account that a credential is for, with its org.
type holder struct {
	org     Org
	account ServiceAccount
}

// insertCredential fills what is generated, and stores the credential with its first secret.
func (c *change) insertCredential(ctx context.Context, at holder, credential *Credential) (secret.Text, error) {
	var err error
	if credential.ID, err = c.s.newID(); err != nil {
		return secret.Text{}, err
	}
	if credential.ClientID, err = c.freeClientID(ctx, credential.Shape); err != nil {
		return secret.Text{}, err
	}
	credential.Version, credential.LastSeq, credential.Stamp = 1, 1, c.created()
	if err := c.InsertCredential(ctx, *credential); err != nil {
		return secret.Text{}, err
	}
	_, value, err := c.insertSecret(ctx, at, *credential, time.Time{})
	return value, err
}

// clientIDAttempts bounds how often a client id is made that is taken: not even a million
// accounts with the shortest ones make two attempts likely.
const clientIDAttempts = 10

// freeClientID looks before it takes one: a database goes on after no insert that failed.
func (c *change) freeClientID(ctx context.Context, shape Shape) (string, error) {
	for range clientIDAttempts {
		id, err := c.s.newClientID(shape)
		if err != nil || shape != Prefixed {
			return id, err
		}
		if taken, err := c.ClientIDTaken(ctx, id); err != nil || !taken {
			return id, err
		}
	}
	return "", errors.New("no free client id was found: the random numbers repeat")
}

func credentialOutcome(event string, org Org, credential Credential) outcome {
	return outcome{
		event: event, org: org,
		target: "credential:" + credential.ID.String(), id: credential.ID,
	}
}

// Credentials lists the credentials of an account.
func (s *Service) Credentials(ctx context.Context, by authz.Principal, at AccountRef, q Query) ([]Credential, Page, error) {
	if err := q.check(); err != nil {
		return nil, Page{}, err
	}
	var list []Credential
	var page Page
	var accountID uuid.UUID
	err := s.store.Read(ctx, func(r Reader) error {
		_, account, err := reachAccount(ctx, r, by, at, authz.Permission(authz.Credentials, authz.Read))
		if err != nil {
			return err
		}
		accountID = account.ID
		list, page, err = r.Credentials(ctx, account.ID, q)
		return err
	})
	if err != nil {
		return nil, Page{}, err
	}
	known := s.seen(ctx, accountID)
	for i := range list {
		list[i].LastUse = known.merge(list[i].ID, list[i].LastUse)
	}
	return list, page, nil
}

// Credential returns one credential of an account.
func (s *Service) Credential(ctx context.Context, by authz.Principal, at AccountRef, id uuid.UUID) (Credential, error) {
	return s.credential(ctx, by, at, id, authz.Permission(authz.Credentials, authz.Read))
}

func (s *Service) credential(ctx context.Context, by authz.Principal, at AccountRef, id uuid.UUID, permission authz.Pattern) (Credential, error) {
	var credential Credential
	err := s.store.Read(ctx, func(r Reader) error {
		_, account, err := reachAccount(ctx, r, by, at, permission)
		if err != nil {
			return err
		}
		credential, err = r.Credential(ctx, account.ID, id)
		return err
	})
	if err != nil {
		return Credential{}, err
	}
	credential.LastUse = s.seen(ctx, credential.AccountID).merge(id, credential.LastUse)
	return credential, nil
}

// UpdateCredential changes a credential. Disabling it ends its tokens; enabling it revives none.
func (s *Service) UpdateCredential(ctx context.Context, by authz.Principal, at AccountRef, id uuid.UUID, patch CredentialPatch) (Credential, error) {
	var credential Credential
	err := s.write(ctx, by, Once{}, func(c *change) (outcome, error) {
		org, account, err := reachAccount(ctx, c, by, at, authz.Permission(authz.Credentials, authz.Update))
		if err != nil {
			return outcome{}, err
		}
		before, err := c.Credential(ctx, account.ID, id)
		if err != nil {
			return outcome{}, err
		}
		if err := expect(patch.IfVersion, before.Version); err != nil {
			return outcome{}, err
		}
		if credential, err = c.applyCredential(ctx, account, before, patch); err != nil {
			return outcome{}, err
		}
		return credentialOutcome(audit.CredentialUpdated, org, credential), c.keepAnOwner(ctx, org)
	})
	if err != nil {
		return Credential{}, err
	}
	credential.LastUse = s.seen(ctx, credential.AccountID).merge(id, credential.LastUse)
	return credential, nil
}

func (c *change) applyCredential(ctx context.Context, account ServiceAccount, before Credential, patch CredentialPatch) (Credential, error) {
	after := before
	patch.Name.apply(&after.Name)
	patch.Description.apply(&after.Description)
	patch.Scopes.apply(&after.Scopes)
	patch.ExpiresAt.apply(&after.ExpiresAt)
	patch.Disabled.apply(&after.Disabled)
	if patch.AllowedCIDRs.Present {
		after.AllowedCIDRs = sortedPrefixes(patch.AllowedCIDRs.Value)
	}
	if err := c.mayAlter(ctx, account, alteration{before, after, patch}); err != nil {
		return Credential{}, err
	}
	if after.Disabled && !before.Disabled {
		after.Gen++
	}
	c.touch(&after.Stamp)
	if err := c.Tx.UpdateCredential(ctx, after); err != nil {
		return Credential{}, err
	}
	after.Version++
	return after, nil
}

type alteration struct {
	before, after Credential
	patch         CredentialPatch
}

// mayAlter checks what the patch changes, as nothing else may stop a disable, and that a
// credential which becomes good for more is the caller's to hand over.
func (c *change) mayAlter(ctx context.Context, account ServiceAccount, a alteration) error {
	var rules check
	rules.credential(a.after)
	if a.patch.ExpiresAt.Present {
		rules.end(a.after, c.now)
	}
	narrows := a.after.narrows(a.before)
	if narrows && !a.patch.Scopes.Present {
		return rules.err()
	}
	permitted, err := c.powerOf(ctx, account)
	if err != nil {
		return err
	}
	if a.patch.Scopes.Present {
		rules.scopesLeave(permitted, a.after.Scopes)
	}
	if err := rules.err(); err != nil || narrows {
		return err
	}
	return c.mayActAs(account, permitted, a.after.Scopes)
}

// narrows reports whether the credential is good for no more, from no more places and for no
// longer than before.
func (c Credential) narrows(before Credential) bool {
	scopes := c.Scopes.Equal(before.Scopes) || (!c.Scopes.Empty() && (before.Scopes.Empty() || before.Scopes.Contains(c.Scopes)))
	places := slices.Equal(c.AllowedCIDRs, before.AllowedCIDRs) || len(before.AllowedCIDRs) == 0
	end := c.ExpiresAt.Equal(before.ExpiresAt) || (!c.ExpiresAt.IsZero() && (before.ExpiresAt.IsZero() || c.ExpiresAt.Before(before.ExpiresAt)))
	return scopes && places && end && (c.Disabled || !before.Disabled)
}

// DeleteCredential removes a credential with its secrets; its tokens end.
func (s *Service) DeleteCredential(ctx context.Context, by authz.Principal, at AccountRef, id uuid.UUID, ifVersion *int64) error {
	_, account, err := s.AuthorizeAccount(ctx, by, at, authz.Permission(authz.Credentials, authz.Delete))
	if err != nil {
		return err
	}
	s.settleUsage(ctx, account.ID)
	return s.write(ctx, by, Once{}, func(c *change) (outcome, error) {
		org, account, err := reachAccount(ctx, c, by, at, authz.Permission(authz.Credentials, authz.Delete))
		if err != nil {
			return outcome{}, err
		}
		credential, err := c.Credential(ctx, account.ID, id)
		if err != nil {
			return outcome{}, err
		}
		if err := expect(ifVersion, credential.Version); err != nil {
			return outcome{}, err
		}
		if err := c.Tx.DeleteCredential(ctx, account.ID, id); err != nil {
			return outcome{}, err
		}
		return credentialOutcome(audit.CredentialDeleted, org, credential), c.keepAnOwner(ctx, org)
	})
}

func sortedPrefixes(prefixes []netip.Prefix) []netip.Prefix {
	sorted := slices.Clone(prefixes)
	slices.SortFunc(sorted, netip.Prefix.Compare)
	return slices.Compact(sorted)
}
