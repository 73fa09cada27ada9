package main

import (
	"github.com/spf13/cobra"

	"github.com/signet-issuer/signet/authz"
)

func newMigrateCommand(settings *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database schema up to date",
		Long:  `Brings the schema up to date and stops. "signet serve" does the same when it starts.`,
		Example: `  signet migrate
  signet migrate --config /etc/signet.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			stack, err := settings.open(cmd.Context())
			if err != nil {
				return err
			}
			defer stack.close()
			cmd.PrintErrln("the schema is up to date")
			return nil
		},
	}
}

func newRestoredCommand(settings *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "restored",
		Short: "Make a restored backup safe to serve from",
		Long: `Run it once after restoring a backup and before "signet serve". It ends every token that
was issued so far and replaces all signing keys, so that nothing that was revoked after
the backup lives again. Credentials that were deleted or rotated since then are back as
they were in the backup: review them.`,
		Example: `  signet restored && signet serve`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			stack, err := settings.open(ctx)
			if err != nil {
				return err
			}
			defer stack.close()
			if err := stack.db.Check(ctx); err != nil {
				return err
			}
			if err := stack.endAllTokens(ctx); err != nil {
				return err
			}
			if err := stack.keys.Replace(ctx, authz.Operator("signet:restored")); err != nil {
				return err
			}
			cmd.PrintErrln("every token issued so far has ended and all signing keys are new")
			return nil
		},
	}
}
