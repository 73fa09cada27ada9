package main

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"
)

func TestRowNamesAreStable(t *testing.T) {
	plain := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	seen := map[string]bool{}
	for _, r := range allRows() {
		if !plain.MatchString(r.name) || r.what == "" || r.run == nil {
			t.Errorf("row %q lacks something", r.name)
		}
		if seen[r.name] {
			t.Errorf("row %q is there twice", r.name)
		}
		seen[r.name] = true
	}
}

// Rows that share a fleet stand together, or it would be started again and again.
func TestRowsOfAFleetStandTogether(t *testing.T) {
	var order []fleetKind
	for _, r := range allRows() {
		if len(order) == 0 || order[len(order)-1] != r.fleet {
			order = append(order, r.fleet)
		}
	}
	seen := map[fleetKind]bool{}
	for _, kind := range order {
		if seen[kind] {
			t.Errorf("the fleet %q is started twice: %q", kind, order)
		}
		seen[kind] = true
	}
}

func TestFlags(t *testing.T) {
	for _, c := range []struct{ args, fault string }{
		{"-only nothing-like-that", "no row"},
		{"-tier medium", "no tier"},
		{"short", "unknown argument"},
	} {
		_, err := parse(strings.Fields(c.args), io.Discard)
		if err == nil || !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: error %v, want one that says %q", c.args, err, c.fault)
		}
	}
	opts, err := parse([]string{"-only", "redis-hung, redis-down", "-seed", "7"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(opts.rows) != 2 || opts.rows[0].name != "redis-down" || opts.seed != 7 || opts.tier.name != "short" {
		t.Errorf("read %+v", opts)
	}
}

func TestReport(t *testing.T) {
	var progress, stdout, stderr bytes.Buffer
	r := newReport(summary{Tier: "short", Seed: 7}, &progress)
	if held, err := r.write(io.Discard, io.Discard); err != nil || !held {
		t.Errorf("nothing is violated: %v, %v", held, err)
	}
	for range saidAtOnce + 1 {
		r.violate("redis-down", "%d requests failed", 3)
	}
	r.addFigure("redis-down", "p99_ms", 2)
	r.addFigure("redis-down", "p99_ms", 3)
	held, err := r.write(&stdout, &stderr)
	if err != nil || held {
		t.Errorf("something is violated: %v, %v", held, err)
	}
	if n := strings.Count(stderr.String(), "violated: redis-down: 3 requests failed\n"); n != saidAtOnce+1 {
		t.Errorf("%d violations are listed, want all %d", n, saidAtOnce+1)
	}
	if n := strings.Count(progress.String(), "VIOLATION"); n != saidAtOnce {
		t.Errorf("%d violations are said at once, want %d", n, saidAtOnce)
	}
	var line summary
	if err := json.Unmarshal(stdout.Bytes(), &line); err != nil || strings.Count(stdout.String(), "\n") != 1 {
		t.Fatalf("not one line of JSON: %v: %s", err, &stdout)
	}
	if row := line.Rows["redis-down"]; line.Violations != saidAtOnce+1 || row.Violations != saidAtOnce+1 || row.Figures["p99_ms"] != 5 || line.Seed != 7 {
		t.Errorf("the line is %s", &stdout)
	}
}
