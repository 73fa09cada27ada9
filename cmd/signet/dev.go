package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/template"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

const (
	devOrg         = "acme"
	devSecretLife  = 24 * time.Hour
	devSecretsKept = 3
	devAgent       = "demo-agent"
	devAdmin       = "demo-admin"
	devRole        = "demo"
	devActor       = "signet:dev"
)

// seedDev makes what is missing of an example organization, and at every start gives its
// accounts a secret for a day and prints what to paste.
func seedDev(ctx context.Context, st *stack, out io.Writer) error {
	by := authz.Operator(devActor)
	if err := makeDevOrg(ctx, st.accounts, by); err != nil {
		return err
	}
	page := devPage{Issuer: st.config.Issuer, Org: devOrg, Role: devRole}
	var err error
	if page.Agent, err = devLogin(ctx, st.accounts, by, devAgent); err != nil {
		return err
	}
	if page.Admin, err = devLogin(ctx, st.accounts, by, devAdmin); err != nil {
		return err
	}
	return devText.Execute(out, page)
}

// makeDevOrg goes on where an earlier start was stopped.
func makeDevOrg(ctx context.Context, service *accounts.Service, by authz.Principal) error {
	org := accounts.BySlug(devOrg)
	_, _, err := service.CreateOrg(ctx, by, accounts.NewOrg{Slug: devOrg, Name: "Acme"})
	if err := unlessExists(err); err != nil {
		return err
	}
	_, _, err = service.CreateRole(ctx, by, org, accounts.NewRole{
		Slug: devRole, Name: "Demo", Permissions: authz.MustSet("demo:read", "demo:write"), Delegable: true,
	})
	if err := unlessExists(err); err != nil {
		return err
	}
	for _, account := range []accounts.NewAccount{
		{Slug: devAgent, Name: "Demo agent", Role: devRole, Credential: &accounts.FirstCredential{}},
		{Slug: devAdmin, Name: "Demo administrator", Role: accounts.RoleAdmin, Credential: &accounts.FirstCredential{}},
	} {
		_, err := service.CreateAccount(ctx, by, org, account)
		if err := unlessExists(err); err != nil {
			return err
		}
	}
	return nil
}

func unlessExists(err error) error {
	if errors.Is(err, accounts.ErrExists) {
		return nil
	}
	return err
}

// devLogin adds a secret for a day to an account's first credential, as id:secret for curl's -u.
func devLogin(ctx context.Context, service *accounts.Service, by authz.Principal, slug string) (string, error) {
	at := accounts.AccountRef{Org: accounts.BySlug(devOrg), Account: accounts.BySlug(slug)}
	list, _, err := service.Credentials(ctx, by, at, accounts.Query{Limit: 1})
	if errors.Is(err, accounts.ErrNotFound) || (err == nil && len(list) == 0) {
		return "", withHint(fmt.Errorf("the example account %s was taken apart", slug), "remove the data directory to start anew")
	}
	if err != nil {
		return "", err
	}
	credential := list[0]
	secrets, err := service.Secrets(ctx, by, at, credential.ID)
	if err != nil {
		return "", err
	}
	for len(secrets) > devSecretsKept {
		if err := service.RetireSecret(ctx, by, at, credential.ID, secrets[0].ID); err != nil {
			return "", err
		}
		secrets = secrets[1:]
	}
	made, err := service.AddSecret(ctx, by, at, credential.ID, accounts.NewSecret{ExpiresAt: time.Now().Add(devSecretLife)})
	if err != nil {
		return "", err
	}
	return credential.ClientID + ":" + made.Value.Reveal(), nil
}

type devPage struct{ Issuer, Org, Role, Agent, Admin string }

var devText = template.Must(template.New("dev").Parse(`
Signet runs at {{.Issuer}} with the example organization "{{.Org}}". The secrets below live for a day.

Get a token:

  curl -s {{.Issuer}}/token -u '{{.Agent}}' -d grant_type=client_credentials

Create a service account:

  curl -s {{.Issuer}}/v2/orgs/{{.Org}}/service-accounts \
    -H "Authorization: Bearer $(curl -s {{.Issuer}}/token -u '{{.Admin}}' -d grant_type=client_credentials | sed 's/.*"access_token":"\([^"]*\)".*/\1/')" \
    -H 'Content-Type: application/json' \
    -d '{"slug":"invoicer","name":"Invoicer","roleSlug":"{{.Role}}"}'

`))
