package redisstate

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/writebehind"
)

// secretsRead is how many uses of one account are read at most at once.
const secretsRead = 1000

// List implements [tokens.Live]. What cannot be read as a record is passed over.
func (s *State) List(ctx context.Context, account uuid.UUID) ([]tokens.LiveToken, error) {
	ctx, cancel := context.WithTimeout(ctx, s.askTimeout)
	defer cancel()
	now := s.now()
	live := s.queue.LiveOf(account)
	members, err := s.liveMembers(ctx, account, "("+scoreText(now))
	if err != nil {
		return nil, unavailable("list live tokens", err)
	}
	for _, member := range members {
		if token, ok := unpackLive(account, member); ok {
			live = append(live, token)
		}
	}
	return writebehind.Newest(live, now), nil
}

// liveMembers returns the account's records above the score.
func (s *State) liveMembers(ctx context.Context, account uuid.UUID, above string) ([]string, error) {
	if err := s.health.refused(); err != nil {
		return nil, err
	}
	members, err := s.client.ZRangeArgs(ctx, redis.ZRangeArgs{
		Key: s.liveKey(account), Start: "+inf", Stop: above, ByScore: true, Rev: true, Count: trimTo,
	}).Result()
	return members, exceptWrongType(err)
}

// exceptWrongType takes what is no set of ours for nothing. The next write replaces it.
func exceptWrongType(err error) error {
	if codeOf(err) == "WRONGTYPE" {
		return nil
	}
	return err
}

// Seen implements [accounts.Usage].
func (s *State) Seen(ctx context.Context, ids []uuid.UUID) ([]accounts.Use, error) {
	ctx, cancel := context.WithTimeout(ctx, s.askTimeout)
	defer cancel()
	wanted := writebehind.SetOf(ids)
	oldest := s.now().Add(-useLifetime)
	uses := s.queue.UsesOf(wanted)
	distinct := make([]uuid.UUID, 0, len(wanted))
	for id := range wanted {
		distinct = append(distinct, id)
	}
	for part := range slices.Chunk(distinct, chunk) {
		found, err := s.readUses(ctx, part)
		if err != nil {
			return nil, unavailable("read last uses", err)
		}
		uses = append(uses, found...)
	}
	uses = slices.DeleteFunc(uses, func(use accounts.Use) bool { return use.At.Before(oldest) })
	return writebehind.NewestUses(uses), nil
}

func (s *State) readUses(ctx context.Context, ids []uuid.UUID) ([]accounts.Use, error) {
	if err := s.health.refused(); err != nil {
		return nil, err
	}
	pipe := s.client.Pipeline()
	replies := make([]*redis.StringSliceCmd, len(ids))
	for i, id := range ids {
		replies[i] = pipe.ZRange(ctx, s.usesKey(id), 0, secretsRead-1)
	}
	_, _ = pipe.Exec(ctx) // each reply has its own error
	var uses []accounts.Use
	for i, id := range ids {
		if err := exceptWrongType(replies[i].Err()); err != nil {
			return nil, err
		}
		for _, member := range replies[i].Val() {
			if use, ok := unpackUse(id, member); ok {
				uses = append(uses, use)
			}
		}
	}
	return uses, nil
}

// Forget implements [tokens.Live]. It waits for a batch on its way.
func (s *State) Forget(ctx context.Context, account uuid.UUID, jti string) error {
	err := s.queue.Forget(ctx, account, jti, func() error {
		ctx, cancel := context.WithTimeout(ctx, s.askTimeout)
		defer cancel()
		members, err := s.liveMembers(ctx, account, "-inf")
		if err != nil {
			return err
		}
		members = slices.DeleteFunc(members, func(member string) bool {
			token, ok := unpackLive(account, member)
			return !ok || token.JTI != jti
		})
		return s.removeMembers(ctx, s.liveKey(account), members)
	})
	if err != nil {
		return unavailable("forget a live token", err)
	}
	return nil
}

// Erase implements [accounts.Usage]; the records of live tokens go too. What another replica
// still has in its queue comes after it, is never shown, and expires by itself.
func (s *State) Erase(ctx context.Context, ids []uuid.UUID) error {
	if err := s.queue.Erase(ctx, ids, func(some []uuid.UUID) error { return s.erase(ctx, some) }); err != nil {
		return unavailable("erase accounts", err)
	}
	return nil
}

func (s *State) erase(ctx context.Context, ids []uuid.UUID) error {
	if err := s.health.refused(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.askTimeout)
	defer cancel()
	pipe := s.client.Pipeline()
	for _, id := range ids {
		pipe.Unlink(ctx, s.liveKey(id))
		pipe.Unlink(ctx, s.usesKey(id))
	}
	_, err := pipe.Exec(ctx)
	return err
}
