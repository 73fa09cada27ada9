package redisstate

import (
	"context"
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/signet-issuer/signet/tokens/limits"
)

const (
	// shareMost is how many windows are told with one batch.
	shareMost = 256
	// windowKept is how long a window outlives its end.
	windowKept = time.Minute
)

// share tells the other replicas what the limiter has counted here, and learns what they
// have. Each replica writes a field of its own with its whole count, so that nothing is
// counted twice when a batch is repeated. It returns how many windows it told.
func (s *State) share(ctx context.Context) (told int, err error) {
	windows := s.limits.Changed(shareMost)
	if len(windows) == 0 {
		return 0, nil
	}
	changes := make([]*change, len(windows))
	for i, w := range windows {
		c := &change{key: s.limitKey(w.Key)}
		c.put = func(pipe redis.Pipeliner) { s.putWindow(pipe, c.key, w) }
		changes[i] = c
	}
	err = s.apply(ctx, changes)
	var untold []limits.Window
	for i, c := range changes {
		if c.err() != nil {
			untold = append(untold, windows[i])
			continue
		}
		if fields, ok := c.replies[2].(*redis.MapStringStringCmd); ok {
			s.limits.Learn(windows[i].Key, s.othersOf(fields.Val()))
		}
	}
	s.limits.Untold(untold)
	if len(windows) == shareMost {
		s.queue.Wake()
	}
	return len(windows), err
}

func (s *State) limitKey(key limits.Key) string {
	return s.prefix + ":limit:" + base64.RawURLEncoding.EncodeToString(key[:])
}

// putWindow reads the windows of all replicas in its third reply.
func (s *State) putWindow(pipe redis.Pipeliner, key string, w limits.Window) {
	ctx := context.Background()
	pipe.HSet(ctx, key, s.node, packWindow(w))
	pipe.PExpire(ctx, key, w.Length+windowKept)
	pipe.HGetAll(ctx, key)
}

func (s *State) othersOf(fields map[string]string) []limits.Window {
	var others []limits.Window
	for node, text := range fields {
		if w, ok := unpackWindow(text); ok && node != s.node {
			others = append(others, w)
		}
	}
	return others
}

func packWindow(w limits.Window) string {
	return fmt.Sprintf("%d %d %d", version, w.Ends.UnixMicro(), w.Used)
}

func unpackWindow(text string) (w limits.Window, ok bool) {
	parts := strings.Split(text, " ")
	if len(parts) != 3 || parts[0] != strconv.Itoa(version) {
		return w, false
	}
	ends, endsErr := strconv.ParseInt(parts[1], 10, 64)
	used, usedErr := strconv.ParseUint(parts[2], 10, 31)
	if endsErr != nil || usedErr != nil || used > math.MaxInt32 {
		return w, false
	}
	return limits.Window{Ends: time.UnixMicro(ends), Used: int(used)}, true
}
