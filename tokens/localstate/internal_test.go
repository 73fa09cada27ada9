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

	"github.com/signet-issuer/signet/internal/sqldb"
	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/writebehind"
)

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
			account, start := uuid.New(), time.Now().Truncate(time.Microsecond)
			live := make([]tokens.LiveToken, 6000)
			for n := range live {
				issued := start.Add(time.Duration(n+rand.IntN(disorder)) * time.Millisecond)
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
			slices.SortFunc(live, writebehind.NewestFirst)
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
