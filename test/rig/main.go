package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "rig:", err)
		os.Exit(1)
	}
}

// options are the flags, read.
type options struct {
	tier   tier
	rows   []row
	seed   uint64
	binary string // "": built from here
	folder string // "": a new one that is removed when everything held
	list   bool
	broken string // name of a broken build to run instead, or "all"
}

var errViolated = errors.New("promises did not hold; they are listed above")

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	opts, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if opts.list {
		for _, r := range opts.rows {
			_, _ = fmt.Fprintf(stdout, "%-28s %s\n", r.name, r.what)
		}
		return nil
	}
	made := opts.folder == ""
	if made {
		if opts.folder, err = os.MkdirTemp("", "signet-rig-"); err != nil {
			return err
		}
	}
	err = runIn(ctx, opts, stdout, stderr)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "what the processes left is in", opts.folder)
		return err
	}
	if made {
		return os.RemoveAll(opts.folder)
	}
	return nil
}

func parse(args []string, stderr io.Writer) (options, error) {
	flags := flag.NewFlagSet("rig", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		_, _ = fmt.Fprint(stderr, "Breaks a running Signet in many ways and reports what did not hold.\n\n"+
			"  go run ./test/rig\n  go run ./test/rig -only redis-flushed,propagation-redis\n"+
			"  go run ./test/rig -tier long -seed 7 -binary bin/signet\n  go run ./test/rig -broken no-sync\n\n")
		flags.PrintDefaults()
	}
	tierName := flags.String("tier", "short", "`short` (within 5 minutes) or long")
	only := flags.String("only", "", "run only these `rows`, separated by commas")
	seed := flags.Uint64("seed", 0, "of what is chosen at random; 0: a new one")
	binary := flags.String("binary", "", "`path` of the signet to break, else one is built from here")
	folder := flags.String("folder", "", "`folder` to work in, which stays")
	list := flags.Bool("list", false, "list the rows and end")
	broken := flags.String("broken", "", "build a server that breaks a promise on purpose (`"+brokenNames()+"`), which must\n"+
		"be noticed; all: each of them, which succeeds when each was noticed")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("unknown argument %q; see -help", flags.Arg(0))
	}
	chosen, err := tierOf(*tierName)
	if err != nil {
		return options{}, err
	}
	rows, err := selectRows(*only)
	if err != nil {
		return options{}, err
	}
	for *seed == 0 {
		*seed = rand.Uint64()
	}
	return options{chosen, rows, *seed, *binary, *folder, *list, *broken}, nil
}

// runIn runs in the folder what the options say.
func runIn(ctx context.Context, opts options, stdout, stderr io.Writer) error {
	var err error
	if opts.folder, err = filepath.Abs(opts.folder); err != nil {
		return err
	}
	if opts.broken != "" {
		return runBroken(ctx, opts, stdout, stderr)
	}
	if opts.binary, err = binaryFor(ctx, opts.binary, opts.folder); err != nil {
		return err
	}
	found, err := runSession(ctx, opts, stderr)
	if err != nil {
		return err
	}
	held, err := found.write(stdout, stderr)
	if err != nil {
		return err
	}
	if !held {
		return errViolated
	}
	return nil
}

// runSession runs the rows. Children do not outlive it.
func runSession(ctx context.Context, opts options, stderr io.Writer) (*report, error) {
	found := newReport(summary{Tier: opts.tier.name, Seed: opts.seed, Commit: commit(ctx)}, stderr)
	s := &session{
		tier: opts.tier, folder: opts.folder, binary: opts.binary, report: found, seed: opts.seed,
		random: rand.New(rand.NewPCG(opts.seed, 0)),
	}
	found.logf("tier %s, seed %d, %d rows", opts.tier.name, opts.seed, len(opts.rows))
	s.runRows(ctx, opts.rows)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("stopped before the end: %w", err)
	}
	return found, nil
}

func binaryFor(ctx context.Context, given, folder string) (string, error) {
	if given != "" {
		return filepath.Abs(given)
	}
	return buildBinary(ctx, filepath.Join(folder, "signet"))
}

// buildBinary builds the server from these sources, with more arguments for go build.
func buildBinary(ctx context.Context, path string, more ...string) (string, error) {
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-o", path}, more...)
	build := exec.CommandContext(ctx, "go", append(args, "github.com/signet-issuer/signet/cmd/signet")...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build signet: %w\n%s", err, output)
	}
	return path, nil
}

// commit names what is tested, as well as can be known.
func commit(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	output, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--tags").Output()
	if err == nil {
		return strings.TrimSpace(string(output))
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}
