package authn

import (
	"context"
	"crypto"

	"github.com/signet-issuer/signet/client/verify"
	"github.com/signet-issuer/signet/tokens"
)

// ownKeys is the server's published key set in memory. It never waits and never asks elsewhere.
type ownKeys struct{ keys *tokens.Keys }

// Key implements [verify.KeySet].
func (o ownKeys) Key(_ context.Context, kid, alg string) (crypto.PublicKey, error) {
	key, bound, ok := o.keys.PublicKey(kid)
	if !ok || bound != alg {
		return nil, verify.ErrNoKey
	}
	return key, nil
}
