package writebehind

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/tokens"
)

const (
	defaultLimit = 8192
	eraseAtOnce  = 256
)

// Config says how a [Queue] writes. Write, Pause and MaxBackoff are required.
type Config struct {
	// Limit is how many records, and as many uses, may wait. 0: 8,192.
	Limit int
	// Pause after a batch lets the next one fill. It is also what a crash can lose.
	Pause time.Duration
	// MaxBackoff is the longest wait between tries while writing fails.
	MaxBackoff time.Duration
	// Write gets what waits, which may be nothing, and must not change it. When it fails it
	// returns what is to be queued again; it must be safe to repeat. It bounds its own time.
	Write func(ctx context.Context, b *Batch) (left *Batch, err error)
	Log   *slog.Logger // nil: slog.Default()
}

// Queue holds records and uses until they are written. It is safe for concurrent use.
type Queue struct {
	cfg     Config
	dropped atomic.Uint64

	mu       sync.Mutex
	queue    Batch
	inFlight Batch // not changed while it is written
	closed   bool

	// writing is held by who writes, so that what Forget and Erase remove is not in a batch
	// on its way.
	writing chan struct{}

	wake     chan struct{} // something is queued
	hurry    chan struct{} // much is queued
	stop     chan struct{}
	stopped  chan struct{}
	abandon  context.CancelFunc // ends a write under way
	closeErr error
	closing  sync.Once
}

// Start returns a Queue that writes until [Queue.Close].
func Start(cfg Config) *Queue {
	if cfg.Limit <= 0 {
		cfg.Limit = defaultLimit
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	background, abandon := context.WithCancel(context.Background())
	q := &Queue{
		cfg: cfg, queue: NewBatch(cfg.Limit), inFlight: NewBatch(cfg.Limit),
		writing: make(chan struct{}, 1),
		wake:    make(chan struct{}, 1), hurry: make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan struct{}), abandon: abandon,
	}
	go q.run(background)
	return q
}

// Add queues a record; it never waits.
func (q *Queue) Add(token tokens.LiveToken) {
	token.IssuedAt, token.ExpiresAt = stored(token.IssuedAt), stored(token.ExpiresAt)
	q.enqueue(func() (dropped int) { return q.queue.Add(token) })
}

// Touch queues a use; it never waits.
func (q *Queue) Touch(use accounts.Use) {
	use.At = stored(use.At)
	q.enqueue(func() (dropped int) { return q.queue.Touch(use) })
}

// stored is a time as it is written, so that a record reads the same before and after.
func stored(t time.Time) time.Time { return time.UnixMicro(t.UnixMicro()).UTC() }

// enqueue lets put change the queue and tells the writer. A closed queue takes nothing.
func (q *Queue) enqueue(put func() (dropped int)) {
	q.mu.Lock()
	dropped, filling := 1, false
	if !q.closed {
		dropped, filling = put(), q.queue.filling()
	}
	q.mu.Unlock()
	if dropped > 0 {
		q.dropped.Add(uint64(dropped))
	}
	q.Wake()
	if filling {
		signal(q.hurry)
	}
}

// Wake has Write called soon, also when nothing is queued.
func (q *Queue) Wake() { signal(q.wake) }

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// LiveOf returns the account's records that are not known to be written. Ask before
// reading what is: a record that is written in between is then seen twice, not missed.
func (q *Queue) LiveOf(account uuid.UUID) []tokens.LiveToken {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append(q.queue.liveOf(account), q.inFlight.liveOf(account)...)
}

// UsesOf returns the accounts' uses that are not known to be written, some of them twice.
func (q *Queue) UsesOf(wanted map[uuid.UUID]bool) []accounts.Use {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append(q.queue.usesOf(wanted), q.inFlight.usesOf(wanted)...)
}

// Forget takes a record out of the queue and lets remove take it out of where it was
// written. No batch is on its way meanwhile.
func (q *Queue) Forget(ctx context.Context, account uuid.UUID, jti string, remove func() error) error {
	return q.exclusively(ctx, func() { q.queue.forget(account, jti) }, remove)
}

// Erase does for everything of the accounts what Forget does for a record, for some of
// them after the others, so that batches get their turn.
func (q *Queue) Erase(ctx context.Context, accounts []uuid.UUID, remove func(accounts []uuid.UUID) error) error {
	for part := range slices.Chunk(accounts, eraseAtOnce) {
		erase := func() { q.queue.erase(SetOf(part)) }
		if err := q.exclusively(ctx, erase, func() error { return remove(part) }); err != nil {
			return err
		}
	}
	return nil
}

func (q *Queue) exclusively(ctx context.Context, change func(), remove func() error) error {
	release, err := q.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	q.mu.Lock()
	change()
	q.mu.Unlock()
	return remove()
}

// acquire waits for the right to write.
func (q *Queue) acquire(ctx context.Context) (release func(), err error) {
	select {
	case q.writing <- struct{}{}:
		return func() { <-q.writing }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Waiting is how many records and uses are not known to be written.
func (q *Queue) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.queue.Size() + q.inFlight.Size()
}

// Dropped counts the records and uses that were given up.
func (q *Queue) Dropped() uint64 { return q.dropped.Load() }

// Close writes what is queued, as far as ctx allows and for at most 3 seconds when writing
// fails. What is added from now on is dropped. It returns an error when something was not written.
func (q *Queue) Close(ctx context.Context) error {
	q.closing.Do(func() {
		q.mu.Lock()
		q.closed = true
		q.mu.Unlock()
		close(q.stop)
		select {
		case <-q.stopped:
		case <-ctx.Done():
		}
		err := q.writeLast(ctx)
		q.abandon()
		<-q.stopped
		q.closeErr = q.giveUp(errors.Join(err, ctx.Err()))
	})
	return q.closeErr
}

// giveUp counts what is still queued as dropped.
func (q *Queue) giveUp(cause error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	lost := q.queue.Size() + q.inFlight.Size()
	if lost == 0 {
		return nil
	}
	q.dropped.Add(uint64(lost))
	q.queue.clear()
	q.inFlight.clear()
	return fmt.Errorf("%d records are not written: %w", lost, cause)
}
