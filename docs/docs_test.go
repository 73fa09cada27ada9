// Package docs_test keeps the documentation true to the program.
package docs_test

import (
	"fmt"
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
)

// read returns a file named from the root of the repository.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func pages(t *testing.T) []string {
	t.Helper()
	list := []string{"README.md", "CHANGELOG.md"}
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".md" {
			list = append(list, "docs/"+filepath.ToSlash(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestConfigurationListsEverySetting(t *testing.T) {
	var want []string
	for _, option := range config.Options() {
		standard := ""
		if option.Default != "" {
			standard = "`" + option.Default + "`"
		}
		want = append(want, fmt.Sprintf("| `%s` | %s | %s |", option.Variable(), standard, option.Description))
	}
	got := regexp.MustCompile("(?m)^\\| `SIGNET_.*$").FindAllString(read(t, "docs/configuration.md"), -1)
	if !slices.Equal(got, want) {
		t.Errorf("docs/configuration.md: the table of variables must be\n%s", strings.Join(want, "\n"))
	}
}

// A test that a page names is a function or a case of a conformance suite.
func TestNamedTestsExist(t *testing.T) {
	declared := map[string]bool{}
	shape := regexp.MustCompile(`(?m)^func (Test\w+)\(|"(Test\w+)"`)
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" {
			return err
		}
		text, err := os.ReadFile(path)
		for _, match := range shape.FindAllStringSubmatch(string(text), -1) {
			declared[match[1]+match[2]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, page := range pages(t) {
		for _, match := range regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(read(t, page), -1) {
			named++
			if !declared[match[1]] {
				t.Errorf("%s names %s, which is no test", page, match[1])
			}
		}
	}
	if named == 0 {
		t.Error("no page names a test")
	}
}

func TestAPIListsEveryEndpoint(t *testing.T) {
	var document struct {
		Paths map[string]map[string]any `yaml:"paths"`
	}
	source := read(t, "server/admin/openapi.yaml")
	if err := yaml.Unmarshal([]byte(source), &document); err != nil {
		t.Fatal(err)
	}
	var want []string
	for path, operations := range document.Paths {
		for _, method := range []string{"get", "post", "patch", "delete", "put"} {
			if operations[method] != nil {
				want = append(want, strings.ToUpper(method)+" "+path)
			}
		}
	}
	page := read(t, "docs/api.md")
	var got []string
	for _, match := range regexp.MustCompile("(?m)^\\| `([A-Z]+ /[^`]*)` \\|").FindAllStringSubmatch(page, -1) {
		got = append(got, match[1])
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("docs/api.md lists\n%s\nand the document has\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, code := range errorCodes(source) {
		if !strings.Contains(page, "| `"+code+"` |") {
			t.Errorf("docs/api.md does not explain the error %s", code)
		}
	}
}

// errorCodes finds the constants of error members in the OpenAPI document.
func errorCodes(source string) []string {
	var codes []string
	for _, match := range regexp.MustCompile(`error: \{(?:const: (\w+)|enum: \[([^\]]+)\])\}`).FindAllStringSubmatch(source, -1) {
		for code := range strings.SplitSeq(match[1]+match[2], ",") {
			// These are constants that RFC 6749 has and our answers do not.
			if code = strings.TrimSpace(code); code != "unauthorized_client" && code != "invalid_grant" && code != "invalid_token" {
				codes = append(codes, code)
			}
		}
	}
	return codes
}

func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)]*))?\)`)
	for _, page := range pages(t) {
		for _, match := range link.FindAllStringSubmatch(read(t, page), -1) {
			target := page
			if match[1] != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(page), match[1]))
			}
			if _, err := os.Stat(filepath.Join("..", target)); err != nil {
				t.Errorf("%s links to %s, which is not there", page, target)
				continue
			}
			if match[2] != "" && !slices.Contains(anchors(read(t, target)), match[2]) {
				t.Errorf("%s links to %s#%s, which has no such heading", page, target, match[2])
			}
		}
	}
}

// anchors are the names that headings get when the page is shown.
func anchors(text string) []string {
	var list []string
	for _, match := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(match[1]), "")
		list = append(list, strings.ReplaceAll(name, " ", "-"))
	}
	return list
}

func TestGoProgramsCompile(t *testing.T) {
	program := regexp.MustCompile("(?s)```go\n(package main\n.*?)```")
	found := 0
	for _, page := range pages(t) {
		for _, match := range program.FindAllStringSubmatch(read(t, page), -1) {
			found++
			file := filepath.Join(t.TempDir(), "main.go")
			if err := os.WriteFile(file, []byte(match[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			vet := exec.CommandContext(t.Context(), "go", "vet", file)
			vet.Dir = ".."
			if output, err := vet.CombinedOutput(); err != nil {
				t.Errorf("%s, program %d: %v\n%s", page, found, err, output)
			}
		}
	}
	if found == 0 {
		t.Error("no page has a program")
	}
}
