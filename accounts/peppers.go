package accounts

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
	"github.com/signet-issuer/signet/internal/secret"
)

const pepperSize = 32

// Peppers key the hashes of secrets, so that a copy of the database alone neither
// authenticates nor confirms a guess. It is immutable and safe for concurrent use.
type Peppers struct{ all []pepper } // oldest first; new secrets take the last

type pepper struct {
	number int64
	key    []byte
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
	stored, err := readPeppers(ctx, cfg.Store)
	if err != nil {
		return nil, err
	}
	if len(stored) == 0 {
		// Another replica that starts at the same time may come first.
		if err := makePepper(ctx, cfg, firstOnly); err != nil && !errors.Is(err, ErrExists) {
			return nil, err
		}
		if stored, err = readPeppers(ctx, cfg.Store); err != nil {
			return nil, err
		}
	}
	peppers := &Peppers{}
	for _, p := range stored {
		key, err := cfg.Master.Open(PepperLabel(p.Number), p.Sealed)
		if err != nil {
			return nil, fmt.Errorf("pepper %d: %w", p.Number, err)
		}
		peppers.all = append(peppers.all, pepper{number: p.Number, key: key})
	}
	return peppers, nil
}

// AddPepper makes a new pepper for the secrets to come. Those that exist keep theirs.
// Running processes learn of it when they start.
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

// hash is how a new secret is stored.
func (p *Peppers) hash(s secret.Text) Hash { return p.all[len(p.all)-1].hash(s) }

// candidates is every form in which the secret could be stored.
func (p *Peppers) candidates(s secret.Text) []Hash {
	hashes := make([]Hash, len(p.all))
	for i, pepper := range p.all {
		hashes[i] = pepper.hash(s)
	}
	return hashes
}

func (p pepper) hash(s secret.Text) Hash {
	mac := hmac.New(sha256.New, p.key)
	mac.Write([]byte(s.Reveal()))
	return Hash{Pepper: p.number, Sum: mac.Sum(nil)}
}
