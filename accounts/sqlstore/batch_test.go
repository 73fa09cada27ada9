package sqlstore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/accounts/sqlstore"
	"github.com/signet-issuer/signet/internal/sqldb"
)

// An answer depends on nothing but what was asked for, whoever else asks at that moment.
func TestI4_BatchesKeepRequestsApart(t *testing.T) { onEach(t, testRequestsApart) }

func testRequestsApart(t *testing.T, db *sqldb.DB) {
	const workers, rounds = 64, 40
	store := sqlstore.New(db, sqlstore.WithBatching())
	clients := make([]client, 20)
	for i := range clients {
		clients[i] = stored(t, store, fmt.Sprintf("client-%d", i))
	}
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(worker)))
			for range rounds {
				if err := askRandomly(t, store, clients, random); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

// askRandomly presents one secret, right or wrong in some way, under several peppers, or a
// client id with a number.
func askRandomly(t *testing.T, store *sqlstore.Store, clients []client, random *rand.Rand) error {
	own, others := clients[random.IntN(len(clients))], clients[random.IntN(len(clients))]
	unknown := func() accounts.Hash { return accounts.Hash{Pepper: 1, Sum: fmt.Appendf(nil, "%032d", random.Int64())} }
	hashes, want := []accounts.Hash{own.hash}, own.account.ID
	var got accounts.Standing
	var err error
	switch random.IntN(5) {
	case 0: // its row is there, under another pepper
		hashes[0].Pepper, want = 2, [16]byte{}
		hashes = append(hashes, accounts.Hash{Pepper: 3, Sum: others.hash.Sum})
	case 1:
		hashes, want = []accounts.Hash{unknown(), unknown()}, [16]byte{}
	case 2:
		hashes = []accounts.Hash{unknown(), {Pepper: 2, Sum: others.hash.Sum}, own.hash, unknown()}
	case 3:
		seq := int64(random.IntN(3))
		if got, err = store.StandingByClient(t.Context(), own.credential.ClientID, seq); seq == 2 {
			want = [16]byte{}
		}
		hashes = nil
	}
	if hashes != nil {
		got, err = store.StandingBySecret(t.Context(), hashes)
	}
	if errors.Is(err, accounts.ErrNotFound) {
		err = nil
	}
	if err != nil || got.AccountID != want {
		return fmt.Errorf("asked for %v and found %v, %w", want, got.AccountID, err)
	}
	return nil
}
