package rezolve

import (
	"errors"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/server/web"
)

// createAccount makes an account of which nothing but the tenant is asked.
func (a *api) createAccount(c *call) (any, error) {
	var nothing web.Field[struct{}]
	if err := web.ReadJSON(c.Request, &nothing, web.OptionalBody, web.OptionalType); err != nil {
		return nil, err
	}
	if nothing.Null {
		return nil, web.BadRequest("the request body must be empty or {}")
	}
	// What shows a secret once reads nothing after the write: it could not be answered twice.
	self, err := a.self(c)
	if err != nil {
		return nil, err
	}
	made, err := a.Accounts.CreateAccount(c.Context(), c.by, c.tenant, accounts.NewAccount{
		Stem:       "service-account-" + a.Now().UTC().Format("20060102150405"),
		Credential: &accounts.FirstCredential{Shape: accounts.Prefixed},
	})
	return accountWire{
		ID: accountPrefix + made.Account.ID.String(), Name: made.Account.Name,
		ClientID: made.Credential.ClientID, ClientSecret: made.Secret.Reveal(), Type: "service_account", Status: active,
		Permissions: made.Allowed.Patterns(), CreatedAt: wireTime(made.Account.CreatedAt), CreatedBy: self, Tenant: wireTenant(made.Org),
	}, err
}

func (a *api) createClient(c *call) (any, error) {
	var body clientBody
	if err := web.ReadJSON(c.Request, &body); err != nil {
		return nil, err
	}
	in, err := body.create()
	if err != nil {
		return nil, err
	}
	self, err := a.self(c)
	if err != nil {
		return nil, err
	}
	made, err := a.Accounts.CreateAccount(c.Context(), c.by, c.tenant, in)
	return createdClient{
		clientWire:   a.wireClient(accounts.Registration{Account: made.Account, Credential: made.Credential}),
		ClientSecret: made.Secret.Reveal(), TokenSettings: a.lifetimes(made.Account),
		CreatedAt: wireTime(made.Account.CreatedAt), CreatedBy: self, Tenant: wireTenant(made.Org),
	}, err
}

func (a *api) listClients(c *call) (any, error) {
	q, err := c.page()
	if err != nil {
		return nil, err
	}
	found, page, err := a.Accounts.Registrations(c.Context(), c.by, c.tenant, q)
	if err != nil {
		return nil, err
	}
	creators := make([]string, len(found))
	for i, one := range found {
		creators[i] = one.Account.CreatedBy
	}
	who, err := a.Accounts.Actors(c.Context(), c.by, creators...)
	list := clientList{
		Clients:    make([]listedClient, len(found)),
		Pagination: pagination{Total: page.Total, Limit: q.Limit, Offset: q.Offset, HasMore: page.Next},
	}
	for i, one := range found {
		list.Clients[i] = listedClient{
			clientWire: a.wireClient(one), lastUse: wireLastUse(one.Account.LastUse),
			CreatedAt: wireTime(one.Account.CreatedAt), CreatedBy: wireActor(who[one.Account.CreatedBy]),
		}
	}
	return list, err
}

func (a *api) getClient(c *call, at accounts.AccountRef) (any, error) {
	found, err := a.Accounts.Registration(c.Context(), c.by, at)
	if err != nil {
		return nil, err
	}
	who, err := a.Accounts.Actors(c.Context(), c.by, found.Account.CreatedBy, found.Account.UpdatedBy)
	if err != nil {
		return nil, err
	}
	live, err := a.liveTokens(c, at)
	return a.wireDetail(found, who, live), err
}

func (a *api) updateClient(c *call, at accounts.AccountRef) (any, error) {
	var body clientBody
	if err := web.ReadJSON(c.Request, &body); err != nil {
		return nil, err
	}
	patch, err := body.patch()
	if err != nil {
		return nil, err
	}
	self, err := a.self(c)
	if err != nil {
		return nil, err
	}
	before, after, err := a.Accounts.UpdateRegistration(c.Context(), c.by, at, patch)
	return updatedClient{
		clientWire: a.wireClient(after), UpdatedAt: wireTime(after.Account.UpdatedAt), UpdatedBy: self,
		Changes: wireChanges(a.wireClient(before), a.wireClient(after)),
	}, err
}

// deleteClient ends an account with its tokens, and says so once.
func (a *api) deleteClient(c *call, at accounts.AccountRef) (any, error) {
	ended, err := a.Accounts.RegistrationToDelete(c.Context(), c.by, at)
	if err != nil {
		return nil, a.alreadyDeleted(c, at, err)
	}
	self, err := a.self(c)
	if err != nil {
		return nil, err
	}
	live, err := a.liveTokens(c, at)
	if err != nil {
		return nil, err
	}
	if err := a.Accounts.DeleteAccount(c.Context(), c.by, at, nil); err != nil {
		return nil, a.alreadyDeleted(c, at, err)
	}
	shown := a.wireClient(ended)
	return deletedClient{
		ID: shown.ID, Name: shown.Name, ClientID: shown.ClientID, PreviousStatus: shown.Status, Status: "deleted",
		DeletedAt: wireTime(a.Now()), DeletedBy: self, TokensRevoked: live,
	}, nil
}

// alreadyDeleted tells an account that is gone from one that never was.
func (a *api) alreadyDeleted(c *call, at accounts.AccountRef, err error) error {
	if !errors.Is(err, accounts.ErrNotFound) {
		return err
	}
	when, err := a.Accounts.DeletedAt(c.Context(), c.by, c.tenant, at.Account.ID)
	if err != nil {
		return err
	}
	return deleted(when)
}

func (a *api) rotateSecret(c *call, at accounts.AccountRef) (any, error) {
	var body rotationBody
	if err := web.ReadJSON(c.Request, &body, web.OptionalBody); err != nil {
		return nil, err
	}
	overlap, err := body.overlap()
	if err != nil {
		return nil, err
	}
	self, err := a.self(c)
	if err != nil {
		return nil, err
	}
	made, err := a.Accounts.Rotate(c.Context(), c.by, at, accounts.Rotation{Kind: accounts.KindSecret, Overlap: overlap})
	if errors.Is(err, accounts.ErrLimit) {
		return nil, tooManySecrets
	}
	return rotatedClient{
		clientWire:   a.wireClient(accounts.Registration{Account: made.Account, Credential: made.Credential}),
		ClientSecret: made.Secret.Reveal(), Rotation: wireRotation(made, self, overlap),
	}, err
}

// self describes the caller.
func (a *api) self(c *call) (actorWire, error) {
	known, err := a.Accounts.Actors(c.Context(), c.by, c.by.Subject)
	return wireActor(known[c.by.Subject]), err
}

// liveTokens counts the account's tokens, as far as that is known and the caller's to know; nil
// leaves the number out of an answer that means something without it.
func (a *api) liveTokens(c *call, at accounts.AccountRef) (*int, error) {
	list, err := a.Registry.List(c.Context(), c.by, at)
	_, denied := errors.AsType[*authz.DeniedError](err)
	if denied || errors.Is(err, accounts.ErrUnavailable) || errors.Is(err, accounts.ErrNotFound) {
		return nil, nil
	}
	count := len(list)
	return &count, err
}

// lifetimes are those of the account's tokens. There are neither refresh nor ID tokens.
func (a *api) lifetimes(account accounts.ServiceAccount) tokenLifetimes {
	return tokenLifetimes{AccessTokenLifetime: int64(a.Tokens.UsualLifetime(account.TokenLifetime) / time.Second)}
}
