package redisstate

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// oldest is the first version of Redis that has all that is used here.
	oldest = 7

	// openTimeout keeps a server that does not answer from delaying the start.
	openTimeout = 100 * time.Millisecond
	// lookAgain is how soon a server is looked at again that did not answer.
	lookAgain = 5 * time.Second
)

// runChecks looks at the server every interval until ctx ends.
func (s *State) runChecks(ctx context.Context, interval time.Duration) {
	for {
		wait := interval
		if s.health.unseen() {
			wait = min(interval, lookAgain)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if err := s.check(ctx, s.askTimeout); err != nil {
			s.log.LogAttrs(ctx, slog.LevelError, "Redis is not used: each replica is on its own", slog.Any("error", err))
		}
	}
}

// check notes and logs what is wrong with the servers' settings, and returns an error when
// one of them is too old. A server that does not answer is left to the next time.
func (s *State) check(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var mu sync.Mutex
	var problems []string
	var tooOld error
	err := s.eachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		found, old, err := inspect(ctx, node)
		mu.Lock()
		defer mu.Unlock()
		problems = append(problems, found...)
		if old != nil {
			tooOld = old
		}
		return err
	})
	slices.Sort(problems)
	problems = slices.Compact(problems)
	s.health.looked(problems, tooOld, faultOf(err))
	for _, problem := range problems {
		s.log.LogAttrs(ctx, slog.LevelWarn, "Redis is not set up well", slog.String("problem", problem))
	}
	return tooOld
}

// inspect asks one server about itself.
func inspect(ctx context.Context, node *redis.Client) (problems []string, tooOld, err error) {
	pipe := node.Pipeline()
	// One section at a time: older servers know it no other way, and are to say their version.
	sections := []*redis.StringCmd{pipe.Info(ctx, "server"), pipe.Info(ctx, "memory"), pipe.Info(ctx, "replication")}
	if _, err := pipe.Exec(ctx); err != nil {
		if codeOf(err) == "NOPERM" {
			return []string{"its user may not run INFO, so that version and maxmemory-policy are not known"}, nil, nil
		}
		return nil, nil, err
	}
	facts := map[string]string{}
	for _, section := range sections {
		for line := range strings.Lines(section.Val()) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			facts[name] = value
		}
	}
	if err := versionProblem(facts); err != nil {
		return nil, err, nil
	}
	if policy := facts["maxmemory_policy"]; policy != "noeviction" {
		problems = append(problems, fmt.Sprintf("maxmemory-policy is %s: set it to noeviction, or what is kept there vanishes", word(policy)))
	}
	if facts["role"] == "slave" {
		problems = append(problems, "it is a read-only replica: name its master in the URL, or use Sentinel")
	}
	return problems, nil, nil
}

// versionProblem is nil for Valkey, all of whose versions will do, and for a server that
// does not tell.
func versionProblem(facts map[string]string) error {
	version := facts["redis_version"]
	major, err := strconv.Atoi(strings.SplitN(version, ".", 2)[0])
	if facts["valkey_version"] != "" || err != nil || major >= oldest {
		return nil
	}
	return fmt.Errorf("the server is Redis %s: %d.0 or newer, or Valkey, is needed", word(version), oldest)
}

var plainWord = regexp.MustCompile(`^[a-z0-9.-]{1,32}$`)

// word keeps what a server says of itself out of the log unless it is plain.
func word(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "unknown"
}

// health is what is known of Redis.
type health struct {
	mu       sync.Mutex
	writeErr error // of the last batch
	lookErr  error // of the last look
	tooOld   error
	problems []string
}

func (h *health) wrote(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writeErr = err
}

func (h *health) failing() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.writeErr != nil
}

// looked keeps what an earlier look found when this one got no answer.
func (h *health) looked(problems []string, tooOld, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lookErr = err
	if err == nil {
		h.problems, h.tooOld = problems, tooOld
	}
}

// unseen reports whether the last look got no answer.
func (h *health) unseen() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lookErr != nil
}

// refused returns an error while the server is not to be used.
func (h *health) refused() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tooOld == nil {
		return nil
	}
	return &fault{words: h.tooOld.Error(), cause: h.tooOld}
}

// Report says in one line whether Redis is in order, without waiting for it: "ok", or what
// is wrong. It holds no secret.
func (s *State) Report() string {
	s.health.mu.Lock()
	wrong := []error{s.health.tooOld, s.health.writeErr, s.health.lookErr}
	parts := slices.Clone(s.health.problems)
	s.health.mu.Unlock()
	var main []string
	for _, err := range wrong {
		if err != nil {
			main = append(main, fmt.Sprintf("%v; %d wait, %d were dropped", err, s.Waiting(), s.Dropped()))
			break
		}
	}
	if parts = append(main, parts...); len(parts) > 0 {
		return strings.Join(parts, "; ")
	}
	return "ok"
}
