package tokens

import (
	"context"
	"errors"
	"fmt"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
)

// changeAttempts is how often a change starts over because other replicas change the set at
// the same time, or because it needs new keys: two at most.
const changeAttempts = 8

// errMoved says that the key set is no longer the one that was read before the transaction.
var errMoved = errors.New("the key set changed meanwhile")

// keyChange is a change to the key set that somebody wants.
type keyChange struct {
	actor  authz.Principal
	once   accounts.Once
	decide func(*draft) error
}

// change decides on the stored key set, in a transaction, and takes the result into use. The
// decision is tried on a read first: new keys are made before the transaction, and a tick
// that has nothing to do does not write.
func (k *Keys) change(ctx context.Context, c keyChange) error {
	var fresh []StoredKey
	for range changeAttempts {
		err := k.tryChange(ctx, c, fresh)
		if missing, ok := errors.AsType[*missingKeyError](err); ok {
			key, err := newKey(k.purpose, missing.alg, k.master, k.random)
			if err != nil {
				return err
			}
			fresh = append(fresh, key)
			continue
		}
		if !errors.Is(err, errMoved) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", accounts.ErrUnavailable, errMoved)
}

func (k *Keys) tryChange(ctx context.Context, c keyChange, fresh []StoredKey) error {
	asked := k.now()
	seen, err := k.store.KeySet(ctx)
	if err != nil {
		return fmt.Errorf("read key set: %w", err)
	}
	if err := k.refuseRepetition(ctx, c); err != nil {
		return err
	}
	plan, err := k.plan(c, seen, fresh)
	if err != nil {
		return err
	}
	if len(plan.changed) == 0 {
		return k.adopt(seen, asked)
	}
	set, err := k.store.ChangeKeys(ctx, c.actor, c.receipt(plan), func(current KeySet) ([]StoredKey, audit.Event, error) {
		// Only the very set that the receipt was looked up for excludes a twin of this request.
		if c.once.Key != "" && current.Version != seen.Version {
			return nil, audit.Event{}, errMoved
		}
		var err error
		if plan, err = k.plan(c, current, fresh); err != nil || len(plan.changed) == 0 {
			return nil, audit.Event{}, err
		}
		event, err := k.newEvent(plan)
		return plan.result(), event, err
	})
	if err != nil {
		return fmt.Errorf("change key set: %w", err)
	}
	if len(plan.changed) > 0 {
		k.log.InfoContext(ctx, "signing keys changed", "event", plan.event, "kid", plan.subject)
	}
	return k.adopt(set, asked)
}

func (k *Keys) plan(c keyChange, set KeySet, fresh []StoredKey) (*draft, error) {
	d := newDraft(keysOf(set, k.purpose), k.schedule, k.alg, fresh, k.now())
	return d, c.decide(d)
}

// newEvent describes a change. It stands in the log of the org that administers the installation.
func (k *Keys) newEvent(d *draft) (audit.Event, error) {
	return audit.New(k.random, d.now, d.event, audit.Org{ID: accounts.SystemOrgID, Slug: accounts.SystemOrg}, "key:"+d.subject)
}

func (c keyChange) receipt(d *draft) audit.Receipt {
	if c.once.Key == "" {
		return audit.Receipt{}
	}
	return audit.Receipt{
		Actor: c.actor.AccountID, Key: c.once.Key, Fingerprint: c.once.Fingerprint, Target: d.subject, Time: d.now,
	}
}

func (k *Keys) refuseRepetition(ctx context.Context, c keyChange) error {
	if c.once.Key == "" {
		return nil
	}
	receipt, err := k.store.Receipt(ctx, c.actor.AccountID, c.once.Key)
	if errors.Is(err, accounts.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read receipt: %w", err)
	}
	return c.once.Judge(receipt, k.now())
}
