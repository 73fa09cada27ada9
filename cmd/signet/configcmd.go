package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/signet-issuer/signet/config"
)

func newConfigCommand(settings *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Look at the configuration",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "check",
		Short: "Check the configuration and name every problem",
		Long: "Checks flags, environment and file, names every problem at once and exits 1 if there is one.\n" +
			"Notes are no problems, but may not be what you mean.\n\n" + variables(),
		Example: `  signet config check
  signet config check --config /etc/signet.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := settings.load(nil)
			if err != nil {
				return err
			}
			for _, note := range cfg.Notes() {
				cmd.PrintErrln("note:", note.Error())
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "the configuration is valid")
			return err
		},
	})
	return cmd
}

// variables lists every setting.
func variables() string {
	var text strings.Builder
	for _, option := range config.Options() {
		text.WriteString("  " + option.Variable())
		if option.Default != "" {
			text.WriteString(" (" + option.Default + ")")
		}
		text.WriteString("\n      " + option.Description + "\n")
	}
	return "Variables, with their defaults:\n\n" + text.String() +
		"\nA file has the same keys in lower case without SIGNET_. Environment wins over file, flags over both."
}
