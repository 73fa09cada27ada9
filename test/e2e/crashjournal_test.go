package e2e_test

import (
	"fmt"
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
	denied       outcome = "deny"
	unknown      outcome = "unknown" // the answer did not come
)

type entry struct {
	operation, target string
	outcome           outcome
}

// journal remembers every write outside of the server. The id of an entry is the
// correlation id of its request.
type journal struct {
	mu      sync.Mutex
	entries map[string]entry
}

func newJournal() *journal { return &journal{entries: map[string]entry{}} }

func (j *journal) intend(operation, target string) (id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	id = fmt.Sprintf("crash-%d", len(j.entries))
	j.entries[id] = entry{operation, target, intended}
	return id
}

func (j *journal) note(id string, o outcome) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.entries[id]
	e.outcome = o
	j.entries[id] = e
}

// compare reports writes whose audit events, counted by correlation id, are not as they must be.
func (j *journal) compare(events map[string]int) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var faults []string
	for id, e := range j.entries {
		count := events[id]
		if (e.outcome == acknowledged && count != 1) || (e.outcome == denied && count != 0) || count > 1 {
			faults = append(faults, fmt.Sprintf("%s of %s (%s) has %d audit events", e.operation, e.target, e.outcome, count))
		}
	}
	return faults
}

// of lists what was done to a target.
func (j *journal) of(target string) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var lines []string
	for i := range len(j.entries) {
		id := fmt.Sprintf("crash-%d", i)
		if e := j.entries[id]; strings.HasPrefix(e.target, target) {
			lines = append(lines, id+" "+e.operation+" "+string(e.outcome))
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
		counts[e.operation+" "+string(e.outcome)]++
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return strings.Join(parts, ", ")
}
