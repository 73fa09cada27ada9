package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/tokens"
)

func newKeysCommand(settings *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "List, rotate and drop signing keys",
		Long: `Works on a running server when --issuer, --client-id and --client-secret-file name it and
an administrator of the system organization, and on the database itself otherwise: in
PostgreSQL beside running servers, which follow, in the embedded mode of a stopped one.`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newKeysListCommand(settings), newKeysRotateCommand(settings), newKeysDropCommand(settings))
	return cmd
}

// keyring is the signing keys, here or behind a running server.
type keyring interface {
	list(ctx context.Context) ([]tokens.Key, error)
	rotate(ctx context.Context, force bool) error
	drop(ctx context.Context, kid string) error
}

// withKeyring runs fn on the keys that the flags name.
func withKeyring(cmd *cobra.Command, settings *settings, from remote, fn func(context.Context, keyring) error) error {
	ctx := cmd.Context()
	if from != (remote{}) {
		ctx, cancel := context.WithTimeout(ctx, remoteTimeout)
		defer cancel()
		ring, err := from.keyring(ctx, cmd.InOrStdin())
		if err != nil {
			return err
		}
		return fn(ctx, ring)
	}
	stack, err := settings.open(ctx)
	if err != nil {
		return err
	}
	defer stack.close()
	return fn(ctx, localKeys{stack.keys, stack.passports})
}

// localKeys is the keys in the database. Those of passports rotate by themselves and are only
// ever dropped.
type localKeys struct{ keys, passports *tokens.Keys }

var operator = authz.Operator("signet:keys")

func (l localKeys) list(ctx context.Context) ([]tokens.Key, error) { return l.keys.List(ctx, operator) }

func (l localKeys) rotate(ctx context.Context, force bool) error {
	return l.keys.Rotate(ctx, operator, tokens.RotateRequest{Force: force})
}

func (l localKeys) drop(ctx context.Context, kid string) error {
	err := l.keys.Drop(ctx, operator, kid)
	if errors.Is(err, accounts.ErrNotFound) {
		err = l.passports.Drop(ctx, operator, kid)
	}
	if errors.Is(err, accounts.ErrNotFound) {
		return errNoSuchKey
	}
	return err
}

var errNoSuchKey = withHint(errors.New("no published key has this id"), "signet keys list shows them")

func newKeysListCommand(settings *settings) *cobra.Command {
	var from remote
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the published keys",
		Example: `  signet keys list --issuer https://id.example.com --client-id ab12… --client-secret-file secret.txt`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withKeyring(cmd, settings, from, func(ctx context.Context, ring keyring) error {
				keys, err := ring.list(ctx)
				if err != nil {
					return err
				}
				return printKeys(cmd.OutOrStdout(), keys)
			})
		},
	}
	from.addFlags(cmd)
	return cmd
}

func printKeys(out io.Writer, keys []tokens.Key) error {
	text := "KID\tALG\tSTATE\tPREPARED\tRIPE\tACTIVATED\tRETIRED\tREMOVED AT\n"
	for _, k := range keys {
		text += strings.Join([]string{
			k.KID, k.Alg, string(k.State), moment(k.PreparedAt), moment(k.RipeAt),
			moment(k.ActivatedAt), moment(k.RetiredAt), moment(k.RemoveAt),
		}, "\t") + "\n"
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if _, err := io.WriteString(table, text); err != nil {
		return err
	}
	return table.Flush()
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

func newKeysRotateCommand(settings *settings) *cobra.Command {
	var from remote
	var force, master, pepper bool
	var newKeyFile string
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Let the prepared signing key take over",
		Long: `Retires the active signing key and lets the prepared one sign. It refuses while some
verifier may not have the prepared key yet, unless --force.

With --master it seals everything under a new master key instead, and with --pepper it
makes a new pepper for the secrets to come; both work on the database itself and change
nothing else. A configured master key is rotated in three steps: give every server the old
and the new key, the old one on the first line, and restart it; run this; leave every
server the new key alone, and restart it.`,
		Example: `  signet keys rotate --issuer https://id.example.com --client-id ab12… --client-secret-file secret.txt
  signet keys rotate --master
  signet keys rotate --master --new-key-file new.key   # when SIGNET_MASTER_KEY_FILE is set`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if master || pepper {
				if from != (remote{}) {
					return errors.New("--master and --pepper work on the database itself, without --issuer")
				}
				return rotateSealed(cmd, settings, master, pepper, newKeyFile)
			}
			return withKeyring(cmd, settings, from, func(ctx context.Context, ring keyring) error {
				if err := ring.rotate(ctx, force); err != nil {
					return explainUnripe(err)
				}
				cmd.PrintErrln("the prepared key signs now")
				return nil
			})
		},
	}
	from.addFlags(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "do not wait until every verifier has the prepared key")
	cmd.Flags().BoolVar(&master, "master", false, "rotate the master key instead")
	cmd.Flags().BoolVar(&pepper, "pepper", false, "make a new pepper instead")
	cmd.Flags().StringVar(&newKeyFile, "new-key-file", "", "`file` with the new master key (base64 of 32 bytes)")
	return cmd
}

func rotateSealed(cmd *cobra.Command, settings *settings, master, pepper bool, newKeyFile string) error {
	stack, err := settings.open(cmd.Context())
	if err != nil {
		return err
	}
	defer stack.close()
	if pepper {
		if err := accounts.AddPepper(cmd.Context(), stack.pepperConfig()); err != nil {
			return err
		}
		cmd.PrintErrln("new secrets are hashed under a new pepper; running servers take it up within some ten seconds")
	}
	if master {
		if err := stack.rotateMaster(cmd.Context(), newKeyFile); err != nil {
			return err
		}
		cmd.PrintErrln("everything is sealed under the new master key")
	}
	return nil
}

func explainUnripe(err error) error {
	if _, ok := errors.AsType[*tokens.NotRipeError](err); ok {
		return withHint(err, "wait until then, or use --force if the active key must go now")
	}
	return err
}

func newKeysDropCommand(settings *settings) *cobra.Command {
	var from remote
	cmd := &cobra.Command{
		Use:   "drop KID",
		Short: "Remove a compromised signing key at once",
		Long: `Removes the key from the published key set at once: tokens that it signed stop being
valid as soon as verifiers fetch the set again. If it was active, the prepared key takes over.`,
		Example: `  signet keys drop KID --issuer https://id.example.com --client-id ab12… --client-secret-file secret.txt`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withKeyring(cmd, settings, from, func(ctx context.Context, ring keyring) error {
				if err := ring.drop(ctx, args[0]); err != nil {
					return err
				}
				cmd.PrintErrln("the key is gone")
				return nil
			})
		},
	}
	from.addFlags(cmd)
	return cmd
}
