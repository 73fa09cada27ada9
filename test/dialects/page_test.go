package dialects_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var (
	page     = filepath.Join("..", "..", "docs", "dialects.md")
	placed   = regexp.MustCompile(`(?s)<!-- transcript (\w+): ([^>]*) -->\n(?:\n` + "```http\n.*?\n```" + `\n<!-- end -->\n)?`)
	unneeded = regexp.MustCompile(`(?m)^< (Cache-Control|Pragma|Etag): .*\n`)
)

// The page has the exchanges that its comments name, a section of the transcript and a number each.
func TestPageShowsTheTranscripts(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	doors := map[string]bool{}
	want := placed.ReplaceAllStringFunc(string(text), func(found string) string {
		parts := placed.FindStringSubmatch(found)
		doors[parts[1]] = true
		return "<!-- transcript " + parts[1] + ": " + parts[2] + " -->\n\n```http\n" + excerpt(t, parts[1], parts[2]) + "\n```\n<!-- end -->\n"
	})
	if len(doors) != 4 {
		t.Errorf("the page shows %v", doors)
	}
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(text) {
		t.Error("docs/dialects.md is not as the transcripts are (-update writes it anew)")
	}
}

// excerpt finds exchanges of a golden transcript.
func excerpt(t *testing.T, door, chosen string) string {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", door+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for choice := range strings.SplitSeq(chosen, ", ") {
		cut := strings.LastIndexByte(choice, ' ')
		number, err := strconv.Atoi(choice[cut+1:])
		if err != nil {
			t.Fatal(err)
		}
		found := exchanges(archive, choice[:cut])
		if number < 1 || number > len(found) {
			t.Fatalf("%s has no exchange %d in %q", door, number, choice[:cut])
		}
		shown = append(shown, unneeded.ReplaceAllString(found[number-1], ""))
	}
	return strings.Join(shown, "\n\n")
}

func exchanges(archive *txtar.Archive, section string) []string {
	var found []string
	for _, file := range archive.Files {
		if file.Name != section {
			continue
		}
		for block := range strings.SplitSeq(strings.TrimSpace(string(file.Data)), "\n\n") {
			if strings.HasPrefix(block, "> ") {
				found = append(found, block)
			}
		}
	}
	return found
}
