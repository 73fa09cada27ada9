package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/accounts/sqlstore"
	"github.com/signet-issuer/signet/internal/sqldb"
)

// model says of one client what a read that starts now must see at least. Gens only grow,
// and a deleted secret stays away.
type model struct {
	client
	mu    sync.Mutex // one writer at a time; readers never take it
	acked atomic.Int64
	life  atomic.Int64 // odd from an acknowledged deletion of the secret until before its return
}

// TestI9_CacheNeverOutlivesAnAcknowledgedWrite lets writers raise gens at all three levels and
// delete secrets while readers, on a cache that is nearly always warm, ask in both ways.
func TestI9_CacheNeverOutlivesAnAcknowledgedWrite(t *testing.T) {
	// Full makes commits long enough for readers to come in between.
	store := sqlstore.New(openSynced(t, sqldb.Full), sqlstore.WithCache())
	models := make([]*model, 4)
	for i := range models {
		models[i] = &model{client: stored(t, store, fmt.Sprintf("client-%d", i))}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	var writes, reads atomic.Int64
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			for ctx.Err() == nil {
				m := models[rand.IntN(len(models))]
				if err := m.change(t.Context(), store); err != nil {
					t.Error(err)
					return
				}
				writes.Add(1)
				// Pauses let the cache fill: a cache that is always empty proves nothing.
				time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
			}
		})
	}
	for range 6 {
		group.Go(func() {
			for ctx.Err() == nil {
				if err := models[rand.IntN(len(models))].look(t.Context(), store); err != nil {
					t.Error(err)
					return
				}
				reads.Add(1)
			}
		})
	}
	group.Wait()
	if writes.Load() < 20 || reads.Load() < 10*writes.Load() {
		t.Errorf("%d writes and %d reads prove too little", writes.Load(), reads.Load())
	}
}

// change makes one acknowledged write and only then tells the readers.
func (m *model) change(ctx context.Context, store *sqlstore.Store) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	kind := rand.IntN(12)
	if m.life.Load()%2 == 1 {
		return m.restore(ctx, store)
	}
	err := write(ctx, store, func(tx accounts.Tx) error {
		switch {
		case kind == 0:
			return tx.DeleteSecret(ctx, m.credential.ID, m.secret.ID)
		case kind < 4:
			m.org.Gen++
			return tx.UpdateOrg(ctx, m.org)
		case kind < 8:
			m.account.Gen++
			return tx.UpdateAccount(ctx, m.account)
		}
		m.credential.Gen++
		return tx.UpdateCredential(ctx, m.credential)
	})
	switch {
	case err != nil:
		return err
	case kind == 0:
		m.life.Add(1)
		return nil
	case kind < 4:
		m.org.Version++
	case kind < 8:
		m.account.Version++
	default:
		m.credential.Version++
	}
	m.acked.Store(m.org.Gen + m.account.Gen + m.credential.Gen)
	return nil
}

// restore brings the secret back. Readers may see it before they are told to expect it.
func (m *model) restore(ctx context.Context, store *sqlstore.Store) error {
	m.life.Add(1)
	secret := m.secret
	secret.ID = newID()
	err := write(ctx, store, func(tx accounts.Tx) error { return tx.InsertSecret(ctx, secret, m.hash) })
	m.secret.ID = secret.ID
	return err
}

// look notes what was acknowledged before it reads, and checks that the read knows it.
func (m *model) look(ctx context.Context, store *sqlstore.Store) error {
	life, floor := m.life.Load(), m.acked.Load()
	var standing accounts.Standing
	var err error
	if rand.IntN(2) == 0 {
		standing, err = store.StandingBySecret(ctx, []accounts.Hash{{Pepper: 9, Sum: m.hash.Sum[:8]}, m.hash})
	} else {
		standing, err = store.StandingByClient(ctx, m.credential.ClientID, 1)
	}
	switch {
	case errors.Is(err, accounts.ErrNotFound):
		return nil // allowed at any time: a deletion may be on its way
	case err != nil:
		return err
	case life%2 == 1 && m.life.Load() == life:
		return errors.New("a read saw a secret after its deletion was acknowledged")
	case standing.Gen < floor:
		return fmt.Errorf("a read saw gen %d after %d was acknowledged", standing.Gen, floor)
	}
	return nil
}

func TestCacheIsBounded(t *testing.T) {
	cache := sqlstore.NewCache()
	for i := range 3*sqlstore.MaxCached + 7 {
		cache.Put(1, fmt.Sprint(i), accounts.Standing{AccountID: uuid.UUID{1}})
		if n := cache.Len(); n > sqlstore.MaxCached {
			t.Fatalf("%d entries", n)
		}
	}
	if cache.Len() == 0 {
		t.Error("nothing is kept")
	}
}

func TestI9_CacheKeepsEpochsApart(t *testing.T) {
	cache := sqlstore.NewCache()
	first, second := accounts.Standing{Gen: 1}, accounts.Standing{Gen: 2}
	cache.Put(5, "a", first)
	if got, ok := cache.Get(5, "a"); !ok || got.Gen != 1 {
		t.Errorf("within its epoch: %v %v", got.Gen, ok)
	}
	if _, ok := cache.Get(6, "a"); ok {
		t.Error("in the next epoch")
	}
	cache.Put(6, "b", second)
	cache.Put(5, "a", first) // a slow read that began before the write
	for epoch, want := range map[uint64]bool{5: false, 6: true} {
		if _, ok := cache.Get(epoch, "b"); ok != want {
			t.Errorf("b in epoch %d: %v", epoch, ok)
		}
		if _, ok := cache.Get(epoch, "a"); ok {
			t.Errorf("a came back in epoch %d", epoch)
		}
	}
}
