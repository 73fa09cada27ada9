package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/signet-issuer/signet"

// source is one Go file; paths are relative to the module.
type source struct {
	path, dir string
	test      bool
	lines     int
	file      *ast.File
}

// tree is the module: all its Go files and the places of their tokens.
type tree struct {
	fsys    fs.FS
	fset    *token.FileSet
	sources []source
}

// imports returns the import paths of a file, ours without the module's name.
func (s source) imports() (ours, others []string) {
	for _, spec := range s.file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has accepted it, so it cannot happen
		}
		if rest, own := strings.CutPrefix(imported+"/", module+"/"); own {
			ours = append(ours, strings.TrimSuffix(rest, "/"))
		} else {
			others = append(others, imported)
		}
	}
	return ours, others
}

func load(t *testing.T, fsys fs.FS) tree {
	t.Helper()
	loaded := tree{fsys: fsys, fset: token.NewFileSet()}
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != "." && ignored(entry.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		return loaded.add(name)
	})
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

func ignored(dir string) bool {
	return strings.HasPrefix(dir, ".") || strings.HasPrefix(dir, "_") ||
		slices.Contains([]string{"testdata", "node_modules", "vendor"}, dir)
}

func (t *tree) add(name string) error {
	text, err := fs.ReadFile(t.fsys, name)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(t.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	t.sources = append(t.sources, source{
		path: name, dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go"),
		lines: strings.Count(string(text), "\n"), file: file,
	})
	return nil
}

// moduleRoot is the folder of go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = parent
	}
}
