package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

// outcome is what is known of a write.
type outcome string

const (
	intended     outcome = "intent"
	acknowledged outcome = "ack"
	denied       outcome = "deny"    // a definite 4xx, or the request never left
	unknown      outcome = "unknown" // the answer did not come, or was a 5xx
)

// entry is one write. Its id is the correlation id of its request.
type entry struct {
	ID        string  `json:"id"`
	Operation string  `json:"operation,omitempty"`
	Target    string  `json:"target,omitempty"`
	Outcome   outcome `json:"outcome"`
	Cause     string  `json:"cause,omitempty"` // of any outcome but an acknowledgement
}

// journal remembers every write outside of what the faults reach. It is safe for concurrent use.
type journal struct {
	name string // begins every id

	mu      sync.Mutex
	out     io.Writer // gets a line for each intent and each outcome
	failure error     // of out, the first
	entries []entry
	acked   int
}

func newJournal(name string, out io.Writer) *journal { return &journal{name: name, out: out} }

// intend notes a write before it is sent and names it.
func (j *journal) intend(operation, target string) (id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	id = fmt.Sprintf("%s-%d", j.name, len(j.entries))
	e := entry{ID: id, Operation: operation, Target: target, Outcome: intended}
	j.entries = append(j.entries, e)
	j.print(e)
	return id
}

// note keeps what became of a write.
func (j *journal) note(id string, o outcome, cause string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var at int
	if _, err := fmt.Sscanf(strings.TrimPrefix(id, j.name+"-"), "%d", &at); err != nil || at >= len(j.entries) {
		panic("no such entry: " + id)
	}
	j.entries[at].Outcome, j.entries[at].Cause = o, cause
	if o == acknowledged {
		j.acked++
	}
	j.print(entry{ID: id, Outcome: o, Cause: cause})
}

func (j *journal) print(e entry) {
	line, err := json.Marshal(e)
	if err == nil {
		_, err = j.out.Write(append(line, '\n'))
	}
	if j.failure == nil {
		j.failure = err
	}
}

// acknowledgements counts the writes that were acknowledged.
func (j *journal) acknowledgements() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.acked
}

// snapshot returns what is known now, beginning with entry number from, and the number of the next one.
func (j *journal) snapshot(from int) (entries []entry, next int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.entries[from:]), len(j.entries)
}

// err is what kept the journal from being written to its file.
func (j *journal) err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failure
}

// compareAudit reports entries whose audit events, counted by correlation id, are not as they
// must be: one for an acknowledged write, none for a denied one, either for an unknown one.
func compareAudit(entries []entry, events map[string]int) []finding {
	var found []finding
	for _, e := range entries {
		count := events[e.ID]
		switch {
		case e.Outcome == acknowledged && count == 0:
			found = append(found, lost("%s of %s (%s) was acknowledged and has no audit event (I44)", e.Operation, e.Target, e.ID))
		case e.Outcome == denied && count != 0, count > 1:
			found = append(found, wrong("%s of %s (%s, %s) has %d audit events (I44)", e.Operation, e.Target, e.ID, e.Outcome, count))
		}
	}
	return found
}

// history lists what was done to a target.
func (j *journal) history(target string) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var lines []string
	for _, e := range j.entries {
		if e.Target == target || strings.HasPrefix(e.Target, target+"/") {
			lines = append(lines, e.ID+" "+e.Operation+" "+string(e.Outcome))
		}
	}
	return strings.Join(lines, "; ")
}

// String counts operations by outcome.
func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	counts := map[string]int{}
	for _, e := range j.entries {
		counts[e.Operation+" "+string(e.Outcome)]++
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return strings.Join(parts, ", ")
}
