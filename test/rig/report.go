package main

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// report is what a run found. It is safe for concurrent use.
type report struct {
	mu         sync.Mutex
	summary    summary
	violations []violation
	progress   io.Writer
	began      time.Time
}

// summary is the line that a run leaves.
type summary struct {
	Tier    string  `json:"tier"`
	Seed    uint64  `json:"seed"`
	Commit  string  `json:"commit"`
	Broken  string  `json:"broken,omitempty"` // the server broke a promise on purpose
	Seconds float64 `json:"seconds"`

	AcknowledgedWrites  int `json:"acknowledged_writes"`
	LostWrites          int `json:"lost_writes"`
	TokenRequests       int `json:"token_requests"`
	FailedTokenRequests int `json:"failed_token_requests"`
	RevokedButActive    int `json:"revoked_but_active"`
	LastUsedLost        int `json:"last_used_lost"`

	PropagationTrials int     `json:"propagation_trials"`
	PropagationP99    float64 `json:"propagation_p99_ms"` // of the last start of a success after the acknowledgement; negative: before it
	PropagationMax    float64 `json:"propagation_max_ms"`

	KillCycles       int                  `json:"kill_cycles"`
	PowerCuts        int                  `json:"power_cuts"`
	PowerCutsSkipped string               `json:"power_cuts_skipped,omitempty"` // why
	Rows             map[string]rowResult `json:"rows"`
	Violations       int                  `json:"violations"`
}

// rowResult is what is worth keeping of one row.
type rowResult struct {
	Seconds    float64            `json:"seconds"`
	Violations int                `json:"violations"`
	Figures    map[string]float64 `json:"figures,omitempty"` // named with their unit, as "p99_ms"
}

// violation is one promise that did not hold.
type violation struct {
	row  string
	text string
}

func (v violation) String() string { return v.row + ": " + v.text }

func newReport(head summary, progress io.Writer) *report {
	head.Rows = map[string]rowResult{}
	return &report{summary: head, progress: progress, began: time.Now()}
}

// count changes the sums of the run.
func (r *report) count(change func(*summary)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.summary)
}

// saidAtOnce is how many violations of a row are printed when they happen. The end has all.
const saidAtOnce = 5

// violate notes a broken promise.
func (r *report) violate(row, format string, args ...any) {
	v := violation{row, fmt.Sprintf(format, args...)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.violations = append(r.violations, v)
	result := r.summary.Rows[row]
	result.Violations++
	r.summary.Rows[row] = result
	if result.Violations <= saidAtOnce {
		r.printLocked("VIOLATION " + v.String())
	}
}

// figure keeps a measured value of a row.
func (r *report) figure(row, name string, value float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	result := r.summary.Rows[row]
	if result.Figures == nil {
		result.Figures = map[string]float64{}
	}
	result.Figures[name] = value
	r.summary.Rows[row] = result
}

// figureOf returns a value of a row, 0 when there is none yet.
func (r *report) figureOf(row, name string) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.summary.Rows[row].Figures[name]
}

// addFigure adds to a value of a row.
func (r *report) addFigure(row, name string, more float64) {
	if more != 0 {
		r.figure(row, name, r.figureOf(row, name)+more)
	}
}

// finished notes how long a row took.
func (r *report) finished(row string, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	result := r.summary.Rows[row]
	result.Seconds = seconds(took)
	r.summary.Rows[row] = result
	r.printLocked(fmt.Sprintf("%s: %d violations %v", row, result.Violations, result.Figures))
}

// logf prints progress.
func (r *report) logf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.printLocked(fmt.Sprintf(format, args...))
}

func (r *report) printLocked(text string) {
	_, _ = fmt.Fprintf(r.progress, "%7.1fs %s\n", time.Since(r.began).Seconds(), text)
}

// write prints the violations, if there are any, and the line of the run. It reports
// whether all promises held.
func (r *report) write(stdout, stderr io.Writer) (held bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.summary.Violations = len(r.violations)
	r.summary.Seconds = seconds(time.Since(r.began))
	for _, v := range r.violations {
		_, _ = fmt.Fprintln(stderr, "violated:", v)
	}
	return len(r.violations) == 0, json.NewEncoder(stdout).Encode(r.summary)
}

func seconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Millisecond)) / float64(time.Second)
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}
