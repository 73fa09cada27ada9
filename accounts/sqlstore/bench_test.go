package sqlstore_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/accounts/sqlstore"
	"github.com/signet-issuer/signet/internal/sqldb"
)

func BenchmarkStandingBySecret(b *testing.B) {
	db := openDB(b)
	clients := manyClients(b, db)
	for _, name := range []string{"plain", "cached"} {
		b.Run(name, func(b *testing.B) { concurrently(b, sqlstore.New(db, kinds[name]...), clients, 1) })
	}
}

func BenchmarkStandingBySecretPostgres(b *testing.B) {
	db := openPostgres(b)
	clients := manyClients(b, db)
	for _, name := range []string{"plain", "batched"} {
		for _, workers := range []int{1, 32, 256} {
			b.Run(fmt.Sprintf("%s/c=%d", name, workers), func(b *testing.B) {
				concurrently(b, sqlstore.New(db, kinds[name]...), clients, workers)
			})
		}
	}
}

// concurrently reads b.N standings by so many workers at a time.
func concurrently(b *testing.B, store *sqlstore.Store, clients []client, workers int) {
	var next, failed atomic.Int64
	var slowest atomic.Int64
	var group sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range workers {
		group.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				began := time.Now()
				hashes := []accounts.Hash{clients[int(i)%len(clients)].hash}
				if _, err := store.StandingBySecret(context.Background(), hashes); err != nil {
					failed.Add(1)
				}
				slowest.Store(max(slowest.Load(), int64(time.Since(began))))
			}
		})
	}
	group.Wait()
	b.ReportMetric(float64(slowest.Load())/1e6, "max-ms")
	if failed.Load() > 0 {
		b.Errorf("%d reads failed", failed.Load())
	}
}

func manyClients(b *testing.B, db *sqldb.DB) []client {
	b.Helper()
	clients := make([]client, 1000)
	err := write(b.Context(), sqlstore.New(db), func(tx accounts.Tx) error {
		for i := range clients {
			clients[i] = newClient(fmt.Sprintf("client-%d", i))
			if err := clients[i].insert(b.Context(), tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return clients
}

// BenchmarkSaveUsage saves as many uses as ever wait in a process.
func BenchmarkSaveUsage(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *sqldb.DB{"SQLite": openDB, "PostgreSQL": openPostgres} {
		b.Run(name, func(b *testing.B) {
			db := open(b)
			store := sqlstore.New(db)
			uses := withSecrets(b, store, stored(b, store, "acme"), 10_000, time.Time{})
			for round := 0; b.Loop(); round++ {
				for i := range uses {
					uses[i].At = start.Add(time.Duration(round) * time.Hour)
				}
				if err := store.SaveUsage(b.Context(), uses); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
