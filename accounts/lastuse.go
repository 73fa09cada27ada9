package accounts

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// stateTimeout is how long a request waits for the shared state, which it can do without.
const stateTimeout = 250 * time.Millisecond

const (
	// maxPending is how many uses wait to be saved; beyond it they are saved early.
	maxPending = 10_000
	// maxKept bounds them while they cannot be saved: uses of further secrets are not kept.
	maxKept = 10 * maxPending
)

// pendingUses holds this process's uses, the newest of each secret, until they are in the store.
type pendingUses struct {
	mu      sync.Mutex
	uses    map[uuid.UUID]Use
	taken   map[uuid.UUID]Use // the last batch, shown until the next, as a reader may have missed its saving
	failing bool              // the last batch could not be saved
	full    chan struct{}     // wakes [Service.RunUsage] early
}

func newPendingUses() *pendingUses {
	return &pendingUses{uses: map[uuid.UUID]Use{}, full: make(chan struct{}, 1)}
}

func (p *pendingUses) add(use Use) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keep(use)
	// A store that just failed would only be asked again at once.
	if len(p.uses) >= maxPending && !p.failing {
		select {
		case p.full <- struct{}{}:
		default:
		}
	}
}

func (p *pendingUses) keep(use Use) {
	known, ok := p.uses[use.SecretID]
	if (ok && known.At.Before(use.At)) || (!ok && len(p.uses) < maxKept) {
		p.uses[use.SecretID] = use
	}
}

// take begins a new batch and returns the uses of the old one.
func (p *pendingUses) take() []Use {
	p.mu.Lock()
	p.taken, p.uses = p.uses, map[uuid.UUID]Use{}
	taken := p.taken
	p.mu.Unlock()
	return slices.Collect(maps.Values(taken))
}

// giveBack keeps what could not be saved for the next time.
func (p *pendingUses) giveBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	newer := p.uses
	p.uses, p.taken, p.failing = p.taken, nil, true
	for _, use := range newer {
		p.keep(use)
	}
}

func (p *pendingUses) saved() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failing = false
}

// of returns the waiting uses of the accounts.
func (p *pendingUses) of(accounts []uuid.UUID) []Use {
	wanted := make(map[uuid.UUID]bool, len(accounts))
	for _, id := range accounts {
		wanted[id] = true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var uses []Use
	for _, use := range p.taken {
		if wanted[use.AccountID] {
			uses = append(uses, use)
		}
	}
	for _, use := range p.uses {
		if wanted[use.AccountID] {
			uses = append(uses, use)
		}
	}
	return uses
}

// Touch notes that a credential was used for a token, and returns at once. The user agent
// may be any bytes: what is kept of it is valid UTF-8, cut at a character's border.
func (s *Service) Touch(use Use) {
	// A copy: what is kept must not hold on to the whole header.
	use.UserAgent = strings.Clone(strings.ToValidUTF8(use.UserAgent[:min(len(use.UserAgent), MaxUserAgentBytes)], ""))
	s.pending.add(use)
	s.usage.Touch(use)
}

// FlushUsage saves the uses that this process has seen since the last time.
func (s *Service) FlushUsage(ctx context.Context) error {
	taken := s.pending.take()
	if len(taken) == 0 {
		return nil
	}
	if err := s.store.SaveUsage(ctx, taken); err != nil {
		s.pending.giveBack()
		return err
	}
	s.pending.saved()
	return nil
}

// RunUsage saves uses at every interval, or when many wait, until ctx ends. The
// caller flushes once more at shutdown.
func (s *Service) RunUsage(ctx context.Context, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-s.pending.full:
		}
		if err := s.FlushUsage(ctx); err != nil && ctx.Err() == nil {
			s.log.LogAttrs(ctx, slog.LevelWarn, "last uses are not saved yet", slog.Any("error", err))
		}
	}
}

// settleUsage saves what is known of an account's uses before something of it is deleted,
// so that its last use does not go back. Failure must not keep anybody from a cut-off.
func (s *Service) settleUsage(ctx context.Context, accountID uuid.UUID) {
	uses, err := s.ask(ctx, []uuid.UUID{accountID})
	uses = append(uses, s.pending.of([]uuid.UUID{accountID})...)
	if err := errors.Join(err, s.store.SaveUsage(ctx, uses)); err != nil {
		s.log.LogAttrs(ctx, slog.LevelWarn, "last uses are not saved before a deletion", slog.Any("error", err))
	}
}

func (s *Service) ask(ctx context.Context, accounts []uuid.UUID) ([]Use, error) {
	ctx, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	return s.usage.Seen(ctx, accounts)
}

// lastUses answers the newest use of accounts, credentials and secrets, by their ids.
type lastUses struct {
	newest  map[uuid.UUID]LastUse
	unknown bool
}

// seen asks the shared state for what the store does not have yet.
func (s *Service) seen(ctx context.Context, accounts ...uuid.UUID) lastUses {
	known := lastUses{newest: map[uuid.UUID]LastUse{}}
	uses, err := s.ask(ctx, accounts)
	if err != nil {
		s.log.LogAttrs(ctx, slog.LevelWarn, "last uses are not known", slog.Any("error", err))
		known.unknown = true
	}
	for _, use := range append(uses, s.pending.of(accounts)...) {
		for _, id := range []uuid.UUID{use.AccountID, use.CredentialID, use.SecretID} {
			if known.newest[id].At.Before(use.At) {
				known.newest[id] = LastUse{At: use.At, Addr: use.Addr, UserAgent: use.UserAgent}
			}
		}
	}
	return known
}

// merge takes the newer of what is stored and what is seen.
func (l lastUses) merge(id uuid.UUID, stored LastUse) LastUse {
	if newer, ok := l.newest[id]; ok && stored.At.Before(newer.At) {
		return newer
	}
	stored.Unknown = l.unknown && stored.At.IsZero()
	return stored
}
