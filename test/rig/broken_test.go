package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The snippets must stand in the sources of today, or nothing is proven any more.
func TestBrokenBuildsFitTheSources(t *testing.T) {
	read := func(path string) ([]byte, error) { return os.ReadFile(filepath.Join("..", "..", path)) }
	for _, b := range brokenBuilds {
		t.Run(b.name, func(t *testing.T) {
			sources, err := b.sources(read)
			if err != nil {
				t.Fatal(err)
			}
			if want := len(b.added) + 1; len(sources) < want {
				t.Errorf("%d files, want at least %d", len(sources), want)
			}
			for path := range b.added {
				if _, err := read(path); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("%s would hide a file of the same name: %v", path, err)
				}
			}
			if _, err := selectRows(b.row); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestABrokenBuildFailsWhenItsSnippetIsGone(t *testing.T) {
	b := brokenBuild{name: "b", patches: []patch{{"f.go", "old", "new"}}}
	for text, fits := range map[string]bool{"an old one": true, "another": false, "old and old": false} {
		sources, err := b.sources(func(string) ([]byte, error) { return []byte(text), nil })
		if fits != (err == nil) {
			t.Errorf("%q: %v", text, err)
		}
		if fits && sources["f.go"] != "an new one" {
			t.Errorf("%q became %q", text, sources["f.go"])
		}
	}
	missing := errors.New("no such file")
	if _, err := b.sources(func(string) ([]byte, error) { return nil, missing }); !errors.Is(err, missing) {
		t.Errorf("%v, want %v", err, missing)
	}
}

func TestOnlyKnownBrokenBuildsAreRun(t *testing.T) {
	err := runBroken(t.Context(), options{broken: "nothing"}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), brokenBuilds[0].name) {
		t.Errorf("%v, want the names that there are", err)
	}
	for _, tt := range []struct {
		name string
		want int
	}{{everyBroken, len(brokenBuilds)}, {"no-sync", 1}} {
		if chosen, err := selectBroken(tt.name); err != nil || len(chosen) != tt.want {
			t.Errorf("%s: %d builds, %v", tt.name, len(chosen), err)
		}
	}
}
