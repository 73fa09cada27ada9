package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// brokenBuild is a server that breaks one promise on purpose, to prove that the rig notices.
// It is made of the sources as they are, by replacing snippets of them at build time.
type brokenBuild struct {
	name, what string
	row        string // has to notice
	patches    []patch
	added      map[string]string // further files, by path
}

// patch replaces a snippet that stands in the file exactly once.
type patch struct{ file, old, new string }

// brokenTier is as much of a row as it takes to notice.
var brokenTier = tier{name: "broken", trials: 5, crashCycles: 10, powerCuts: 3}

const everyBroken = "all"

func selectBroken(name string) ([]brokenBuild, error) {
	if name == everyBroken {
		return brokenBuilds, nil
	}
	at := slices.IndexFunc(brokenBuilds, func(b brokenBuild) bool { return b.name == name })
	if at < 0 {
		return nil, fmt.Errorf("there is no broken build %q: there are %s and all", name, brokenNames())
	}
	return brokenBuilds[at : at+1], nil
}

func brokenNames() string {
	var names []string
	for _, b := range brokenBuilds {
		names = append(names, b.name)
	}
	return strings.Join(names, ", ")
}

// runBroken runs one broken build as a run of its own, which must end with violations. All of
// them together are a success when each was noticed.
func runBroken(ctx context.Context, opts options, stdout, stderr io.Writer) error {
	builds, err := selectBroken(opts.broken)
	if err != nil {
		return err
	}
	var errs []error
	for _, b := range builds {
		err := b.run(ctx, opts, stdout, stderr)
		switch {
		case opts.broken != everyBroken || ctx.Err() != nil:
			return err
		case err == nil:
			errs = append(errs, fmt.Errorf("nobody noticed %s: %s", b.name, b.what))
		case !errors.Is(err, errViolated) && !errors.Is(err, errSkipped):
			errs = append(errs, fmt.Errorf("%s: %w", b.name, err))
		}
	}
	return errors.Join(errs...)
}

// errSkipped is no success of a build of its own: nothing was shown.
var errSkipped = errors.New("this machine cannot show it")

func (b brokenBuild) run(ctx context.Context, opts options, stdout, stderr io.Writer) error {
	var err error
	opts.folder = filepath.Join(opts.folder, b.name)
	if err := os.MkdirAll(opts.folder, 0o755); err != nil {
		return err
	}
	if opts.rows, err = selectRows(b.row); err != nil {
		return err
	}
	if opts.binary, err = b.build(ctx, opts.folder); err != nil {
		return err
	}
	opts.tier = brokenTier
	found, err := runSession(ctx, opts, stderr)
	if err != nil {
		return err
	}
	found.count(func(s *summary) { s.Broken = b.name })
	held, err := found.write(stdout, stderr)
	switch {
	case err != nil:
		return err
	case found.summary.PowerCutsSkipped != "":
		return fmt.Errorf("%w: %s", errSkipped, found.summary.PowerCutsSkipped)
	case held:
		return nil
	case found.summary.LostWrites+found.summary.RevokedButActive == 0:
		return errors.New("the violations are not those of the broken build")
	}
	return errViolated
}

// build makes the broken server in the folder. The sources stay as they are.
func (b brokenBuild) build(ctx context.Context, folder string) (string, error) {
	root, err := sourceRoot(ctx)
	if err != nil {
		return "", err
	}
	sources, err := b.sources(func(path string) ([]byte, error) { return os.ReadFile(filepath.Join(root, path)) })
	if err != nil {
		return "", err
	}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for path, text := range sources {
		at := filepath.Join(folder, strings.ReplaceAll(path, "/", "_"))
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			return "", err
		}
		overlay.Replace[filepath.Join(root, path)] = at
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	list := filepath.Join(folder, "overlay.json")
	if err := os.WriteFile(list, text, 0o600); err != nil {
		return "", err
	}
	return buildBinary(ctx, filepath.Join(folder, "signet"), "-overlay", list)
}

// sources returns the changed and the added files by path.
func (b brokenBuild) sources(read func(path string) ([]byte, error)) (map[string]string, error) {
	changed := map[string]string{}
	for path, text := range b.added {
		changed[path] = text
	}
	for _, p := range b.patches {
		text, ok := changed[p.file]
		if !ok {
			original, err := read(p.file)
			if err != nil {
				return nil, fmt.Errorf("broken build %s: %w", b.name, err)
			}
			text = string(original)
		}
		if n := strings.Count(text, p.old); n != 1 {
			return nil, fmt.Errorf("broken build %s: a snippet of %s stands there %d times, not once; adapt broken builds to the source:\n%s",
				b.name, p.file, n, p.old)
		}
		changed[p.file] = strings.Replace(text, p.old, p.new, 1)
	}
	return changed, nil
}

// sourceRoot is the folder of the module.
func sourceRoot(ctx context.Context) (string, error) {
	output, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the sources: %w", err)
	}
	return strings.TrimSpace(string(output)), nil
}
