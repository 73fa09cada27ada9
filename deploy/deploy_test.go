// Package deploy_test keeps what an installation is made of true to the program: there is no
// container engine or cluster where the tests run, so each file is parsed, compared with the
// configuration, and run as far as a machine without them can.
package deploy_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/signet-issuer/signet/config"
	"github.com/signet-issuer/signet/internal/engines"
)

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "signet-deploy-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built.folder = folder
	code := engines.Main(m)
	if err := os.RemoveAll(folder); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// files lists what is shipped in this folder, whatever setup.sh may have made beside it.
func files(t *testing.T) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path == "secrets":
			return filepath.SkipDir
		case !entry.IsDir() && filepath.Ext(path) != ".go":
			list = append(list, filepath.ToSlash(path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return append(list, "../Dockerfile")
}

// documents parses a YAML file. The parser refuses a key that stands twice.
func documents(t *testing.T, name string) []map[string]any {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(read(t, name)))
	var list []map[string]any
	for {
		var document map[string]any
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		list = append(list, document)
	}
}

func document(t *testing.T, name string) node {
	t.Helper()
	list := documents(t, name)
	if len(list) != 1 {
		t.Fatalf("%s has %d documents", name, len(list))
	}
	return node{t, name, list[0]}
}

func TestEveryYAMLFileParses(t *testing.T) {
	parsed := 0
	for _, name := range files(t) {
		if ext := filepath.Ext(name); ext == ".yaml" || ext == ".yml" {
			if len(documents(t, name)) == 0 {
				t.Errorf("%s is empty", name)
			}
			parsed++
		}
	}
	if parsed == 0 {
		t.Error("no YAML file found")
	}
}

func TestEveryVariableIsASetting(t *testing.T) {
	known := map[string]bool{}
	for _, option := range config.Options() {
		known[option.Variable()] = true
	}
	variable := regexp.MustCompile(`SIGNET_[A-Z0-9_]*[A-Z0-9]`)
	named := 0
	for _, name := range files(t) {
		for _, found := range variable.FindAllString(read(t, name), -1) {
			named++
			if !known[found] {
				t.Errorf("%s names %s, which is no setting", name, found)
			}
		}
	}
	if named == 0 {
		t.Error("no variable found")
	}
}

// node is a place in a YAML document that fails the test when what it is asked for is not there.
type node struct {
	t     *testing.T
	path  string
	value any
}

// at goes down by keys and, in lists, by the member "name" of an entry.
func (n node) at(keys ...string) node {
	n.t.Helper()
	for _, key := range keys {
		next, ok := n.child(key)
		if !ok {
			n.t.Fatalf("%s has no %s", n.path, key)
		}
		n = node{n.t, n.path + "." + key, next}
	}
	return n
}

func (n node) has(key string) bool {
	_, ok := n.child(key)
	return ok
}

func (n node) child(key string) (any, bool) {
	switch value := n.value.(type) {
	case map[string]any:
		found, ok := value[key]
		return found, ok
	case []any:
		for _, entry := range value {
			if member, ok := entry.(map[string]any); ok && member["name"] == key {
				return entry, true
			}
		}
	}
	return nil, false
}

func (n node) list() []node {
	n.t.Helper()
	entries, ok := n.value.([]any)
	if !ok {
		n.t.Fatalf("%s is no list", n.path)
	}
	list := make([]node, len(entries))
	for i, entry := range entries {
		list[i] = node{n.t, fmt.Sprintf("%s[%d]", n.path, i), entry}
	}
	return list
}

func (n node) texts() []string {
	n.t.Helper()
	var list []string
	for _, entry := range n.list() {
		list = append(list, entry.text())
	}
	return list
}

// keys of a mapping, sorted.
func (n node) keys() []string {
	n.t.Helper()
	members, ok := n.value.(map[string]any)
	if !ok {
		n.t.Fatalf("%s is no mapping", n.path)
	}
	var list []string
	for key := range members {
		list = append(list, key)
	}
	slices.Sort(list)
	return list
}

// text is a scalar as it would be written.
func (n node) text() string {
	n.t.Helper()
	switch n.value.(type) {
	case map[string]any, []any:
		n.t.Fatalf("%s is no scalar", n.path)
	}
	return fmt.Sprint(n.value)
}

func (n node) number() int {
	n.t.Helper()
	number, ok := n.value.(int)
	if !ok {
		n.t.Fatalf("%s is no number", n.path)
	}
	return number
}

// is demands that what is written at a place is so.
func (n node) is(want string) {
	n.t.Helper()
	if got := n.text(); got != want {
		n.t.Errorf("%s is %q, want %q", n.path, got, want)
	}
}

// installed finds a program, or skips the test where there is none.
func installed(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed", program)
	}
	return path
}

// output runs a program to its end and returns what it printed to stdout.
func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args, " "), err, stdout, stderr.String())
	}
	return string(stdout)
}
