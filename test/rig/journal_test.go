package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// replay notes writes with the given outcomes and returns the journal.
func replay(t *testing.T, outcomes ...outcome) (*journal, *bytes.Buffer) {
	t.Helper()
	var file bytes.Buffer
	j := newJournal("test", &file)
	for _, o := range outcomes {
		id := j.intend("rename", "/accounts/a")
		if o != intended {
			j.note(id, o, "")
		}
	}
	return j, &file
}

func TestI44_AuditMustFitTheJournal(t *testing.T) {
	for _, tt := range []struct {
		name    string
		outcome outcome
		events  int
		want    offence // "" for none
	}{
		{"an acknowledged write has its event", acknowledged, 1, ""},
		{"an acknowledged write is lost", acknowledged, 0, lostWrite},
		{"an acknowledged write happened twice", acknowledged, 2, brokenRule},
		{"a denied write left nothing", denied, 0, ""},
		{"a denied write happened", denied, 1, brokenRule},
		{"an unknown write did not happen", unknown, 0, ""},
		{"an unknown write happened", unknown, 1, ""},
		{"an unknown write happened twice", unknown, 2, brokenRule},
		{"a write under way happened", intended, 1, ""},
		{"a write under way happened twice", intended, 2, brokenRule},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j, _ := replay(t, unknown, tt.outcome)
			entries, next := j.snapshot(1)
			if next != 2 || len(entries) != 1 {
				t.Fatalf("the second of 2 entries: %d of %d", len(entries), next)
			}
			found := compareAudit(entries, map[string]int{entries[0].ID: tt.events, "somebody else's": 1})
			if got := offences(found); got != string(tt.want) {
				t.Errorf("%q, want %q: %v", got, tt.want, found)
			}
		})
	}
}

// offences names the kinds of what was found.
func offences(found []finding) string {
	var kinds []string
	for _, f := range found {
		kinds = append(kinds, string(f.offence))
	}
	return strings.Join(kinds, ", ")
}

func TestAJournalIsWrittenAheadOfItsOutcome(t *testing.T) {
	j, file := replay(t, acknowledged, intended)
	var lines []entry
	for decoder := json.NewDecoder(file); decoder.More(); {
		var e entry
		if err := decoder.Decode(&e); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, e)
	}
	want := []entry{
		{ID: "test-0", Operation: "rename", Target: "/accounts/a", Outcome: intended},
		{ID: "test-0", Outcome: acknowledged},
		{ID: "test-1", Operation: "rename", Target: "/accounts/a", Outcome: intended},
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d", len(lines), len(want))
	}
	for i := range want {
		if lines[i] != want[i] {
			t.Errorf("line %d is %+v, want %+v", i, lines[i], want[i])
		}
	}
	if n := j.acknowledgements(); n != 1 {
		t.Errorf("%d acknowledgements, want 1", n)
	}
	if got := j.history("/accounts/a"); got != "test-0 rename ack; test-1 rename intent" {
		t.Errorf("history: %s", got)
	}
	if got := j.history("/accounts"); got == "" {
		t.Error("the history of a collection leaves out its objects")
	}
	if got := j.history("/accounts/ab"); got != "" {
		t.Errorf("history of another: %s", got)
	}
}

var errFull = errors.New("disk is full")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestAJournalThatCannotBeWrittenSaysSo(t *testing.T) {
	j := newJournal("test", fullDisk{})
	j.note(j.intend("rename", "/accounts/a"), acknowledged, "")
	if err := j.err(); !errors.Is(err, errFull) {
		t.Errorf("err = %v, want %v", err, errFull)
	}
}
