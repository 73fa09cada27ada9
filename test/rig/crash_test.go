package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A few cycles of the crash loop, which otherwise is a program of its own.
func TestI15_Kill9LosesNoAcknowledgedWrite(t *testing.T) {
	readSources(t, "../..")
	binary, err := buildBinary(t.Context(), filepath.Join(t.TempDir(), "signet"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := selectRows("crash-sqlite")
	if err != nil {
		t.Fatal(err)
	}
	opts := options{
		tier: tier{name: "test", crashCycles: 3}, rows: rows, seed: rand.Uint64(), binary: binary, folder: t.TempDir(),
	}
	found, err := runSession(t.Context(), opts, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range found.violations {
		t.Error(v)
	}
	if found.summary.KillCycles != 3 || found.summary.AcknowledgedWrites == 0 {
		t.Errorf("%d kills, %d writes", found.summary.KillCycles, found.summary.AcknowledgedWrites)
	}
}

// readSources reads what the server is built from: it is how Go's test cache notices a change.
func readSources(t *testing.T, root string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "bin" || name == "node_modules") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			_, err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
