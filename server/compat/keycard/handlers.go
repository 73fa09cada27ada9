package keycard

import (
	"net/http"
	"net/url"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

// call is one request of an authenticated caller.
type call struct {
	*http.Request
	service *accounts.Service
	by      authz.Principal
	query   url.Values // only parameters that the route has
}

func createAccount(c *call) (any, error) {
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	made, err := c.service.CreateAccount(c.Context(), c.by, c.org(), accounts.NewAccount{
		Name: body.Name.Value, Description: body.Description.Value,
	})
	return wireAccount(made.Account, nil), err
}

func listAccounts(c *call) (any, error) {
	q, err := c.page()
	if err != nil {
		return nil, err
	}
	found, page, err := c.service.Accounts(c.Context(), c.by, c.org(), q)
	if err != nil {
		return nil, err
	}
	of, err := c.overAccounts(found...)
	if err != nil {
		return nil, err
	}
	answer := newPage(page, len(found), func(i int) object { return wireAccount(found[i], of[i]) })
	if c.expands() {
		mayCreate, err := c.service.MayCreateAccount(c.Context(), c.by, c.org())
		if err != nil {
			return nil, err
		}
		answer.Permissions = permissions{accountType: c.overList(authz.ServiceAccounts, mayCreate)}
	}
	return answer, nil
}

func getAccount(c *call) (any, error) {
	found, err := c.service.Account(c.Context(), c.by, c.account())
	if err != nil {
		return nil, err
	}
	of, err := c.overAccounts(found)
	return wireAccount(found, of[0]), err
}

func updateAccount(c *call) (any, error) {
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	changed, err := c.service.UpdateAccount(c.Context(), c.by, c.account(), accounts.AccountPatch{
		Name: optional(body.Name), Description: optional(body.Description),
	})
	return wireAccount(changed, nil), err
}

func deleteAccount(c *call) (any, error) {
	return nil, c.service.DeleteAccount(c.Context(), c.by, c.account(), nil)
}

func createCredential(c *call) (any, error) {
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	made, err := c.service.CreateCredential(c.Context(), c.by, c.account(), accounts.NewCredential{
		Kind: accounts.KindSecret, Shape: accounts.Alphanumeric, Name: body.Name.Value, Description: body.Description.Value,
	})
	answer := wireCredential(made.Credential, nil)
	answer.ClientSecret = made.Secret.Reveal()
	return answer, err
}

func listCredentials(c *call) (any, error) {
	q, err := c.page()
	if err != nil {
		return nil, err
	}
	found, page, err := c.service.Credentials(c.Context(), c.by, c.account(), q)
	if err != nil {
		return nil, err
	}
	answer := newPage(page, len(found), func(i int) object { return wireCredential(found[i], c.overCredential()) })
	if c.expands() {
		_, owner, err := c.service.AuthorizeAccount(c.Context(), c.by, c.account(), authz.Permission(authz.Credentials, authz.Read))
		if err != nil {
			return nil, err
		}
		of, err := c.overAccounts(owner)
		if err != nil {
			return nil, err
		}
		answer.Permissions = permissions{credentialType: of[0][credentialType]}
	}
	return answer, nil
}

func getCredential(c *call) (any, error) {
	found, err := c.service.Credential(c.Context(), c.by, c.account(), c.id("credential_id"))
	return wireCredential(found, c.overCredential()), err
}

func updateCredential(c *call) (any, error) {
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	changed, err := c.service.UpdateCredential(c.Context(), c.by, c.account(), c.id("credential_id"), accounts.CredentialPatch{
		Name: optional(body.Name), Description: optional(body.Description),
	})
	return wireCredential(changed, nil), err
}

func deleteCredential(c *call) (any, error) {
	return nil, c.service.DeleteCredential(c.Context(), c.by, c.account(), c.id("credential_id"), nil)
}

// exchangeToken refuses to trade a user's token, as there are no users: whoever calls may not
// do it in any organization.
func exchangeToken(*call) (any, error) { return nil, errNoUsers }

// overAccounts says what the caller may do with each account, if it asks.
func (c *call) overAccounts(found ...accounts.ServiceAccount) ([]permissions, error) {
	of := make([]permissions, len(found))
	if !c.expands() {
		return of, nil
	}
	mayActAs, err := c.service.MayActAs(c.Context(), c.by, found...)
	for i, may := range mayActAs {
		of[i] = permissions{accountType: c.overObject(authz.ServiceAccounts), credentialType: c.overList(authz.Credentials, may)}
	}
	return of, err
}

func (c *call) overCredential() permissions {
	if !c.expands() {
		return nil
	}
	return permissions{credentialType: c.overObject(authz.Credentials)}
}

func (c *call) overObject(resource authz.Resource) map[string]bool {
	return map[string]bool{
		"read":   c.by.Allows(authz.Permission(resource, authz.Read)),
		"update": c.by.Allows(authz.Permission(resource, authz.Update)),
		"delete": c.by.Allows(authz.Permission(resource, authz.Delete)),
	}
}

func (c *call) overList(resource authz.Resource, mayCreate bool) map[string]bool {
	return map[string]bool{"create": mayCreate, "list": c.by.Allows(authz.Permission(resource, authz.Read))}
}
