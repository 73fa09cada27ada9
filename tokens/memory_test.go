package tokens_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
	"github.com/signet-issuer/signet/tokens"
)

// memoryStore keeps a key set in memory, for the two tests that SQLite does not suit: real I/O
// stops the fake time of synctest, and random histories need tens of thousands of reads.
type memoryStore struct {
	tokens.Store
	down atomic.Bool
	mu   sync.Mutex
	set  tokens.KeySet
}

func (s *memoryStore) KeySet(context.Context) (tokens.KeySet, error) {
	if s.down.Load() {
		return tokens.KeySet{}, accounts.ErrUnavailable
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.set, nil
}

func (s *memoryStore) ChangeKeys(_ context.Context, _ authz.Principal, _ audit.Receipt,
	fn func(tokens.KeySet) ([]tokens.StoredKey, audit.Event, error),
) (tokens.KeySet, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed, _, err := fn(s.set)
	if err != nil || len(changed) == 0 {
		return s.set, err
	}
	keys := slices.DeleteFunc(slices.Clone(s.set.Keys), func(old tokens.StoredKey) bool {
		return slices.ContainsFunc(changed, func(k tokens.StoredKey) bool { return k.KID == old.KID })
	})
	s.set = tokens.KeySet{Version: s.set.Version + 1, Keys: append(keys, changed...)}
	return s.set, nil
}
