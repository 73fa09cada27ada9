package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signet-issuer/signet/accounts"
)

const (
	maxBatchKeys = 64
	maxInFlight  = 3
	// patience bounds both the wait of a request and that of its statement.
	patience = 900 * time.Millisecond
)

// lookup reads what is stored under the keys.
type lookup func(ctx context.Context, keys []cacheKey) (answers, error)

// answers holds, for each key that was found, the standing or why its row cannot be read.
type answers map[cacheKey]answer

type answer struct {
	standing accounts.Standing
	err      error
}

// batches lets concurrent requests share statements. A request joins only a batch whose
// statement has not been sent, so that no answer is older than its request.
type batches struct {
	lookup lookup

	mu       sync.Mutex
	inFlight int        // at most maxInFlight; requests wait only when it is that many
	waiting  []*request // for the next batches
}

type request struct {
	keys []cacheKey
	left atomic.Bool // nobody waits for the answer any more
	done chan result // has room for the answer, so that run never waits
}

type result struct {
	answers answers
	err     error
}

// find is a [lookup] through a batch. The answers are shared, and may have other keys too.
func (b *batches) find(ctx context.Context, keys []cacheKey) (answers, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := &request{keys: keys, done: make(chan result, 1)}
	if b.mayGo(r) {
		defer b.goOn()
		return b.send(ctx, keys)
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case result := <-r.done:
		return result.answers, result.err
	case <-ctx.Done():
		r.left.Store(true)
		return nil, ctx.Err()
	case <-timer.C:
		r.left.Store(true)
		return nil, fmt.Errorf("%w: no answer within %v", accounts.ErrUnavailable, patience)
	}
}

// mayGo reports whether the request may be sent at once, and else has it wait.
func (b *batches) mayGo(r *request) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.inFlight < maxInFlight {
		b.inFlight++
		return true
	}
	b.waiting = append(b.waiting, r)
	return false
}

// goOn leaves the place of a request that was sent alone to those that wait.
func (b *batches) goOn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == 0 {
		b.inFlight--
		return
	}
	go b.run()
}

// run sends one batch after another until nobody waits. No caller's end is that of a batch.
func (b *batches) run() {
	for {
		batch, keys := b.take()
		if len(batch) == 0 {
			return
		}
		found, err := b.send(context.Background(), keys)
		// Of an error about data it is not known whose data that are.
		apart := err != nil && len(batch) > 1 && !errors.Is(err, accounts.ErrUnavailable)
		for _, r := range batch {
			if apart && !r.left.Load() {
				found, err = b.send(context.Background(), r.keys)
			}
			r.done <- result{found, err}
		}
	}
}

// take removes the longest waiting requests that fit into a batch. When there are none it
// counts a statement less as in flight.
func (b *batches) take() (batch []*request, keys []cacheKey) {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := map[cacheKey]bool{}
	taken := 0
	for _, r := range b.waiting {
		if !r.left.Load() {
			more := slices.DeleteFunc(slices.Clone(r.keys), func(key cacheKey) bool { return known[key] })
			if len(keys) > 0 && len(keys)+len(more) > maxBatchKeys {
				break
			}
			for _, key := range more {
				known[key] = true
			}
			batch, keys = append(batch, r), append(keys, more...)
		}
		taken++
	}
	clear(b.waiting[:taken])
	b.waiting = b.waiting[taken:]
	if len(batch) == 0 {
		b.inFlight--
	}
	return batch, keys
}

// send asks for no longer than patience.
func (b *batches) send(ctx context.Context, keys []cacheKey) (answers, error) {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found, err := b.lookup(limited, keys)
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		return nil, fmt.Errorf("%w: %w", accounts.ErrUnavailable, err)
	}
	return found, err
}
