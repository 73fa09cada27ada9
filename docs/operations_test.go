package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// rigRows lists the rows that test/rig runs.
func rigRows(t *testing.T) []string {
	t.Helper()
	sources, err := filepath.Glob("../test/rig/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	declaration := regexp.MustCompile(`(?m)^\t\t\{"([a-z0-9-]+)", "[^"]+", \w+Fleet, `)
	for _, name := range sources {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, names(declaration, string(text))...)
	}
	slices.Sort(rows)
	return rows
}

// names is what the first group of a pattern finds.
func names(pattern *regexp.Regexp, text string) []string {
	var list []string
	for _, match := range pattern.FindAllStringSubmatch(text, -1) {
		list = append(list, match[1])
	}
	return list
}

var rowName = regexp.MustCompile("`([a-z0-9-]+)`")

// The table of what happens when something is gone has exactly the rows that test/rig runs.
func TestOperationsNamesTheRowsOfTheRig(t *testing.T) {
	run := rigRows(t)
	_, table, _ := strings.Cut(read(t, "docs/operations.md"), "\n## When something is gone\n")
	table, _, _ = strings.Cut(table, "\n## ")
	lastColumn := regexp.MustCompile(`(?m)^\|.*\| ([^|]+) \|$`)
	named := names(rowName, strings.Join(names(lastColumn, table), "\n"))
	slices.Sort(named)
	if len(run) == 0 || !slices.Equal(run, named) {
		t.Errorf("docs/operations.md names the rows\n%s\nand test/rig runs\n%s", strings.Join(named, "\n"), strings.Join(run, "\n"))
	}
}

// A row that the page refers to outside of its table.
func TestOperationsRefersToRowsThatExist(t *testing.T) {
	run := rigRows(t)
	page := strings.ReplaceAll(read(t, "docs/operations.md"), "\n", " ")
	referred := names(rowName, strings.Join(names(regexp.MustCompile(`\(rows? ([^)]+)\)`), page), "\n"))
	if len(referred) == 0 {
		t.Error("no row is referred to")
	}
	for _, row := range referred {
		if !slices.Contains(run, row) {
			t.Errorf("docs/operations.md refers to %s, which test/rig does not run", row)
		}
	}
}

// Every alert of the page is one of rules.yaml, which deploy's tests ask the other way round.
func TestOperationsExplainsNoAlertThatIsNotThere(t *testing.T) {
	rules := read(t, "deploy/prometheus/rules.yaml")
	explained := regexp.MustCompile(`(?m)^### (Signet\w+)$`).FindAllStringSubmatch(read(t, "docs/operations.md"), -1)
	if len(explained) == 0 {
		t.Error("no alert is explained")
	}
	for _, alert := range explained {
		if !strings.Contains(rules, "- alert: "+alert[1]+"\n") {
			t.Errorf("docs/operations.md explains %s, which is no alert", alert[1])
		}
	}
}
