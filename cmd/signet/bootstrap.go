package main

import (
	"encoding/json"
	"errors"

	"github.com/spf13/cobra"

	"github.com/signet-issuer/signet/accounts"
)

func newBootstrapCommand(settings *settings) *cobra.Command {
	var another bool
	var output string
	cmd := &cobra.Command{
		Use:   "bootstrap",
		Short: "Make the first administrator",
		Long: `Makes an administrator: a service account of the organization "system" with the role
owner. It needs no running server; it makes the schema when it is not there and, in the
embedded mode, the data directory and the master key. The answer is printed once and
cannot be read again.`,
		Example: `  signet bootstrap > admin.json
  signet bootstrap --new                  # one more, when the first secret is lost`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "json" {
				return errors.New(`--output must be json`)
			}
			stack, err := settings.open(cmd.Context())
			if err != nil {
				return err
			}
			defer stack.close()
			made, err := stack.accounts.Bootstrap(cmd.Context(), another)
			if errors.Is(err, accounts.ErrExists) {
				return withHint(errors.New("there is an administrator already"), "run signet bootstrap --new to make another")
			}
			if err != nil {
				return err
			}
			cmd.PrintErrf("made administrator %s; its secret is shown this once\n", made.Account.UserID())
			return json.NewEncoder(cmd.OutOrStdout()).Encode(struct {
				Issuer       string `json:"issuer"`
				ClientID     string `json:"client_id"`
				ClientSecret string `json:"client_secret"`
			}{stack.config.Issuer, made.Credential.ClientID, made.Secret.Reveal()})
		},
	}
	cmd.Flags().BoolVar(&another, "new", false, "make another administrator although there is one")
	cmd.Flags().StringVar(&output, "output", "json", "output format: json")
	return cmd
}
