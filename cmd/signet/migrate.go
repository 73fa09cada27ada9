package main

import (
	"github.com/spf13/cobra"

	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/sqldb"
	"github.com/signet-issuer/signet/tokens"
)

func newMigrateCommand(settings *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database schema up to date",
		Long: `Brings the schema up to date, says its version and stops. "signet serve" does the same when
it starts, unless SIGNET_MIGRATE_AT_START is false. Several at once do no harm, and servers
of the version before go on working.`,
		Example: `  signet migrate
  signet migrate --config /etc/signet.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := settings.load(nil)
			if err != nil {
				return err
			}
			cfg.MigrateAtStart = true
			ctx := cmd.Context()
			stack, err := settings.openStack(ctx, cfg, (*stack).openDatabase)
			if err != nil {
				return err
			}
			defer stack.close()
			current, newest, err := stack.db.SchemaVersion(ctx, sqldb.Migrations)
			if err != nil {
				return err
			}
			cmd.PrintErrf("the schema is up to date: version %d\n", current)
			if current > newest {
				cmd.PrintErrf("a newer signet made it; this one knows version %d\n", newest)
			}
			return nil
		},
	}
}

func newRestoredCommand(settings *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "restored",
		Short: "Make a restored backup safe to serve from",
		Long: `Run it once after restoring a backup and before "signet serve": servers are stopped while
a backup is restored. It ends every token that was issued so far and replaces all signing
keys, so that nothing that was revoked after the backup lives again. Credentials that were deleted or rotated since then are back as
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
			for _, keys := range []*tokens.Keys{stack.keys, stack.passports} {
				if err := keys.Replace(ctx, authz.Operator("signet:restored")); err != nil {
					return err
				}
			}
			cmd.PrintErrln("every token issued so far has ended and all signing keys are new")
			return nil
		},
	}
}
