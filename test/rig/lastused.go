package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	// quietWithin is when the last use must be known everywhere once nothing comes any more (I46).
	quietWithin = 10 * time.Second
	// usePrecision is what a stored time loses of the real one.
	usePrecision = time.Millisecond
)

// use is that an account got a token: its lastUsedAt must be no older.
type use struct {
	slug string
	at   time.Time
}

// clientUses are the last uses of the clients of the load.
func (st *stage) clientUses() []use {
	var uses []use
	for _, c := range st.clients {
		if at := c.lastAck(); !at.IsZero() {
			uses = append(uses, use{c.slug, at})
		}
	}
	return uses
}

// checkUses waits until every replica knows the uses, as long as is allowed.
func (st *stage) checkUses(ctx context.Context, row string, uses []use, within time.Duration) error {
	began := time.Now()
	for {
		missing, err := st.missingUses(ctx, uses)
		switch {
		case err != nil:
			return err
		case len(missing) == 0:
			st.session.report.figure(row, "last_used_known_ms", milliseconds(time.Since(began)))
			return nil
		case time.Since(began) > within:
			st.session.report.count(func(s *summary) { s.LastUsedLost += len(missing) })
			st.session.report.violate(row, "%d last uses are not known %v later, as %s (I46)", len(missing), within, missing[0])
			return nil
		}
		sleep(ctx, 100*time.Millisecond)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// missingUses describes the uses that some replica does not know.
func (st *stage) missingUses(ctx context.Context, uses []use) ([]string, error) {
	var missing []string
	for _, d := range st.direct {
		for _, u := range uses {
			got, err := d.must(ctx, http.MethodGet, accountsPath+"/"+u.slug, "")
			if err != nil {
				return nil, err
			}
			var seen struct{ LastUsedAt *time.Time }
			if err := json.Unmarshal(got.body, &seen); err != nil {
				return nil, err
			}
			if seen.LastUsedAt == nil || seen.LastUsedAt.Before(u.at.Add(-usePrecision)) {
				missing = append(missing, fmt.Sprintf("%s used at %v is %v at %s", u.slug, u.at, seen.LastUsedAt, d.name))
			}
		}
	}
	return missing, nil
}
