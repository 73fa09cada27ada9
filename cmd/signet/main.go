// Command signet is the server and the operator's tool for it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, environment{
		args: os.Args[1:], environ: os.Environ(), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
	})
	stop()
	os.Exit(code)
}

// environment is everything that a command takes from outside.
type environment struct {
	args, environ  []string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// run executes one command line and returns the exit code. Data goes to stdout, everything
// meant for people to stderr.
func run(ctx context.Context, env environment) int {
	root := newRootCommand(env)
	root.SetArgs(env.args)
	root.SetIn(env.stdin)
	root.SetOut(env.stdout)
	root.SetErr(env.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	root.PrintErrln("signet:", err)
	if hinted, ok := errors.AsType[*hintError](err); ok {
		root.PrintErrln("hint:", hinted.hint)
	}
	return 1
}

// hintError is an error with a line that says what to do about it.
type hintError struct {
	err  error
	hint string
}

func (e *hintError) Error() string { return e.err.Error() }

func (e *hintError) Unwrap() error { return e.err }

func withHint(err error, hint string) error { return &hintError{err: err, hint: hint} }

func newRootCommand(env environment) *cobra.Command {
	root := &cobra.Command{
		Use:   "signet",
		Short: "Issue short-lived tokens to machines",
		Long: `Signet is an OAuth 2.0 token issuer for machines. Administrators manage service
accounts over HTTP; a machine trades its credential for a short-lived JWT at /token,
and APIs verify that JWT offline.`,
		Example: `  signet serve --dev                      # try it: everything in one folder, a curl to paste
  signet bootstrap > admin.json           # make the first administrator
  signet serve                            # run it`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	var file string
	root.PersistentFlags().StringVar(&file, "config", "", "configuration `file` (YAML); environment variables win over it")
	settings := &settings{env: env, file: &file}
	root.AddCommand(
		newServeCommand(settings), newBootstrapCommand(settings), newTokenCommand(), newMigrateCommand(settings),
		newKeysCommand(settings), newRestoredCommand(settings), newConfigCommand(settings), newHealthcheckCommand(settings), newVersionCommand(),
	)
	return root
}

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: `  signet version`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), version)
			return err
		},
	}
}
