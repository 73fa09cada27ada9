package redisstate

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/writebehind"
)

// trimLong trims the accounts that have too many records. The set is ordered by expiry, and
// the newest are not always those that expire last, so that they are read. What fails is
// done with the next batch.
func (s *State) trimLong(ctx context.Context, changes []*change) {
	for _, c := range changes {
		if len(c.live) == 0 {
			continue
		}
		if count, ok := c.replies[2].(*redis.IntCmd); ok && count.Val() > trimFrom {
			_ = s.trim(ctx, c.account)
		}
	}
}

func (s *State) trim(ctx context.Context, account uuid.UUID) error {
	key := s.liveKey(account)
	pipe := s.client.Pipeline()
	pipe.ZRemRangeByRank(ctx, key, 0, -trimTo-1)
	all := pipe.ZRange(ctx, key, 0, -1)
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	return s.removeMembers(ctx, key, oldOrUnreadable(account, all.Val()))
}

// oldOrUnreadable returns all but the newest records of the account.
func oldOrUnreadable(account uuid.UUID, members []string) []string {
	type entry struct {
		token  tokens.LiveToken
		member string
	}
	var remove []string
	var entries []entry
	for _, member := range members {
		token, ok := unpackLive(account, member)
		if !ok {
			remove = append(remove, member)
			continue
		}
		entries = append(entries, entry{token, member})
	}
	slices.SortFunc(entries, func(a, b entry) int {
		if order := writebehind.NewestFirst(a.token, b.token); order != 0 {
			return order
		}
		return strings.Compare(a.member, b.member)
	})
	for _, old := range entries[min(len(entries), tokens.MaxLive):] {
		remove = append(remove, old.member)
	}
	return remove
}

func (s *State) removeMembers(ctx context.Context, key string, members []string) error {
	if len(members) == 0 {
		return nil
	}
	removed := make([]any, len(members))
	for i, member := range members {
		removed[i] = member
	}
	return s.client.ZRem(ctx, key, removed...).Err()
}
