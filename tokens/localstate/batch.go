package localstate

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/sqldb"
	"github.com/signet-issuer/signet/tokens"
)

// batch is a bounded set of what waits to be written: records from the oldest on, and the
// newest use of each secret.
type batch struct {
	limit int
	live  []tokens.LiveToken
	uses  map[uuid.UUID]accounts.Use
}

func newBatch(limit int) batch { return batch{limit: limit, uses: map[uuid.UUID]accounts.Use{}} }

func (b *batch) size() int { return len(b.live) + len(b.uses) }

// filling says that what waits should be written soon, so that nothing has to be dropped.
func (b *batch) filling() bool { return max(len(b.live), len(b.uses)) >= b.limit/4 }

// clear empties b and keeps its memory.
func (b *batch) clear() {
	clear(b.live)
	b.live = b.live[:0]
	clear(b.uses)
}

// add appends a record and returns how many old ones it gave up.
func (b *batch) add(token tokens.LiveToken) int {
	dropped := 0
	if len(b.live) >= b.limit {
		b.live[0] = tokens.LiveToken{}
		b.live = b.live[1:]
		dropped = 1
	}
	b.live = append(b.live, token)
	return dropped
}

// touch keeps the newest use of the secret and returns how many uses of others it gave up.
func (b *batch) touch(use accounts.Use) int {
	known, ok := b.uses[use.SecretID]
	if ok && !known.At.Before(use.At) {
		return 0
	}
	dropped := 0
	if !ok && len(b.uses) >= b.limit {
		for id := range b.uses {
			delete(b.uses, id)
			break
		}
		dropped = 1
	}
	b.uses[use.SecretID] = use
	return dropped
}

// putBack puts a batch that was not written in front, and returns how much was given up.
func (b *batch) putBack(failed *batch) int {
	b.live = slices.Concat(failed.live, b.live)
	dropped := max(len(b.live)-b.limit, 0)
	b.live = slices.Delete(b.live, 0, dropped)
	for id, use := range failed.uses {
		if _, known := b.uses[id]; !known && len(b.uses) >= b.limit {
			dropped++ // rather than a newer use
			continue
		}
		b.touch(use)
	}
	return dropped
}

func (b *batch) liveOf(account uuid.UUID) []tokens.LiveToken {
	var found []tokens.LiveToken
	for i := range b.live {
		if b.live[i].AccountID == account {
			found = append(found, b.live[i])
		}
	}
	return found
}

func (b *batch) usesOf(wanted map[uuid.UUID]bool) []accounts.Use {
	var found []accounts.Use
	for _, use := range b.uses {
		if wanted[use.AccountID] {
			found = append(found, use)
		}
	}
	return found
}

func (b *batch) forget(account uuid.UUID, jti string) {
	b.live = slices.DeleteFunc(b.live, func(t tokens.LiveToken) bool { return t.AccountID == account && t.JTI == jti })
}

func (b *batch) erase(gone map[uuid.UUID]bool) {
	b.live = slices.DeleteFunc(b.live, func(t tokens.LiveToken) bool { return gone[t.AccountID] })
	for id, use := range b.uses {
		if gone[use.AccountID] {
			delete(b.uses, id)
		}
	}
}

// stored is a time as the file keeps it, so that a record reads the same before and after
// it is written.
func stored(t time.Time) time.Time { return sqldb.FromMicros(sqldb.Micros(t)) }
