package redisstate

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/writebehind"
)

const (
	// chunk is how many records, or uses, go to Redis at once: few enough for the time-out.
	chunk = 256
	// kept is how long a key outlives the last of its content, so that a wrong clock of Redis
	// loses nothing.
	kept = 48 * time.Hour
	// useLifetime is how long a last use is kept: the store has it long before.
	useLifetime = 24 * time.Hour
	// trimFrom records of an account are trimmed to [tokens.MaxLive]. More than trimTo are
	// never read.
	trimFrom = 2 * tokens.MaxLive
	trimTo   = 4 * tokens.MaxLive
)

// change is what one key gets, and what of a batch that is.
type change struct {
	key     string
	put     func(pipe redis.Pipeliner)
	account uuid.UUID
	live    []tokens.LiveToken
	uses    []accounts.Use
	replies []redis.Cmder
}

func (c *change) err() error {
	for _, reply := range c.replies {
		if err := reply.Err(); err != nil {
			return err
		}
	}
	return nil
}

// write is safe to repeat when nobody knows whether it was done: a record that is there
// already stays as it is.
func (s *State) write(ctx context.Context, b *writebehind.Batch) (left *writebehind.Batch, err error) {
	wasFailing := s.health.failing()
	defer func() { s.health.wrote(err) }()
	if err := s.health.refused(); err != nil {
		return b, err
	}
	told, shareErr := s.share(ctx)
	if b.Size() == 0 {
		if wasFailing && told == 0 {
			return nil, s.ping(ctx)
		}
		return nil, faultOf(shareErr)
	}
	// In a cluster one node may be gone alone, so that the records are tried all the same.
	rest := writebehind.NewBatch(b.Size())
	err = faultOf(cmp.Or(s.writeBatch(ctx, b, &rest), shareErr))
	if rest.Size() == 0 {
		return nil, err
	}
	return &rest, err
}

// ping finds out whether Redis is back when there is nothing to write.
func (s *State) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.batchTimeout)
	defer cancel()
	return faultOf(s.client.Ping(ctx).Err())
}

// writeBatch collects in rest what was not written, and returns the first reason.
func (s *State) writeBatch(ctx context.Context, b, rest *writebehind.Batch) error {
	now := s.now()
	uses := make([]accounts.Use, 0, len(b.Uses))
	for _, use := range b.Uses {
		uses = append(uses, use)
	}
	var chunks [][]*change
	for part := range slices.Chunk(b.Live, chunk) {
		chunks = append(chunks, s.liveChanges(part, now))
	}
	for part := range slices.Chunk(uses, chunk) {
		chunks = append(chunks, s.useChanges(part))
	}
	var first error
	gone := false
	for _, changes := range chunks {
		var err error
		if !gone {
			err = s.apply(ctx, changes)
			gone = err != nil && !slices.ContainsFunc(changes, func(c *change) bool { return c.err() == nil })
		}
		for _, c := range changes {
			if gone || c.err() != nil {
				c.putBack(rest)
			}
		}
		if first == nil {
			first = err
		}
	}
	return first
}

func (c *change) putBack(rest *writebehind.Batch) {
	for _, token := range c.live {
		rest.Add(token)
	}
	for _, use := range c.uses {
		rest.Touch(use)
	}
}

// liveChanges passes over what has expired while it waited.
func (s *State) liveChanges(live []tokens.LiveToken, now time.Time) []*change {
	byAccount := map[uuid.UUID]*change{}
	var changes []*change
	for _, token := range live {
		if !token.ExpiresAt.After(now) {
			continue
		}
		c, known := byAccount[token.AccountID]
		if !known {
			c = &change{key: s.liveKey(token.AccountID), account: token.AccountID}
			c.put = func(pipe redis.Pipeliner) { c.putLive(pipe, now) }
			byAccount[token.AccountID] = c
			changes = append(changes, c)
		}
		c.live = append(c.live, token)
	}
	return changes
}

// putLive counts the records in its third reply.
func (c *change) putLive(pipe redis.Pipeliner, now time.Time) {
	ctx := context.Background() // the pipe has its own when it is sent
	members := make([]redis.Z, len(c.live))
	last := now
	for i := range c.live {
		token := &c.live[i]
		members[i] = redis.Z{Score: score(token.ExpiresAt), Member: packLive(token)}
		if token.ExpiresAt.After(last) {
			last = token.ExpiresAt
		}
	}
	pipe.ZAdd(ctx, c.key, members...)
	pipe.ZRemRangeByScore(ctx, c.key, "-inf", scoreText(now))
	pipe.ZCard(ctx, c.key)
	pipe.PExpire(ctx, c.key, last.Sub(now)+kept)
}

// score is a time in microseconds, which a float holds exactly until the year 2255.
func score(t time.Time) float64 { return float64(t.UnixMicro()) }

func scoreText(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 10) }

func (s *State) useChanges(uses []accounts.Use) []*change {
	byAccount := map[uuid.UUID]*change{}
	var changes []*change
	for _, use := range uses {
		c, known := byAccount[use.AccountID]
		if !known {
			c = &change{key: s.usesKey(use.AccountID), account: use.AccountID}
			c.put = c.putUses
			byAccount[use.AccountID] = c
			changes = append(changes, c)
		}
		c.uses = append(c.uses, use)
	}
	return changes
}

// putUses adds uses and removes the older ones of the same secrets. Replicas may do so in
// any order: the newest use is never removed, and one that comes late goes with the next.
func (c *change) putUses(pipe redis.Pipeliner) {
	ctx := context.Background()
	members := make([]redis.Z, len(c.uses))
	for i := range c.uses {
		members[i] = redis.Z{Member: packUse(&c.uses[i])}
	}
	pipe.ZAdd(ctx, c.key, members...)
	for i := range c.uses {
		use := &c.uses[i]
		pipe.ZRemRangeByLex(ctx, c.key, "["+string(use.SecretID[:]), "("+string(usePrefix(use.SecretID, use.At)))
	}
	pipe.PExpire(ctx, c.key, useLifetime+kept)
}

// apply makes the changes and returns the first failure; each change knows its own. What
// else stands under a key of ours is removed.
func (s *State) apply(ctx context.Context, changes []*change) error {
	ctx, cancel := context.WithTimeout(ctx, s.batchTimeout)
	defer cancel()
	err := s.send(ctx, changes)
	if err == nil {
		s.trimLong(ctx, changes)
		return nil
	}
	var spoilt []*change
	for _, c := range changes {
		if codeOf(c.err()) == "WRONGTYPE" {
			spoilt = append(spoilt, c)
		}
	}
	if len(spoilt) == 0 {
		return err
	}
	pipe := s.client.Pipeline()
	for _, c := range spoilt {
		pipe.Unlink(ctx, c.key)
	}
	_, unlinkErr := pipe.Exec(ctx)
	if err := errors.Join(unlinkErr, s.send(ctx, spoilt)); err != nil {
		return err
	}
	return firstErr(changes)
}

func (s *State) send(ctx context.Context, changes []*change) error {
	if len(changes) == 0 {
		return nil
	}
	pipe := s.client.Pipeline()
	ends := make([]int, len(changes))
	for i, c := range changes {
		c.put(pipe)
		ends[i] = pipe.Len()
	}
	replies, err := pipe.Exec(ctx)
	begin := 0
	for i, c := range changes {
		c.replies = replies[begin:ends[i]]
		begin = ends[i]
	}
	return err
}

func firstErr(changes []*change) error {
	for _, c := range changes {
		if err := c.err(); err != nil {
			return err
		}
	}
	return nil
}
