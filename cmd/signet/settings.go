package main

import (
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"

	"github.com/signet-issuer/signet/config"
)

// settings turns flags, environment and file into a configuration.
type settings struct {
	env  environment
	file *string
}

// load merges the sources; flags go by their names.
func (s *settings) load(flags map[string]string) (config.Config, error) {
	return config.Load(config.Sources{File: *s.file, Environ: s.env.environ, Flags: flags})
}

// newLogger writes to stderr: text for people on a terminal, JSON for machines.
func newLogger(out io.Writer, cfg config.Config) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == config.LogText || (cfg.LogFormat == config.LogAuto && isTerminal(out)) {
		return slog.New(slog.NewTextHandler(out, options))
	}
	return slog.New(slog.NewJSONHandler(out, options))
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
