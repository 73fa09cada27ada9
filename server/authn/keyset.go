package authn

import (
	"context"
	"crypto"

	"github.com/signet-issuer/signet/client/verify"
	"github.com/signet-issuer/signet/tokens"
)

// ownKeys is the server's published key set.
type ownKeys struct{ keys *tokens.Keys }

// Key implements [verify.KeySet]. It asks the truth only about a key that is not in memory,
// and of many such keys only now and then.
func (o ownKeys) Key(ctx context.Context, kid, alg string) (crypto.PublicKey, error) {
	key, bound, ok := o.keys.PublicKey(kid)
	if !ok {
		if err := o.keys.Confirm(ctx); err != nil {
			return nil, err
		}
		key, bound, ok = o.keys.PublicKey(kid)
	}
	if !ok || bound != alg {
		return nil, verify.ErrNoKey
	}
	return key, nil
}
