package sqlstore

import (
	"fmt"

	"github.com/signet-issuer/signet/accounts"
)

// MaxCached shows the bound of the cache to its tests.
const MaxCached = maxCached

// StandingStatements shows the hot statements to tests of their plans.
func StandingStatements() map[string]string {
	return map[string]string{"by secret": fmt.Sprintf(bySecret, "$1, $2"), "by client": byClient}
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
