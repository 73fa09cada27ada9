package main

import (
	"context"
	"fmt"
	"strings"
)

// row is one thing that is broken, or one promise that is measured. Names are stable: the
// documentation's table of faults has them.
type row struct {
	name  string
	what  string
	fleet fleetKind
	run   func(ctx context.Context, s *session, name string) error
}

// allRows returns the rows in the order in which they run.
func allRows() []row {
	rows := append(redisRows(), propagationRows()...)
	rows = append(rows, replicaRows()...)
	rows = append(rows, postgresRows()...)
	rows = append(rows, nodeRows()...)
	return append(rows, crashRows()...)
}

// selectRows returns all rows, or those that are named.
func selectRows(only string) ([]row, error) {
	rows := allRows()
	if only == "" {
		return rows, nil
	}
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(only, ",") {
		wanted[strings.TrimSpace(name)] = true
	}
	var chosen []row
	for _, r := range rows {
		if wanted[r.name] {
			chosen = append(chosen, r)
			delete(wanted, r.name)
		}
	}
	for name := range wanted {
		return nil, fmt.Errorf("there is no row %q; -list names them", name)
	}
	return chosen, nil
}
