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

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/accounts/sqlstore"
	"github.com/signet-issuer/signet/internal/engines"
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

// The cache is nearly always warm. Full makes commits long enough for readers to come in between.
func TestI9_CacheNeverOutlivesAnAcknowledgedWrite(t *testing.T) {
	store := sqlstore.New(openSynced(t, sqldb.Full), sqlstore.WithCache())
	neverStale(t, store, store)
}

func TestI9_NoBatchIsOlderThanAnAcknowledgedWrite(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		store := sqlstore.New(openSynced(t, sqldb.Full), sqlstore.WithBatching())
		neverStale(t, store, store)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		url := engines.Database(t)
		one, other := prepared(t, connect(t, url)), connect(t, url)
		neverStale(t, sqlstore.New(one, sqlstore.WithBatching()), sqlstore.New(other, sqlstore.WithBatching()))
	})
}

// neverStale lets writers raise gens at all three levels and delete secrets on one replica
// while readers ask another in both ways.
func neverStale(t *testing.T, writing, reading *sqlstore.Store) {
	t.Helper()
	models := make([]*model, 4)
	for i := range models {
		models[i] = &model{client: stored(t, writing, fmt.Sprintf("client-%d", i))}
	}
	const least, longest = 1500 * time.Millisecond, 30 * time.Second
	var writes, reads atomic.Int64
	began := time.Now()
	goOn := func() bool {
		enough := time.Since(began) > least && writes.Load() >= 30 && reads.Load() >= 5*writes.Load()
		return !enough && time.Since(began) < longest && !t.Failed()
	}
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			for goOn() {
				m := models[rand.IntN(len(models))]
				if err := m.change(t.Context(), writing); err != nil {
					t.Error(err)
					return
				}
				writes.Add(1)
				// Pauses let the cache fill: a cache that is always empty proves nothing.
				time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
			}
		})
	}
	for range 16 {
		group.Go(func() {
			for goOn() {
				if err := models[rand.IntN(len(models))].look(t.Context(), reading); err != nil {
					t.Error(err)
					return
				}
				reads.Add(1)
			}
		})
	}
	group.Wait()
	if writes.Load() < 30 || reads.Load() < 30 {
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
