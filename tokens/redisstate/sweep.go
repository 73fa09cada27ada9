package redisstate

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

const (
	// sweepEvery: what an account has is trimmed when it is written and goes when its key
	// expires, so that looking at all of them is seldom worth it.
	sweepEvery = time.Hour
	scanCount  = 512
)

// sweeps remembers when all keys were last looked at.
type sweeps struct {
	mu   sync.Mutex
	last time.Time
}

// Sweep removes records of expired tokens and old last uses, and counts them. It looks at
// all keys at most once an hour.
func (s *State) Sweep(ctx context.Context) (int, error) {
	s.sweeps.mu.Lock()
	defer s.sweeps.mu.Unlock()
	now := s.now()
	if since := now.Sub(s.sweeps.last); since >= 0 && since < sweepEvery {
		return 0, nil
	}
	var removed atomic.Int64
	err := s.health.refused()
	if err == nil {
		err = s.eachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			return s.sweepNode(ctx, node, now, &removed)
		})
	}
	if err != nil {
		return int(removed.Load()), unavailable("sweep", err)
	}
	s.sweeps.last = now
	return int(removed.Load()), nil
}

func (s *State) sweepNode(ctx context.Context, node *redis.Client, now time.Time, removed *atomic.Int64) error {
	var cursor uint64
	for {
		keys, next, err := s.scan(ctx, node, cursor)
		if err != nil {
			return err
		}
		n, err := s.sweepKeys(ctx, node, keys, now)
		removed.Add(n)
		if err != nil || next == 0 {
			return err
		}
		cursor = next
	}
}

func (s *State) scan(ctx context.Context, node *redis.Client, cursor uint64) (keys []string, next uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.askTimeout)
	defer cancel()
	return node.Scan(ctx, cursor, s.prefix+":{*", scanCount).Result()
}

// sweepKeys passes over keys that are something else, and those that have moved to another node.
func (s *State) sweepKeys(ctx context.Context, node *redis.Client, keys []string, now time.Time) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, s.askTimeout)
	defer cancel()
	pipe := node.Pipeline()
	var counts []*redis.IntCmd
	uses := map[string]*redis.StringSliceCmd{}
	for _, key := range keys {
		switch _, kind := s.splitKey(key); kind {
		case "live":
			counts = append(counts, pipe.ZRemRangeByScore(ctx, key, "-inf", scoreText(now)))
		case "uses":
			uses[key] = pipe.ZRange(ctx, key, 0, secretsRead-1)
		}
	}
	if pipe.Len() == 0 {
		return 0, nil
	}
	if _, err := pipe.Exec(ctx); err != nil && codeOf(err) == "" {
		return 0, err
	}
	second := node.Pipeline()
	for key, members := range uses {
		if old := s.oldUses(key, members.Val(), now.Add(-useLifetime)); len(old) > 0 {
			counts = append(counts, second.ZRem(ctx, key, old...))
		}
	}
	if second.Len() > 0 {
		if _, err := second.Exec(ctx); err != nil && codeOf(err) == "" {
			return 0, err
		}
	}
	total := int64(0)
	for _, count := range counts {
		total += count.Val()
	}
	return total, nil
}

func (s *State) oldUses(key string, members []string, before time.Time) []any {
	account, _ := s.splitKey(key)
	var old []any
	for _, member := range members {
		if use, ok := unpackUse(account, member); ok && use.At.Before(before) {
			old = append(old, member)
		}
	}
	return old
}

// splitKey returns whose key it is and of which kind; the kind is "" when it is none of ours.
func (s *State) splitKey(key string) (account uuid.UUID, kind string) {
	rest, ours := strings.CutPrefix(key, s.prefix+":{")
	id, kind, whole := strings.Cut(rest, "}:")
	account, err := uuid.Parse(id)
	if !ours || !whole || err != nil || account.String() != id {
		return uuid.Nil, ""
	}
	return account, kind
}
