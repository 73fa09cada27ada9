package accounts

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
	"github.com/signet-issuer/signet/internal/secret"
)

const (
	pepperSize = 32

	// peppersAge is how old what a process knows of the peppers may be when it judges a secret,
	// and pepperRest how long it knows a pepper before its own secrets take it: all others know
	// it by then. Both are measured by this process's clock alone.
	peppersAge = time.Second
	pepperRest = 10 * peppersAge
	// A pepper of that age is known to all, however wrong their clocks are.
	pepperSettled = time.Hour

	readingLimit = peppersAge
)

// Peppers key the hashes of secrets, so that a copy of the database alone neither
// authenticates nor confirms a guess. They are safe for concurrent use and follow what other
// processes add.
type Peppers struct {
	store   Store
	master  secret.Key
	now     func() time.Time
	known   atomic.Pointer[knownPeppers]
	reading singleflight.Group
}

// knownPeppers is what one reading found. It never changes.
type knownPeppers struct {
	all  []pepper // oldest first
	asof time.Time
}

type pepper struct {
	number int64
	key    []byte
	since  time.Time // when this process came to know it
}

// PepperLabel is what a pepper is sealed under.
func PepperLabel(number int64) string { return "pepper:" + strconv.FormatInt(number, 10) }

// PepperConfig is what opening the peppers takes.
type PepperConfig struct {
	Store  Store
	Master secret.Key
	Now    func() time.Time
	Random io.Reader
}

// OpenPeppers opens the stored peppers and makes the first when there is none. A wrong
// master key is an error that wraps [secret.ErrSealed].
func OpenPeppers(ctx context.Context, cfg PepperConfig) (*Peppers, error) {
	p := &Peppers{store: cfg.Store, master: cfg.Master, now: cfg.Now}
	p.known.Store(&knownPeppers{})
	if err := p.read(ctx); err != nil {
		return nil, err
	}
	if len(p.known.Load().all) > 0 {
		return p, nil
	}
	// Another replica that starts at the same time may come first.
	if err := makePepper(ctx, cfg, firstOnly); err != nil && !errors.Is(err, ErrExists) {
		return nil, err
	}
	return p, p.read(ctx)
}

// read takes the stored peppers into use.
func (p *Peppers) read(ctx context.Context) error {
	before, asof := p.known.Load(), p.now()
	stored, err := readPeppers(ctx, p.store)
	if err != nil {
		return err
	}
	after := &knownPeppers{all: slices.Clone(before.all), asof: asof}
	for i, sealed := range stored {
		if slices.ContainsFunc(before.all, func(known pepper) bool { return known.number == sealed.Number }) {
			continue
		}
		key, err := p.master.Open(PepperLabel(sealed.Number), sealed.Sealed)
		if err != nil {
			return fmt.Errorf("pepper %d: %w", sealed.Number, err)
		}
		known := pepper{number: sealed.Number, key: key, since: asof}
		if len(before.all) == 0 && (i < len(stored)-1 || asof.Sub(sealed.CreatedAt) > pepperSettled) {
			known.since = time.Time{} // long before this process
		}
		after.all = append(after.all, known)
	}
	p.known.Store(after)
	return nil
}

// current returns peppers that were complete a moment ago: without the one that another
// process uses, a right secret would look wrong. It answers [ErrUnavailable] when it cannot know.
func (p *Peppers) current(ctx context.Context) (*knownPeppers, error) {
	if known := p.known.Load(); p.fresh(known) {
		return known, nil
	}
	// One reading serves all who wait. It is nobody's own, so who leaves does not end it.
	reading := p.reading.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readingLimit)
		defer cancel()
		return nil, p.read(ctx)
	})
	select {
	case end := <-reading:
		if end.Err != nil {
			return nil, fmt.Errorf("%w: read peppers: %w", ErrUnavailable, end.Err)
		}
		return p.known.Load(), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
}

// fresh reports whether no other process can have begun to use a pepper that is not known.
func (p *Peppers) fresh(known *knownPeppers) bool {
	age := p.now().Sub(known.asof)
	return 0 <= age && age <= peppersAge
}

// AddPepper makes a new pepper for the secrets to come. Those that exist keep theirs.
// Running processes use it for new secrets some ten seconds later.
func AddPepper(ctx context.Context, cfg PepperConfig) error {
	return makePepper(ctx, cfg, func([]SealedPepper) error { return nil })
}

func firstOnly(stored []SealedPepper) error {
	if len(stored) > 0 {
		return ErrExists
	}
	return nil
}

// makePepper makes the next pepper if allowed agrees to it beside those that are stored.
func makePepper(ctx context.Context, cfg PepperConfig, allowed func(stored []SealedPepper) error) error {
	key := make([]byte, pepperSize)
	if _, err := io.ReadFull(cfg.Random, key); err != nil {
		return fmt.Errorf("read random bytes: %w", err)
	}
	return cfg.Store.Write(ctx, authz.Operator("signet:peppers"), func(tx Tx) error {
		stored, err := tx.Peppers(ctx)
		if err != nil {
			return err
		}
		if err := allowed(stored); err != nil {
			return err
		}
		number := int64(1)
		if len(stored) > 0 {
			number = stored[len(stored)-1].Number + 1
		}
		sealed, err := cfg.Master.Seal(cfg.Random, PepperLabel(number), key)
		if err != nil {
			return err
		}
		now := cfg.Now()
		if err := tx.InsertPepper(ctx, SealedPepper{Number: number, Sealed: sealed, CreatedAt: now}); err != nil {
			return err
		}
		event, err := audit.New(cfg.Random, now, audit.PepperCreated, audit.Org{ID: SystemOrgID, Slug: SystemOrg}, PepperLabel(number))
		if err != nil {
			return err
		}
		return tx.Record(ctx, event)
	})
}

func readPeppers(ctx context.Context, store Store) ([]SealedPepper, error) {
	var stored []SealedPepper
	err := store.Read(ctx, func(r Reader) (err error) {
		stored, err = r.Peppers(ctx)
		return err
	})
	return stored, err
}

// hash is how a new secret is stored: under the newest pepper that every process knows.
func (p *Peppers) hash(s secret.Text) Hash {
	all := p.known.Load().all
	newest := len(all) - 1
	for newest > 0 && p.now().Sub(all[newest].since) < pepperRest {
		newest--
	}
	return all[newest].hash(s)
}

// candidates is every form in which the secret could be stored.
func (p *Peppers) candidates(ctx context.Context, s secret.Text) ([]Hash, error) {
	known, err := p.current(ctx)
	if err != nil {
		return nil, err
	}
	hashes := make([]Hash, len(known.all))
	for i, pepper := range known.all {
		hashes[i] = pepper.hash(s)
	}
	return hashes, nil
}

func (p pepper) hash(s secret.Text) Hash {
	mac := hmac.New(sha256.New, p.key)
	mac.Write([]byte(s.Reveal()))
	return Hash{Pepper: p.number, Sum: mac.Sum(nil)}
}
