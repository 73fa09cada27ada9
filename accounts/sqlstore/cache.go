package sqlstore

import (
	"sync"

	"github.com/signet-issuer/signet/accounts"
)

// maxCached bounds the cache to some 15 MiB of usual standings, and to about ten times that
// of the largest that maxCachedPatterns lets in.
const (
	maxCached         = 16384
	maxCachedPatterns = 64
)

// cacheKey is a client id with the number of a secret, or the whole hash of a secret with
// the number of its pepper.
type cacheKey struct {
	name   string
	number int64
	hash   bool
}

// cache holds what was read since one epoch began and forgets all of it when the next one
// does. It knows nothing of what was not found.
type cache struct {
	mu        sync.RWMutex
	epoch     uint64
	standings map[cacheKey]*accounts.Standing
}

func newCache() *cache { return &cache{standings: map[cacheKey]*accounts.Standing{}} }

// get answers what is known under any of the keys, if that is still true at epoch.
func (c *cache) get(epoch uint64, keys []cacheKey) (accounts.Standing, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.epoch != epoch {
		return accounts.Standing{}, false
	}
	for _, key := range keys {
		if known, ok := c.standings[key]; ok {
			standing := *known
			standing.Remembered = true
			return standing, true
		}
	}
	return accounts.Standing{}, false
}

// put keeps what was read after the database's epoch answered epoch. A standing that is
// unusually large is not kept: the bound is a number of standings and meant for memory.
func (c *cache) put(epoch uint64, key cacheKey, standing accounts.Standing) {
	if standing.RolePermissions.Len() > maxCachedPatterns {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if epoch < c.epoch {
		return
	}
	if epoch > c.epoch || len(c.standings) >= maxCached {
		c.standings, c.epoch = map[cacheKey]*accounts.Standing{}, epoch
	}
	c.standings[key] = &standing
}
