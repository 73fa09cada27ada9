package localstate

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/sqldb"
	"github.com/signet-issuer/signet/tokens"
)

func TestBatchIsBounded(t *testing.T) {
	b, failed := newBatch(10), newBatch(10)
	dropped := 0
	for n := range 25 {
		dropped += b.add(tokens.LiveToken{JTI: fmt.Sprint(n)})
		dropped += b.touch(accounts.Use{SecretID: uuid.New(), At: time.Unix(int64(n), 0)})
	}
	if len(b.live) != 10 || len(b.uses) != 10 || dropped != 30 || b.live[0].JTI != "15" {
		t.Errorf("%d records from %s on, %d uses, %d dropped", len(b.live), b.live[0].JTI, len(b.uses), dropped)
	}
	for n := range 10 {
		failed.add(tokens.LiveToken{JTI: fmt.Sprint("old", n)})
	}
	b.live = b.live[:4]
	if dropped := b.putBack(&failed); dropped != 4 || len(b.live) != 10 || b.live[0].JTI != "old4" || b.live[9].JTI != "18" {
		t.Errorf("put back: %d dropped, %d records from %s to %s", dropped, len(b.live), b.live[0].JTI, b.live[9].JTI)
	}
}

func TestBatchKeepsTheNewerUseWhenPutBack(t *testing.T) {
	b, failed := newBatch(10), newBatch(10)
	a, c := uuid.New(), uuid.New()
	b.touch(accounts.Use{SecretID: a, At: time.Unix(2, 0)})
	failed.touch(accounts.Use{SecretID: a, At: time.Unix(1, 0)})
	failed.touch(accounts.Use{SecretID: c, At: time.Unix(1, 0)})
	if dropped := b.putBack(&failed); dropped != 0 || b.uses[a].At.Unix() != 2 || b.uses[c].At.Unix() != 1 {
		t.Errorf("%d dropped, %v", dropped, b.uses)
	}
}

func TestBatchPutBackDropsTheOlderUses(t *testing.T) {
	b, failed := newBatch(10), newBatch(10)
	for n := range 10 {
		failed.touch(accounts.Use{SecretID: uuid.New(), At: time.Unix(int64(n), 0)})
		if n < 8 {
			b.touch(accounts.Use{SecretID: uuid.New(), At: time.Unix(int64(100+n), 0)})
		}
	}
	dropped, newer := b.putBack(&failed), 0
	for _, use := range b.uses {
		if use.At.Unix() >= 100 {
			newer++
		}
	}
	if dropped != 8 || len(b.uses) != 10 || newer != 8 {
		t.Errorf("%d dropped, %d uses, %d of them newer", dropped, len(b.uses), newer)
	}
}

// A full queue must not copy itself for each record that it takes.
func TestBatchAddIsCheapWhenFull(t *testing.T) {
	b := newBatch(1000)
	for range 1000 {
		b.add(tokens.LiveToken{})
	}
	if perAdd := testing.AllocsPerRun(5000, func() { b.add(tokens.LiveToken{}) }); perAdd > 0.1 {
		t.Errorf("%.2f allocations a record", perAdd)
	}
}

type manualClock struct{ at time.Time }

func (c *manualClock) now() time.Time { return c.at }

func TestLimiterIsBounded(t *testing.T) {
	clock := &manualClock{at: time.Unix(1_000_000, 0)}
	l := newLimiter(1000, clock.now)
	for n := range 20_000 {
		if ok, _ := l.allow(fmt.Sprint("random", n), 30, time.Minute); !ok {
			t.Fatal("a new key is refused")
		}
		if len(l.counters) > 1000 {
			t.Fatalf("%d counters", len(l.counters))
		}
	}
	if len(l.counters) != 1000 {
		t.Errorf("%d counters", len(l.counters))
	}
}

// Whoever sends a flood of new keys must not get rid of a counter that holds somebody back.
func TestLimiterKeepsHotKeysInAFlood(t *testing.T) {
	clock := &manualClock{at: time.Unix(1_000_000, 0)}
	l := newLimiter(1000, clock.now)
	const hot = 50
	for n := range hot {
		for range 30 {
			l.allow(fmt.Sprint("hot", n), 30, time.Minute)
		}
	}
	for n := range 50_000 {
		l.allow(fmt.Sprint("random", n), 30, time.Minute)
		// Also keys that are full after one event, under a longer window.
		if n%100 == 0 {
			l.allow(fmt.Sprint("slow", n), 100, time.Hour)
		}
	}
	for n := range hot {
		if ok, _ := l.allow(fmt.Sprint("hot", n), 30, time.Minute); ok {
			t.Errorf("hot key %d is forgotten", n)
		}
	}
}

func TestLimiterGivesUpIdleKeysFirst(t *testing.T) {
	clock := &manualClock{at: time.Unix(1_000_000, 0)}
	l := newLimiter(10, clock.now)
	for n := range 9 {
		l.allow(fmt.Sprint("idle", n), 1, time.Second)
	}
	clock.at = clock.at.Add(time.Minute)
	l.allow("busy", 2, time.Hour)
	for n := range 9 {
		l.allow(fmt.Sprint("new", n), 1, time.Hour)
	}
	l.allow("busy", 2, time.Hour)
	if ok, _ := l.allow("busy", 2, time.Hour); ok {
		t.Error("a busy key went before the idle ones")
	}
}

// waitFor returns when at most so many records and uses wait.
func waitFor(t *testing.T, s *State, waiting int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); s.Waiting() > waiting; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d are not written", s.Waiting())
		}
	}
}

// What waits is written before the queue is full, not only after the pause.
func TestFillingQueueIsWrittenEarly(t *testing.T) {
	const queue, bursts = 400, 40
	s, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "state.db"), Queue: queue, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	account, began := uuid.New(), time.Now()
	for burst := range bursts {
		for n := range queue / 4 {
			now := time.Now()
			s.Add(tokens.LiveToken{JTI: fmt.Sprint(burst, "-", n), AccountID: account, IssuedAt: now, ExpiresAt: now.Add(time.Hour)})
		}
		waitFor(t, s, queue/4)
	}
	if took := time.Since(began); took > bursts*pause/4 || s.Dropped() != 0 {
		t.Errorf("%d bursts took %v, %d dropped", bursts, took, s.Dropped())
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestFileOfTheFirstSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db, err := sqldb.OpenSQLite(t.Context(), path, sqldb.Normal)
	if err != nil {
		t.Fatal(err)
	}
	const first = "0001_state.sql"
	text, err := embedded.ReadFile("migrations/" + first)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(db.Migrate(t.Context(), fstest.MapFS{first: {Data: text}}), db.Close())
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Config{Path: path, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	token := tokens.LiveToken{JTI: "j", AccountID: uuid.New(), IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
	s.Add(token)
	waitFor(t, s, 0)
	live, err := s.List(t.Context(), token.AccountID)
	asides, _ := filepath.Glob(path + ".damaged-*")
	if err := errors.Join(err, s.Close(t.Context())); err != nil || len(live) != 1 || len(asides) != 0 {
		t.Errorf("%d records, %v, set aside %v", len(live), err, asides)
	}
}

// However batches overlap in time, trimming takes only what List would not show, and takes
// most of that where they hardly overlap.
func TestStandard99_TrimKeepsTheNewest(t *testing.T) {
	for _, disorder := range []int{1, 50, 700, 3000} {
		t.Run(fmt.Sprint("disorder ", disorder), func(t *testing.T) {
			s, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "state.db"), Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close(t.Context()) }()
			account, start := uuid.New(), time.Now()
			live := make([]tokens.LiveToken, 6000)
			for n := range live {
				issued := stored(start.Add(time.Duration(n+rand.IntN(disorder)) * time.Millisecond))
				live[n] = tokens.LiveToken{JTI: fmt.Sprint(n), AccountID: account, IssuedAt: issued, ExpiresAt: issued.Add(time.Hour)}
			}
			for batch := range slices.Chunk(live, 1+rand.IntN(400)) {
				err := s.db.Write(t.Context(), func(tx *sqldb.Tx) error {
					return errors.Join(insertLive(t.Context(), tx, batch), trim(t.Context(), tx, map[uuid.UUID]bool{account: true}))
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			kept, err := s.List(t.Context(), account)
			slices.SortFunc(live, newestFirst)
			same := func(a, b tokens.LiveToken) bool { return a.JTI == b.JTI && a.IssuedAt.Equal(b.IssuedAt) }
			if err != nil || !slices.EqualFunc(live[:tokens.MaxLive], kept, same) {
				t.Errorf("List has %d records, not the newest: %v", len(kept), err)
			}
			var records int
			err = s.db.Read(t.Context(), func(tx *sqldb.Tx) error {
				return tx.QueryRowContext(t.Context(), "SELECT sum(records) FROM live_packs").Scan(&records)
			})
			if most := trimmedTo + 3*400 + 3*disorder; err != nil || records > most {
				t.Errorf("%d records are left, want at most %d: %v", records, most, err)
			}
		})
	}
}
