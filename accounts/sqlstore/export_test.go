package sqlstore

import (
	"github.com/signet-issuer/signet/accounts"
)

// MaxCached shows the bound of the cache to its tests.
const MaxCached = maxCached

// StandingStatements shows the hot statements, for n keys, to tests of their plans.
func StandingStatements(n int) map[string]string {
	return map[string]string{"by secret": bySecretStatement(n), "by client": byClientStatement(n)}
}

// Cache shows the cache to its tests.
type Cache struct{ *cache }

func NewCache() Cache { return Cache{newCache()} }

func (c Cache) Put(epoch uint64, name string, s accounts.Standing) {
	c.put(epoch, cacheKey{name: name}, s)
}

func (c Cache) Get(epoch uint64, name string) (accounts.Standing, bool) {
	return c.get(epoch, []cacheKey{{name: "other"}, {name: name}})
}

func (c Cache) Len() int { return len(c.standings) }
