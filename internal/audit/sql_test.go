package audit_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/signet-issuer/signet/internal/audit"
	"github.com/signet-issuer/signet/internal/sqldb"
)

func open(t *testing.T) *sqldb.DB {
	t.Helper()
	db, err := sqldb.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "signet.db"), sqldb.Normal)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Migrate(t.Context(), sqldb.Migrations); err != nil {
		t.Fatal(err)
	}
	return db
}

var (
	start = time.Date(2026, 11, 22, 10, 0, 0, 123_456_000, time.UTC)
	acme  = uuid.MustParse("018f0000-0000-7000-8000-0000000000aa")
	globe = uuid.MustParse("018f0000-0000-7000-8000-0000000000bb")
)

// event is the n-th one: a minute and an id later than the one before.
func event(n int) audit.Event {
	return audit.Event{
		ID:            uuid.MustParse(fmt.Sprintf("018f0000-0000-7000-8000-%012x", n)),
		Time:          start.Add(time.Duration(n) * time.Minute),
		Type:          "organizations.serviceAccounts.created",
		OrgID:         acme,
		OrgSlug:       "acme",
		Actor:         "sa:acme:admin",
		Target:        fmt.Sprintf("sa:acme:bot-%d", n),
		Outcome:       audit.Succeeded,
		CorrelationID: fmt.Sprintf("c-%d", n),
		Source:        "192.0.2.1",
	}
}

func appendAll(t *testing.T, db *sqldb.DB, events ...audit.Event) {
	t.Helper()
	err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
		for _, e := range events {
			if err := audit.Append(t.Context(), tx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFind(t *testing.T) {
	db := open(t)
	events := make([]audit.Event, 6)
	for n := range events {
		events[n] = event(n + 1)
	}
	events[1].Actor = "sa:acme:other"
	events[3].Target = events[4].Target
	events[5].OrgID, events[5].OrgSlug = globe, "globe"
	keys := event(7)
	keys.OrgID, keys.OrgSlug = uuid.Nil, ""
	// The order of writing does not matter.
	appendAll(t, db, events[3], keys, events[0], events[5], events[4], events[1], events[2])

	for _, tt := range findCases(events, keys) {
		t.Run(tt.name, func(t *testing.T) {
			var got []audit.Event
			err := db.Read(t.Context(), func(tx *sqldb.Tx) (err error) {
				got, err = audit.Find(t.Context(), tx, tt.q)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

type findCase struct {
	name string
	q    audit.Query
	want []audit.Event
}

func findCases(events []audit.Event, keys audit.Event) []findCase {
	return []findCase{
		{"newest first", audit.Query{OrgID: acme, Limit: 9}, []audit.Event{events[4], events[3], events[2], events[1], events[0]}},
		{"first page", audit.Query{OrgID: acme, Limit: 2}, []audit.Event{events[4], events[3]}},
		{"next page", audit.Query{OrgID: acme, Limit: 2, Before: events[3].ID}, []audit.Event{events[2], events[1]}},
		{"after the last", audit.Query{OrgID: acme, Limit: 2, Before: events[0].ID}, nil},
		{"another org", audit.Query{OrgID: globe, Limit: 9}, []audit.Event{events[5]}},
		{"no org", audit.Query{Limit: 9}, []audit.Event{keys}},
		{"absent org", audit.Query{OrgID: events[0].ID, Limit: 9}, nil},
		{"from is in", audit.Query{OrgID: acme, From: events[3].Time, Limit: 9}, []audit.Event{events[4], events[3]}},
		{"to is out", audit.Query{OrgID: acme, To: events[1].Time, Limit: 9}, []audit.Event{events[0]}},
		{"actor", audit.Query{OrgID: acme, Actor: "sa:acme:other", Limit: 9}, []audit.Event{events[1]}},
		{"target", audit.Query{OrgID: acme, Target: events[4].Target, Limit: 9}, []audit.Event{events[4], events[3]}},
		{
			"all at once",
			audit.Query{
				OrgID: acme, From: events[1].Time, To: events[4].Time, Actor: "sa:acme:admin",
				Target: events[4].Target, Before: events[4].ID, Limit: 9,
			},
			[]audit.Event{events[3]},
		},
		{"hostile text", audit.Query{OrgID: acme, Target: "' OR 1=1 --", Limit: 9}, nil},
	}
}

func TestI44_AnEventIsWrittenOnce(t *testing.T) {
	db := open(t)
	appendAll(t, db, event(1))
	err := db.Write(t.Context(), func(tx *sqldb.Tx) error { return audit.Append(t.Context(), tx, event(1)) })
	if !sqldb.IsUnique(err) {
		t.Errorf("the same id again: %v", err)
	}
}

func TestI18_ReceiptsAreReplacedAndRecalled(t *testing.T) {
	db := open(t)
	first := audit.Receipt{Actor: acme, Key: "k", Fingerprint: "f1", OrgID: globe, Target: "t1", Time: start}
	second := audit.Receipt{Actor: acme, Key: "k", Fingerprint: "f2", OrgID: acme, Target: "t2", Time: start.Add(time.Hour)}
	other := audit.Receipt{Actor: globe, Key: "k", Fingerprint: "f3", Target: "t3", Time: start}

	recall := func(actor uuid.UUID, key string) (r audit.Receipt, found bool) {
		t.Helper()
		err := db.Read(t.Context(), func(tx *sqldb.Tx) (err error) {
			r, found, err = audit.Recall(t.Context(), tx, actor, key)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return r, found
	}
	if r, found := recall(acme, "k"); found {
		t.Errorf("an empty table has %v", r)
	}
	for _, want := range []audit.Receipt{first, other, second} {
		err := db.Write(t.Context(), func(tx *sqldb.Tx) error { return audit.Keep(t.Context(), tx, want) })
		if err != nil {
			t.Fatal(err)
		}
		if got, found := recall(want.Actor, want.Key); !found || got != want {
			t.Errorf("got %v %v, want %v", got, found, want)
		}
	}
	if got, _ := recall(globe, "k"); got != other {
		t.Errorf("the receipt of another actor became %v", got)
	}
	if r, found := recall(acme, "K"); found {
		t.Errorf("another key has %v", r)
	}
}

func TestFailuresAreNotSwallowed(t *testing.T) {
	db := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := db.Write(t.Context(), func(tx *sqldb.Tx) error {
		if err := audit.Append(ctx, tx, event(1)); !errors.Is(err, context.Canceled) {
			t.Errorf("Append = %v", err)
		}
		if err := audit.Keep(ctx, tx, audit.Receipt{}); !errors.Is(err, context.Canceled) {
			t.Errorf("Keep = %v", err)
		}
		if _, err := audit.Find(ctx, tx, audit.Query{}); !errors.Is(err, context.Canceled) {
			t.Errorf("Find = %v", err)
		}
		if _, _, err := audit.Recall(ctx, tx, acme, "k"); !errors.Is(err, context.Canceled) {
			t.Errorf("Recall = %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
