package redisstate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/limits"
	"github.com/signet-issuer/signet/tokens/writebehind"
)

const (
	defaultPrefix = "signet"
	// pause after a batch lets the next one fill. It is also what a crash can lose, and how
	// late other replicas see what happens here.
	pause = 50 * time.Millisecond
	// maxBackoff keeps the time short until a new master is found.
	maxBackoff          = time.Second
	defaultBatchTimeout = 50 * time.Millisecond
	defaultAskTimeout   = 250 * time.Millisecond
	defaultCheckEvery   = time.Minute
)

// Config says where the state is kept. URL is required.
type Config struct {
	URL    secret.Text      // in a form of the package comment
	Prefix string           // of every key: letters, digits, ".", "-" and "_". "": signet
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger     // nil: slog.Default()

	// Queue is how many records, and as many uses, wait in memory for Redis. 0: 8,192.
	Queue int
	// LimiterKeys is how many keys the limiter counts at once. 0: 65,536.
	LimiterKeys int

	// BatchTimeout is how long one batch may take. 0: 50 ms.
	BatchTimeout time.Duration
	// AskTimeout is how long a reader waits for Redis at most. 0: 250 ms.
	AskTimeout time.Duration
	// CheckEvery is how often the server's version and settings are looked at. 0: a minute.
	CheckEvery time.Duration
}

// State satisfies [accounts.Usage], [tokens.Live] and, by shape, the Limiter of the web
// package. It is safe for concurrent use. Add, Touch and Allow touch memory alone.
type State struct {
	client       redis.UniversalClient
	prefix       string
	node         string // names this process among the replicas
	now          func() time.Time
	log          *slog.Logger
	limits       *limits.Limiter
	queue        *writebehind.Queue
	batchTimeout time.Duration
	askTimeout   time.Duration
	health       health
	sweeps       sweeps

	endChecks context.CancelFunc
	checked   sync.WaitGroup
	closeErr  error
	closing   sync.Once
}

var (
	_ accounts.Usage = (*State)(nil)
	_ tokens.Live    = (*State)(nil)
)

// Open starts the state. It returns an error for a URL that cannot be used and for a server
// that is too old; one that does not answer is awaited behind the requests.
func Open(ctx context.Context, cfg Config) (*State, error) {
	s, err := newState(&cfg)
	if err != nil {
		return nil, fmt.Errorf("open Redis: %w", err)
	}
	if err := s.check(ctx, min(openTimeout, s.askTimeout)); err != nil {
		return nil, fmt.Errorf("open Redis: %w", errors.Join(err, s.client.Close()))
	}
	s.queue = writebehind.Start(writebehind.Config{
		Limit: cfg.Queue, Pause: pause, MaxBackoff: maxBackoff, Write: s.write, Log: s.log,
	})
	checks, end := context.WithCancel(context.Background())
	s.endChecks = end
	s.checked.Go(func() { s.runChecks(checks, cfg.CheckEvery) })
	return s, nil
}

var goodPrefix = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// newState also fills in what cfg leaves open.
func newState(cfg *Config) (*State, error) {
	if cfg.Prefix == "" {
		cfg.Prefix = defaultPrefix
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.BatchTimeout <= 0 {
		cfg.BatchTimeout = defaultBatchTimeout
	}
	if cfg.AskTimeout <= 0 {
		cfg.AskTimeout = defaultAskTimeout
	}
	if cfg.CheckEvery <= 0 {
		cfg.CheckEvery = defaultCheckEvery
	}
	loc, err := parseURL(cfg.URL.Reveal())
	if !goodPrefix.MatchString(cfg.Prefix) {
		err = errors.Join(err, errors.New("the prefix is not 1 to 64 letters, digits, dots, hyphens and underscores"))
	}
	if err != nil {
		return nil, err
	}
	client, err := newClient(loc, cfg.AskTimeout)
	if err != nil {
		return nil, err
	}
	return &State{
		client: client, prefix: cfg.Prefix, node: rand.Text(), now: cfg.Now, log: cfg.Log, batchTimeout: cfg.BatchTimeout, askTimeout: cfg.AskTimeout,
		limits: limits.New(limits.Config{Keys: cfg.LimiterKeys, Now: cfg.Now, Shared: true}),
	}, nil
}

// Add implements [tokens.Live].
func (s *State) Add(token tokens.LiveToken) { s.queue.Add(token) }

// Touch implements [accounts.Usage].
func (s *State) Touch(use accounts.Use) { s.queue.Touch(use) }

// Allow counts one event of key in a window that begins with the key's first event, and
// reports whether there are at most limit of them, with those that other replicas are known
// to have counted, else how long to wait. Refused events do not count, and a limit below 1
// allows nothing. Without Redis each replica counts for itself. It needs no ctx.
func (s *State) Allow(_ context.Context, key string, limit int, window time.Duration) (allowed bool, retryAfter time.Duration) {
	allowed, retryAfter = s.limits.Allow(key, limit, window)
	if allowed {
		s.queue.Wake()
	}
	return allowed, retryAfter
}

// Waiting is how many records and uses are not written yet.
func (s *State) Waiting() int { return s.queue.Waiting() }

// Dropped counts the records and uses that were given up because Redis did not take them in time.
func (s *State) Dropped() uint64 { return s.queue.Dropped() }

// Close writes what is queued, as far as ctx allows, and for at most 3 seconds when Redis
// does not take it. What is added from now on is dropped. It returns an error when something
// was not written.
func (s *State) Close(ctx context.Context) error {
	s.closing.Do(func() {
		s.endChecks()
		err := s.queue.Close(ctx)
		s.checked.Wait()
		if err := errors.Join(err, s.client.Close()); err != nil {
			s.closeErr = fmt.Errorf("close Redis: %w", err)
		}
	})
	return s.closeErr
}

// All keys of an account are in one slot of a cluster.
func (s *State) liveKey(account uuid.UUID) string {
	return s.prefix + ":{" + account.String() + "}:live"
}

func (s *State) usesKey(account uuid.UUID) string {
	return s.prefix + ":{" + account.String() + "}:uses"
}
