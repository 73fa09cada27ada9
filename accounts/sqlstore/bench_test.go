package sqlstore_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/accounts/sqlstore"
	"github.com/signet-issuer/signet/internal/sqldb"
)

func BenchmarkStandingBySecret(b *testing.B) {
	for name, options := range map[string][]sqlstore.Option{"plain": nil, "cached": {sqlstore.WithCache()}} {
		b.Run(name, func(b *testing.B) {
			ctx := b.Context()
			db, err := sqldb.OpenSQLite(ctx, filepath.Join(b.TempDir(), "signet.db"), sqldb.Normal)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			if err := db.Migrate(ctx, sqldb.Migrations); err != nil {
				b.Fatal(err)
			}
			store := sqlstore.New(db, options...)
			clients := make([]client, 1000)
			err = write(ctx, store, func(tx accounts.Tx) error {
				for i := range clients {
					clients[i] = newClient(fmt.Sprintf("client-%d", i))
					if err := clients[i].insert(ctx, tx); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := store.StandingBySecret(ctx, []accounts.Hash{clients[i%len(clients)].hash}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
