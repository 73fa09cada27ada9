package localstate

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/sqldb"
	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/limits"
	"github.com/signet-issuer/signet/tokens/writebehind"
)

//go:embed migrations/*.sql
var embedded embed.FS

// checkTime is what Open spends on looking for damage: a large file is checked in part.
const checkTime = 100 * time.Millisecond

// Config says where the state is kept. Path is required.
type Config struct {
	Path string           // of the SQLite file
	Now  func() time.Time // nil: time.Now
	Log  *slog.Logger     // nil: slog.Default()

	// Queue is how many records, and as many uses, wait in memory for the disk. 0: 8,192.
	Queue int
	// LimiterKeys is how many keys the limiter counts at once. 0: 65,536.
	LimiterKeys int
}

// State satisfies [accounts.Usage], [tokens.Live] and, by shape, the Limiter of the web
// package. It is safe for concurrent use.
type State struct {
	db     *sqldb.DB
	now    func() time.Time
	limits *limits.Limiter
	queue  *writebehind.Queue
	seed   maphash.Seed // of the choice whose records are trimmed

	closeErr error
	closing  sync.Once
}

var (
	_ accounts.Usage = (*State)(nil)
	_ tokens.Live    = (*State)(nil)
)

// Open opens or creates the state. A file that is damaged is set aside under another name,
// with a warning, and a new one begun. The caller holds the lock on the data directory.
func Open(ctx context.Context, cfg Config) (*State, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	db, err := openOrReplace(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	s := &State{
		db: db, now: cfg.Now, seed: maphash.MakeSeed(),
		limits: limits.New(limits.Config{Keys: cfg.LimiterKeys, Now: cfg.Now}),
	}
	s.queue = writebehind.Start(writebehind.Config{
		Limit: cfg.Queue, Pause: pause, MaxBackoff: maxBackoff, Write: s.write, Log: cfg.Log,
	})
	return s, nil
}

func openOrReplace(ctx context.Context, cfg Config) (*sqldb.DB, error) {
	db, err := open(ctx, cfg.Path)
	if err == nil || ctx.Err() != nil {
		return db, err
	}
	aside := fmt.Sprintf("%s.damaged-%d", cfg.Path, cfg.Now().Unix())
	if moveErr := setAside(cfg.Path, aside); moveErr != nil {
		return nil, errors.Join(err, moveErr)
	}
	db, again := open(ctx, cfg.Path)
	if again != nil {
		return nil, again
	}
	cfg.Log.LogAttrs(ctx, slog.LevelWarn, "the state was damaged: it is set aside and begun anew",
		slog.String("file", filepath.Base(aside)), slog.Any("error", err))
	return db, nil
}

func open(ctx context.Context, path string) (*sqldb.DB, error) {
	migrations, err := fs.Sub(embedded, "migrations")
	if err != nil {
		return nil, err
	}
	db, err := sqldb.OpenSQLite(ctx, path, sqldb.Normal)
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, migrations); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	limited, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	if err := db.Check(limited); err != nil && limited.Err() == nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// setAside also moves what SQLite keeps beside a file: a new file must not meet an old log.
func setAside(path, aside string) error {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", filepath.Base(path))
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Add implements [tokens.Live].
func (s *State) Add(token tokens.LiveToken) { s.queue.Add(token) }

// Touch implements [accounts.Usage].
func (s *State) Touch(use accounts.Use) { s.queue.Touch(use) }

// Allow counts one event of key in a window that begins with the key's first event, and
// reports whether there are at most limit of them, else how long the window lasts. Refused
// events do not count, and a limit below 1 allows nothing. It counts in memory and needs no ctx.
func (s *State) Allow(_ context.Context, key string, limit int, window time.Duration) (allowed bool, retryAfter time.Duration) {
	return s.limits.Allow(key, limit, window)
}

// Waiting is how many records and uses are not written yet.
func (s *State) Waiting() int { return s.queue.Waiting() }

// Dropped counts the records and uses that were given up because the file did not take
// them in time.
func (s *State) Dropped() uint64 { return s.queue.Dropped() }

// Close writes what is queued, as far as ctx allows, and closes the file. What is added
// from now on is dropped. It returns an error when something was not written.
func (s *State) Close(ctx context.Context) error {
	s.closing.Do(func() {
		if err := errors.Join(s.queue.Close(ctx), s.db.Close()); err != nil {
			s.closeErr = fmt.Errorf("close state: %w", err)
		}
	})
	return s.closeErr
}
