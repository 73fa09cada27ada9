package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/oauth2"
)

func newTokenCommand() *cobra.Command {
	var from remote
	var scopes, resources []string
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Get an access token and print it",
		Example: `  signet token --issuer https://id.example.com --client-id ab12… --client-secret-file secret.txt
  curl -H "Authorization: Bearer $(signet token …)" https://api.example.com/`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), remoteTimeout)
			defer cancel()
			config, err := from.tokenConfig(cmd.InOrStdin())
			if err != nil {
				return err
			}
			config.Scopes = scopes
			config.EndpointParams = url.Values{}
			if len(resources) > 0 {
				config.EndpointParams["resource"] = resources
			}
			token, err := config.Token(ctx)
			if err != nil {
				return explainRefusal(err)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), token.AccessToken)
			return err
		},
	}
	from.addFlags(cmd)
	cmd.Flags().StringSliceVar(&scopes, "scope", nil, "`scope` to request, may repeat; everything allowed when absent")
	cmd.Flags().StringArrayVar(&resources, "resource", nil, "`URI` of the API that the token is for, may repeat")
	return cmd
}

// explainRefusal says in one line what the token endpoint said in JSON.
func explainRefusal(err error) error {
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return withHint(err, "is the server running, and --issuer its URL?")
	}
	hint := map[string]string{
		"invalid_client": "check --client-id and the secret; the credential may be expired or disabled",
		"invalid_scope":  "ask for scopes that the account's role has, or leave --scope out",
		"invalid_target": "ask for an audience of the account's organization",
	}[refused.ErrorCode]
	text := strings.TrimSuffix(refused.ErrorCode+": "+refused.ErrorDescription, ": ")
	if text == "" {
		text = fmt.Sprintf("the token endpoint answered %d", refused.Response.StatusCode)
	}
	if hint == "" {
		return errors.New(text)
	}
	return withHint(errors.New(text), hint)
}
