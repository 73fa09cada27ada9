package tokens

import (
	"cmp"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/secret"
)

// KeysConfig is what [Keys] work with. Every field but Purpose is required.
type KeysConfig struct {
	Purpose     Purpose // empty: AccessTokens
	Store       Store
	Master      secret.Key
	Algorithm   string        // of new keys
	JWKSMaxAge  time.Duration // see [Schedule] for these three
	Rotation    time.Duration
	MaxLifetime time.Duration
	Now         func() time.Time
	Random      io.Reader
	Log         *slog.Logger
}

func (c KeysConfig) schedule() Schedule {
	return Schedule{JWKSMaxAge: c.JWKSMaxAge, Rotation: c.Rotation, MaxLifetime: c.MaxLifetime}
}

// Keys is the life cycle of the signing keys of one purpose and the key set in memory. It is
// safe for concurrent use, for any number of replicas on one [Store], and beside Keys of
// another purpose there.
type Keys struct {
	purpose  Purpose
	store    Store
	master   secret.Key
	schedule Schedule
	alg      string
	now      func() time.Time
	random   io.Reader
	log      *slog.Logger

	current  atomic.Pointer[published]
	asked    atomic.Int64 // when the store last confirmed the set in memory, unix nanoseconds
	adopting sync.Mutex   // held while the set in memory is exchanged
	loading  singleflight.Group
}

// rotation is the actor of what happens by itself.
var rotation = authz.Operator("signet:rotation")

// OpenKeys loads the key set, makes the first keys of an installation, and brings the
// configuration into force. A master key that does not fit is an error that wraps [secret.ErrSealed].
func OpenKeys(ctx context.Context, cfg KeysConfig) (*Keys, error) {
	if err := errors.Join(CheckAlgorithm(cfg.Algorithm), CheckSchedule(cfg.schedule())); err != nil {
		return nil, err
	}
	k := &Keys{
		purpose: cmp.Or(cfg.Purpose, AccessTokens), store: cfg.Store, master: cfg.Master, schedule: cfg.schedule(), alg: cfg.Algorithm,
		now:    func() time.Time { return cfg.Now().UTC().Truncate(time.Microsecond) },
		random: cfg.Random, log: cfg.Log,
	}
	set, err := k.store.KeySet(ctx)
	if err != nil {
		return nil, fmt.Errorf("read key set: %w", err)
	}
	if err := checkMaster(keysOf(set, k.purpose), k.master); err != nil {
		return nil, err
	}
	if err := k.change(ctx, keyChange{actor: rotation, decide: k.start}); err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	return k, nil
}

// start is what the start of a process does to the keys.
func (k *Keys) start(d *draft) error {
	if d.first {
		return d.create()
	}
	d.follow(k.alg)
	return d.due()
}

// Tick reads the key set and does what is due: a scheduled rotation, the removal of keys
// that no token needs any more.
func (k *Keys) Tick(ctx context.Context) error {
	return k.change(ctx, keyChange{actor: rotation, decide: (*draft).due})
}

// tickTimeout is long enough to make an RSA key on a busy machine.
const tickTimeout = 10 * time.Second

// Run ticks every [Poll] until ctx ends. It logs when ticks begin to fail and when they succeed again.
func (k *Keys) Run(ctx context.Context) {
	ticker := time.NewTicker(Poll)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		bounded, cancel := context.WithTimeout(ctx, tickTimeout)
		err := k.Tick(bounded)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			k.log.ErrorContext(ctx, "signing keys cannot be refreshed", "error", err)
		case err == nil && failing:
			k.log.InfoContext(ctx, "signing keys are refreshed again")
		}
		failing = err != nil
	}
}

// PublicKey returns a published key and the only algorithm that it may verify. Another replica
// can sign with a key that is not known here yet: see [Keys.Confirm].
func (k *Keys) PublicKey(kid string) (key crypto.PublicKey, alg string, ok bool) {
	found, ok := k.current.Load().public[kid]
	return found.key, found.alg, ok
}

// Version is the version of the key set in memory.
func (k *Keys) Version() int64 { return k.current.Load().version }

// JWKS is the published key set. Its max-age shrinks while a verifier would do well to ask soon again.
func (k *Keys) JWKS() JWKS {
	p, now := k.current.Load(), k.now()
	age := min(p.maxAge, k.schedule.JWKSMaxAge)
	shortest := min(age, hurriedMaxAge)
	if now.Before(p.ripeAt) {
		age = shortest
	}
	if lost := now.Sub(time.Unix(0, k.asked.Load())) - staleAfter; lost > 0 {
		age = max(age-lost, shortest)
	}
	return JWKS{Body: p.jwks, ETag: p.etag, MaxAge: age.Truncate(time.Second)}
}

// Refresh returns when the key set in memory is at least that version, or with
// accounts.ErrUnavailable when it cannot be.
func (k *Keys) Refresh(ctx context.Context, atLeast int64) error {
	if k.Version() >= atLeast {
		return nil
	}
	// The first reading may have begun before that version was there.
	for range 2 {
		if err := k.load(ctx); err != nil || k.Version() >= atLeast {
			return err
		}
	}
	return fmt.Errorf("%w: the key set is at version %d, and %d is needed", accounts.ErrUnavailable, k.Version(), atLeast)
}

// confirmAge is how old the set in memory may be when a token names a key that is not in it. It
// bounds what forged tokens can make this process ask.
const confirmAge = 50 * time.Millisecond

// Confirm reads the key set unless it was read a moment ago. After two forced rotations within
// a [Poll] another replica signs with a key that this one has not seen.
func (k *Keys) Confirm(ctx context.Context) error {
	if age := k.now().Sub(time.Unix(0, k.asked.Load())); 0 <= age && age < confirmAge {
		return nil
	}
	return k.load(ctx)
}

// loadLimit is more than a request waits.
const loadLimit = time.Second

// load reads the key set and takes it into use. One reading serves all who wait; it is nobody's
// own, so who leaves does not end it.
func (k *Keys) load(ctx context.Context) error {
	loading := k.loading.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadLimit)
		defer cancel()
		asked := k.now()
		set, err := k.store.KeySet(ctx)
		if err == nil {
			err = k.adopt(set, asked)
		}
		return nil, err
	})
	select {
	case end := <-loading:
		if end.Err != nil {
			return fmt.Errorf("%w: refresh key set: %w", accounts.ErrUnavailable, end.Err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", accounts.ErrUnavailable, ctx.Err())
	}
}

// adopt takes a set into use unless a newer one is.
func (k *Keys) adopt(set KeySet, asked time.Time) error {
	k.adopting.Lock()
	defer k.adopting.Unlock()
	previous := k.current.Load()
	if previous == nil || set.Version > previous.version {
		next, err := publish(set.Version, keysOf(set, k.purpose), k.master, previous)
		if err != nil {
			return err
		}
		k.current.Store(next)
	}
	if set.Version >= k.Version() {
		k.asked.Store(asked.UnixNano())
	}
	return nil
}
