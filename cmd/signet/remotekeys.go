package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/signet-issuer/signet/client"
	"github.com/signet-issuer/signet/tokens"
)

// remoteKeys is the keys of a running server.
type remoteKeys struct{ api *client.Client }

func (r *remote) keyring(ctx context.Context, stdin io.Reader) (keyring, error) {
	value, err := r.secret(stdin)
	if err != nil {
		return nil, err
	}
	return remoteKeys{client.New(ctx, r.issuer, r.clientID, value.Reveal())}, nil
}

func (r remoteKeys) list(ctx context.Context) ([]tokens.Key, error) {
	published, err := r.api.Keys(ctx)
	if err != nil {
		return nil, explainAPI(err)
	}
	keys := make([]tokens.Key, len(published))
	for i, k := range published {
		keys[i] = tokens.Key{
			KID: k.KID, Alg: k.Alg, State: tokens.State(k.State), PreparedAt: k.PreparedAt, RipeAt: k.RipeAt,
			ActivatedAt: instant(k.ActivatedAt), RetiredAt: instant(k.RetiredAt), RemoveAt: instant(k.RemoveAt),
		}
	}
	return keys, nil
}

func (r remoteKeys) rotate(ctx context.Context, force bool) error {
	err := r.api.RotateKeys(ctx, force)
	if refused, ok := errors.AsType[*client.Error](err); ok && errors.Is(err, client.ErrNotRipe) {
		return &tokens.NotRipeError{RipeAt: refused.RipeAt()}
	}
	return explainAPI(err)
}

func (r remoteKeys) drop(ctx context.Context, kid string) error {
	err := r.api.DropKey(ctx, kid)
	if errors.Is(err, client.ErrNotFound) {
		return errNoSuchKey
	}
	return explainAPI(err)
}

func explainAPI(err error) error {
	switch {
	case errors.Is(err, client.ErrForbidden):
		return withHint(err, "signing keys are for administrators of the system organization")
	case errors.Is(err, client.ErrUnauthenticated):
		return withHint(err, "check --client-id and the secret; the credential may be expired or disabled")
	}
	return err
}

func instant(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
