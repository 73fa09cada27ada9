package sqlstore_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/accounts/sqlstore"
)

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
