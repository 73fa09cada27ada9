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
	"sync/atomic"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/sqldb"
	"github.com/signet-issuer/signet/tokens"
)

//go:embed migrations/*.sql
var embedded embed.FS

const (
	defaultQueue = 8192
	// checkTime is what Open spends on looking for damage: a large file is checked in part.
	checkTime = 100 * time.Millisecond
)

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
	db      *sqldb.DB
	now     func() time.Time
	log     *slog.Logger
	limits  *limiter
	seed    maphash.Seed // of the choice whose records are trimmed
	dropped atomic.Uint64

	mu       sync.Mutex
	queue    batch
	inFlight batch // not changed while it is written
	closed   bool

	// writing is held by who writes to the file, so that what Forget and Erase remove is
	// not in a batch on its way.
	writing chan struct{}

	wake     chan struct{} // something is queued
	hurry    chan struct{} // much is queued
	stop     chan struct{}
	stopped  chan struct{}
	abandon  context.CancelFunc // ends a write under way
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
	if cfg.Queue <= 0 {
		cfg.Queue = defaultQueue
	}
	db, err := openOrReplace(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	background, abandon := context.WithCancel(context.Background())
	s := &State{
		db: db, now: cfg.Now, log: cfg.Log, limits: newLimiter(cfg.LimiterKeys, cfg.Now), seed: maphash.MakeSeed(),
		queue: newBatch(cfg.Queue), inFlight: newBatch(cfg.Queue),
		writing: make(chan struct{}, 1),
		wake:    make(chan struct{}, 1), hurry: make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan struct{}), abandon: abandon,
	}
	go s.run(background)
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

// Allow counts one event of key in a window that begins with the key's first event, and
// reports whether there are at most limit of them, else how long the window lasts. Refused
// events do not count, and a limit below 1 allows nothing. It counts in memory and needs no ctx.
func (s *State) Allow(_ context.Context, key string, limit int, window time.Duration) (allowed bool, retryAfter time.Duration) {
	return s.limits.allow(key, limit, window)
}

// Waiting is how many records and uses are not written yet.
func (s *State) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queue.size() + s.inFlight.size()
}

// Dropped counts the records and uses that were given up because the file did not take
// them in time.
func (s *State) Dropped() uint64 { return s.dropped.Load() }

// Close writes what is queued, as far as ctx allows, and closes the file. What is added
// from now on is dropped. It returns an error when something was not written.
func (s *State) Close(ctx context.Context) error {
	s.closing.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		close(s.stop)
		select {
		case <-s.stopped:
		case <-ctx.Done():
		}
		err := s.flush(ctx)
		s.abandon()
		<-s.stopped
		s.closeErr = errors.Join(s.giveUp(errors.Join(err, ctx.Err())), s.db.Close())
	})
	return s.closeErr
}

// giveUp counts what is still queued as dropped.
func (s *State) giveUp(cause error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	lost := s.queue.size() + s.inFlight.size()
	if lost == 0 {
		return nil
	}
	s.dropped.Add(uint64(lost))
	s.queue.clear()
	s.inFlight.clear()
	return fmt.Errorf("close state: %d records are not written: %w", lost, cause)
}
