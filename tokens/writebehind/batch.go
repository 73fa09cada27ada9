package writebehind

import (
	"slices"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/tokens"
)

// Batch is a bounded set of what waits to be written: records from the oldest on, and the
// newest use of each secret.
type Batch struct {
	Live []tokens.LiveToken
	Uses map[uuid.UUID]accounts.Use // by secret

	limit int
}

// NewBatch returns a batch of at most limit records and as many uses.
func NewBatch(limit int) Batch { return Batch{limit: limit, Uses: map[uuid.UUID]accounts.Use{}} }

// Size counts records and uses.
func (b *Batch) Size() int { return len(b.Live) + len(b.Uses) }

// Add appends a record and returns how many old ones it gave up.
func (b *Batch) Add(token tokens.LiveToken) int {
	dropped := 0
	if len(b.Live) >= b.limit {
		b.Live[0] = tokens.LiveToken{}
		b.Live = b.Live[1:]
		dropped = 1
	}
	b.Live = append(b.Live, token)
	return dropped
}

// Touch keeps the newest use of the secret and returns how many uses of others it gave up.
func (b *Batch) Touch(use accounts.Use) int {
	known, ok := b.Uses[use.SecretID]
	if ok && !known.At.Before(use.At) {
		return 0
	}
	dropped := 0
	if !ok && len(b.Uses) >= b.limit {
		for id := range b.Uses {
			delete(b.Uses, id)
			break
		}
		dropped = 1
	}
	b.Uses[use.SecretID] = use
	return dropped
}

// filling says that what waits should be written soon, so that nothing has to be dropped.
func (b *Batch) filling() bool { return max(len(b.Live), len(b.Uses)) >= b.limit/4 }

// clear empties b and keeps its memory.
func (b *Batch) clear() {
	clear(b.Live)
	b.Live = b.Live[:0]
	clear(b.Uses)
}

// putBack puts what was not written in front, and returns how much was given up.
func (b *Batch) putBack(failed *Batch) int {
	b.Live = slices.Concat(failed.Live, b.Live)
	dropped := max(len(b.Live)-b.limit, 0)
	b.Live = slices.Delete(b.Live, 0, dropped)
	for id, use := range failed.Uses {
		if _, known := b.Uses[id]; !known && len(b.Uses) >= b.limit {
			dropped++ // rather than a newer use
			continue
		}
		b.Touch(use)
	}
	return dropped
}

func (b *Batch) liveOf(account uuid.UUID) []tokens.LiveToken {
	var found []tokens.LiveToken
	for i := range b.Live {
		if b.Live[i].AccountID == account {
			found = append(found, b.Live[i])
		}
	}
	return found
}

func (b *Batch) usesOf(wanted map[uuid.UUID]bool) []accounts.Use {
	var found []accounts.Use
	for _, use := range b.Uses {
		if wanted[use.AccountID] {
			found = append(found, use)
		}
	}
	return found
}

func (b *Batch) forget(account uuid.UUID, jti string) {
	b.Live = slices.DeleteFunc(b.Live, func(t tokens.LiveToken) bool { return t.AccountID == account && t.JTI == jti })
}

func (b *Batch) erase(gone map[uuid.UUID]bool) {
	b.Live = slices.DeleteFunc(b.Live, func(t tokens.LiveToken) bool { return gone[t.AccountID] })
	for id, use := range b.Uses {
		if gone[use.AccountID] {
			delete(b.Uses, id)
		}
	}
}
