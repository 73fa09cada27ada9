package archtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestArchitecture(t *testing.T) {
	module := load(t, os.DirFS(moduleRoot(t)))
	if len(module.sources) == 0 {
		t.Fatal("no Go file found")
	}
	for name, rule := range rules {
		t.Run(name, func(t *testing.T) {
			for _, violation := range rule(module) {
				t.Error(violation)
			}
		})
	}
}

// modernc.org/sqlite works with exactly one version of its C library; another module may
// pull in a later one without an error.
func TestLibcIsPinned(t *testing.T) {
	ours, err := os.ReadFile(filepath.Join(moduleRoot(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sqlite := required(string(ours), "modernc.org/sqlite")
	if sqlite == "" {
		t.Fatal("modernc.org/sqlite is not required")
	}
	cache, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(cache)), "cache/download/modernc.org/sqlite/@v", sqlite+".mod"))
	if err != nil {
		t.Fatal(err)
	}
	got, want := required(string(ours), "modernc.org/libc"), required(string(theirs), "modernc.org/libc")
	if got == "" || got != want {
		t.Errorf("modernc.org/libc is %q, modernc.org/sqlite %s demands %q", got, sqlite, want)
	}
}

// required returns the version of a module in the text of a go.mod, or "".
func required(goMod, path string) string {
	line := regexp.MustCompile(`(?m)^(?:require)?\s*` + regexp.QuoteMeta(path) + `\s+(v\S+)`)
	if found := line.FindStringSubmatch(goMod); found != nil {
		return found[1]
	}
	return ""
}
