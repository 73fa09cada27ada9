package localstate_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/internal/sqldb"
	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/localstate"
	"github.com/signet-issuer/signet/tokens/statetest"
)

// lines is a log that may be read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), text)
}

func fixedClock() time.Time { return statetest.Start }

func openAt(t *testing.T, path string) (*localstate.State, *lines) {
	t.Helper()
	log := &lines{}
	s, err := localstate.Open(t.Context(), localstate.Config{Path: path, Now: fixedClock, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s, log
}

func token(account uuid.UUID, n int) tokens.LiveToken {
	issued := statetest.Start.Add(time.Duration(n) * time.Millisecond)
	return tokens.LiveToken{
		JTI: fmt.Sprintf("j%05d", n), AccountID: account, Audience: []string{"a"}, Scope: strings.Repeat("s", 100),
		IssuedAt: issued, ExpiresAt: issued.Add(time.Hour),
	}
}

// fill makes a closed state of some pages.
func fill(t *testing.T, path string, account uuid.UUID) {
	t.Helper()
	s, _ := openAt(t, path)
	for n := range 500 {
		s.Add(token(account, n))
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedFileIsSetAside(t *testing.T) {
	tests := map[string]func(content []byte) []byte{
		"not a database": func([]byte) []byte { return bytes.Repeat([]byte("garbage "), 1000) },
		"cut off":        func(b []byte) []byte { return b[:len(b)/2] },
		"header damaged": func(b []byte) []byte { copy(b[16:], bytes.Repeat([]byte{0xff}, 60)); return b },
		"page damaged":   func(b []byte) []byte { copy(b[len(b)-4096*3:], bytes.Repeat([]byte{0xa5}, 4096)); return b },
		"other schema":   func([]byte) []byte { return foreignDatabase(t) },
	}
	for name, damage := range tests {
		t.Run(name, func(t *testing.T) {
			path, account := filepath.Join(t.TempDir(), "state.db"), uuid.New()
			fill(t, path, account)
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			damaged := damage(content)
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			s, log := openAt(t, path)
			aside, err := os.ReadFile(fmt.Sprintf("%s.damaged-%d", path, statetest.Start.Unix()))
			// Of a sound file with another schema, the migration notes its try.
			if err != nil || !bytes.Equal(aside, damaged) && name != "other schema" {
				t.Errorf("the damaged file is not kept: %v", err)
			}
			if log.count("level=WARN") != 1 || log.count(filepath.Dir(path)) != 0 {
				t.Errorf("want one warning without the path: %s", log.buf.String())
			}
			works(t, s, path, account)
		})
	}
}

func foreignDatabase(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "other.db")
	db, err := sqldb.OpenSQLite(t.Context(), path, sqldb.Normal)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Write(t.Context(), func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(t.Context(), `CREATE TABLE live_tokens (x TEXT)`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// works checks that the state begins empty, writes, and keeps what it wrote.
func works(t *testing.T, s *localstate.State, path string, account uuid.UUID) {
	t.Helper()
	live, err := s.List(t.Context(), account)
	if err != nil || len(live) != 0 {
		t.Errorf("a new state has %d records, %v", len(live), err)
	}
	s.Add(token(account, 1))
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again, log := openAt(t, path)
	if live, err := again.List(t.Context(), account); err != nil || len(live) != 1 {
		t.Errorf("reopened: %d records, %v", len(live), err)
	}
	if log.count("WARN") != 0 {
		t.Errorf("reopened with a warning: %s", log.buf.String())
	}
}

func TestDeletedFileIsHarmless(t *testing.T) {
	tests := map[string][]string{
		"all of it": {"", "-wal", "-shm"}, "the file alone": {""}, "the log alone": {"-wal"}, "the index alone": {"-shm"},
	}
	for name, suffixes := range tests {
		t.Run(name, func(t *testing.T) {
			source, path := filepath.Join(t.TempDir(), "state.db"), filepath.Join(t.TempDir(), "state.db")
			s, _ := openAt(t, source)
			s.Add(token(uuid.New(), 1))
			for s.Waiting() > 0 {
				time.Sleep(time.Millisecond)
			}
			// As a crash leaves it: with a log that is not in the file yet.
			for _, suffix := range []string{"", "-wal", "-shm"} {
				content, err := os.ReadFile(source + suffix)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path+suffix, content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, suffix := range suffixes {
				if err := os.Remove(path + suffix); err != nil {
					t.Fatal(err)
				}
			}
			again, _ := openAt(t, path)
			works(t, again, path, uuid.New())
		})
	}
}

func TestOpenRefusesWhatIsNoPlaceForAFile(t *testing.T) {
	folder := t.TempDir()
	for name, path := range map[string]string{"a folder": folder, "no such folder": filepath.Join(folder, "none", "state.db")} {
		s, err := localstate.Open(t.Context(), localstate.Config{Path: path, Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			_ = s.Close(t.Context())
			t.Errorf("%s is accepted", name)
		}
	}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		t.Errorf("the folder was moved: %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	path := filepath.Join(folder, "state.db")
	fill(t, path, uuid.New())
	if _, err := localstate.Open(cancelled, localstate.Config{Path: path}); err == nil {
		t.Error("Open goes on without its context")
	}
	if asides, _ := filepath.Glob(path + ".damaged-*"); len(asides) != 0 {
		t.Errorf("a cancelled Open set a good file aside: %v", asides)
	}
}

func TestFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	fill(t, path, uuid.New())
	info, err := os.Stat(path)
	if err != nil || info.Mode() != fs.FileMode(0o600) {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// The file must not grow with what nobody can list.
func TestStandard99_FileKeepsTheNewestOfAnAccount(t *testing.T) {
	path, account := filepath.Join(t.TempDir(), "state.db"), uuid.New()
	s, _ := openAt(t, path)
	const added = 8_000
	for n := range added {
		s.Add(token(account, n))
		for end := time.Now().Add(10 * time.Second); n%1000 == 0 && s.Waiting() > 2000 && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	db, err := sqldb.OpenSQLite(t.Context(), path, sqldb.Normal)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var rows int
	err = db.Read(t.Context(), func(tx *sqldb.Tx) error {
		return tx.QueryRowContext(t.Context(), "SELECT sum(records) FROM live_packs").Scan(&rows)
	})
	// Trimming is by chance: that none hits 6,000 records in a row does not happen.
	if err != nil || rows < 2*tokens.MaxLive || rows > 2*tokens.MaxLive+6000 || s.Dropped() != 0 {
		t.Errorf("%d of %d rows, %d dropped, %v", rows, added, s.Dropped(), err)
	}
}

func TestOutageIsLoggedOnceAndCaughtUp(t *testing.T) {
	path, account := filepath.Join(t.TempDir(), "state.db"), uuid.New()
	s, log := openAt(t, path)
	breakTable(t, path, "live_packs", "broken")
	for n := range 5 {
		s.Add(token(account, n))
		time.Sleep(60 * time.Millisecond)
	}
	if log.count("level=WARN") != 1 || s.Waiting() != 5 || s.Dropped() != 0 {
		t.Errorf("%d warnings, %d waiting, %d dropped", log.count("level=WARN"), s.Waiting(), s.Dropped())
	}
	breakTable(t, path, "broken", "live_packs")
	for end := time.Now().Add(10 * time.Second); s.Waiting() > 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	live, err := s.List(t.Context(), account)
	if err != nil || len(live) != 5 || s.Waiting() != 0 || s.Dropped() != 0 {
		t.Errorf("%d records, %d waiting, %d dropped, %v", len(live), s.Waiting(), s.Dropped(), err)
	}
	for end := time.Now().Add(5 * time.Second); log.count("level=INFO") == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if log.count("level=INFO") != 1 {
		t.Error("nothing tells that the outage is over")
	}
}

func breakTable(t *testing.T, path, from, to string) {
	t.Helper()
	db, err := sqldb.OpenSQLite(t.Context(), path, sqldb.Normal)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Write(t.Context(), func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(t.Context(), "ALTER TABLE "+from+" RENAME TO "+to)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
