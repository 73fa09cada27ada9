package tokens

import (
	"context"
	"fmt"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

// Key describes a signing key to an administrator. Times that are not reached are zero.
type Key struct {
	KID         string
	Alg         string
	State       State
	PreparedAt  time.Time
	RipeAt      time.Time // every verifier that follows the caching rules has it from here on
	ActivatedAt time.Time
	RetiredAt   time.Time
	RemoveAt    time.Time // no token needs it from here on
}

// NotRipeError refuses a rotation that would let a key sign before verifiers have it.
type NotRipeError struct{ RipeAt time.Time }

func (e *NotRipeError) Error() string {
	return "the next key is not known to every verifier before " + e.RipeAt.UTC().Format(time.RFC3339)
}

// RotateRequest asks for the next key to sign from now on. Force does not wait until it is
// ripe: verifiers that cached the key set may refuse tokens for as long as their cache lasts.
type RotateRequest struct {
	Force bool
	Once  accounts.Once
}

// List returns every key that is not removed, oldest first. Only an account of the system org may ask.
func (k *Keys) List(ctx context.Context, p authz.Principal) ([]Key, error) {
	if err := p.DemandSystem(authz.Permission(authz.Settings, authz.Read)); err != nil {
		return nil, err
	}
	set, err := k.store.KeySet(ctx)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	stored := keysOf(set, k.purpose)
	keys := make([]Key, len(stored))
	for i, key := range stored {
		keys[i] = Key{
			KID: key.KID, Alg: key.Alg, State: key.State, PreparedAt: key.PreparedAt, RipeAt: key.RipeAt,
			ActivatedAt: key.ActivatedAt, RetiredAt: key.RetiredAt, RemoveAt: key.RemoveAt,
		}
	}
	return keys, nil
}

// Rotate retires the active key and lets the prepared one take over, or answers a [*NotRipeError].
func (k *Keys) Rotate(ctx context.Context, p authz.Principal, req RotateRequest) error {
	if err := p.DemandSystem(authz.Permission(authz.Settings, authz.Update)); err != nil {
		return err
	}
	return k.change(ctx, keyChange{actor: p, once: req.Once, decide: func(d *draft) error {
		if key := d.prepared(); key != nil && d.now.Before(key.RipeAt) && !req.Force {
			return &NotRipeError{RipeAt: key.RipeAt}
		}
		return d.rotate()
	}})
}

// Drop removes a key at once, as when it is known to others. Tokens that it signed stop being
// valid; when it was active the prepared key takes over, ripe or not. It answers
// accounts.ErrNotFound for a key that is not published.
func (k *Keys) Drop(ctx context.Context, p authz.Principal, kid string) error {
	if err := p.DemandSystem(authz.Permission(authz.Settings, authz.Delete)); err != nil {
		return err
	}
	return k.change(ctx, keyChange{actor: p, decide: func(d *draft) error { return d.drop(kid) }})
}

// Replace removes every key and starts with a new pair, so that no token of before is valid.
func (k *Keys) Replace(ctx context.Context, p authz.Principal) error {
	if err := p.DemandSystem(authz.Permission(authz.Settings, authz.Delete)); err != nil {
		return err
	}
	return k.change(ctx, keyChange{actor: p, decide: (*draft).replace})
}
