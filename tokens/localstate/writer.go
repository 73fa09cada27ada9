package localstate

import (
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/sqldb"
	"github.com/signet-issuer/signet/tokens"
)

const (
	// pause after a batch lets the next one fill: one transaction costs as much as the records
	// of a hundred tokens. It is also what a crash can lose.
	pause        = 250 * time.Millisecond
	firstBackoff = 50 * time.Millisecond
	lastBackoff  = 5 * time.Second
	writeTimeout = 5 * time.Second

	// trimEvery: on average each such record has the others of its account trimmed. To look
	// every time would cost more than the insert, and to count accounts would cost memory.
	trimEvery = 256
)

// Add implements [tokens.Live].
func (s *State) Add(token tokens.LiveToken) {
	token.IssuedAt, token.ExpiresAt = stored(token.IssuedAt), stored(token.ExpiresAt)
	s.enqueue(func() (dropped int) { return s.queue.add(token) })
}

// Touch implements [accounts.Usage].
func (s *State) Touch(use accounts.Use) {
	use.At = stored(use.At)
	s.enqueue(func() (dropped int) { return s.queue.touch(use) })
}

// enqueue lets put change the queue and tells the writer. A closed state takes nothing.
func (s *State) enqueue(put func() (dropped int)) {
	s.mu.Lock()
	dropped, filling := 1, false
	if !s.closed {
		dropped, filling = put(), s.queue.filling()
	}
	s.mu.Unlock()
	if dropped > 0 {
		s.dropped.Add(uint64(dropped))
	}
	signal(s.wake)
	if filling {
		signal(s.hurry)
	}
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run writes whenever something is queued, until stop. Only then does it need a timer.
func (s *State) run(ctx context.Context) {
	defer close(s.stopped)
	backoff := time.Duration(0)
	for {
		select {
		case <-s.wake:
		case <-s.stop:
			return
		}
		err := s.flush(ctx)
		s.logTurn(ctx, err, backoff > 0)
		wait, hurry := pause, s.hurry
		if err != nil {
			// What fails is not tried more often because more waits.
			wait, hurry = min(max(2*backoff, firstBackoff), lastBackoff), nil
			backoff = wait
			signal(s.wake)
		} else {
			backoff = 0
		}
		if !s.sleep(wait, hurry) {
			return
		}
	}
}

// sleep ends early on hurry. It reports whether the state goes on.
func (s *State) sleep(d time.Duration, hurry <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-hurry:
	case <-s.stop:
		return false
	}
	return true
}

// logTurn tells when writing begins to fail and when it works again, not each time.
func (s *State) logTurn(ctx context.Context, err error, failing bool) {
	switch {
	case err != nil && !failing:
		s.log.LogAttrs(ctx, slog.LevelWarn, "the state is not written: it waits in memory", slog.Any("error", err))
	case err == nil && failing:
		s.log.LogAttrs(ctx, slog.LevelInfo, "the state is written again", slog.Uint64("dropped", s.Dropped()))
	}
}

// flush writes what is queued, in one transaction. What was not written is queued again.
func (s *State) flush(ctx context.Context) error {
	release, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	s.mu.Lock()
	s.queue, s.inFlight = s.inFlight, s.queue
	s.mu.Unlock()

	limited, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	err = s.write(limited, &s.inFlight)

	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.dropped.Add(uint64(s.queue.putBack(&s.inFlight)))
	}
	s.inFlight.clear()
	return err
}

// acquire waits for the right to write.
func (s *State) acquire(ctx context.Context) (release func(), err error) {
	select {
	case s.writing <- struct{}{}:
		return func() { <-s.writing }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// write is safe to repeat when nobody knows whether it was committed.
func (s *State) write(ctx context.Context, b *batch) error {
	if b.size() == 0 {
		return nil
	}
	// The transaction ends with ctx. That each statement watches it too would cost a goroutine each.
	quiet := context.WithoutCancel(ctx)
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if err := insertLive(quiet, tx, b.live); err != nil {
			return fmt.Errorf("write live tokens: %w", err)
		}
		if err := trim(quiet, tx, s.dueForTrim(b.live)); err != nil {
			return fmt.Errorf("trim live tokens: %w", err)
		}
		if err := upsertUses(quiet, tx, b.uses); err != nil {
			return fmt.Errorf("write last uses: %w", err)
		}
		return nil
	})
}

// dueForTrim names the accounts whose records are trimmed with this batch: the more an
// account adds, the more often.
func (s *State) dueForTrim(live []tokens.LiveToken) map[uuid.UUID]bool {
	due := map[uuid.UUID]bool{}
	for i := range live {
		if maphash.String(s.seed, live[i].JTI)%trimEvery == 0 {
			due[live[i].AccountID] = true
		}
	}
	return due
}

const upsertUseSQL = `INSERT INTO last_uses (account_id, secret_id, credential_id, used_at, addr, user_agent)
	VALUES ($1, $2, $3, $4, $5, $6)
	ON CONFLICT (account_id, secret_id) DO UPDATE SET credential_id = excluded.credential_id,
		used_at = excluded.used_at, addr = excluded.addr, user_agent = excluded.user_agent
	WHERE excluded.used_at > last_uses.used_at`

func upsertUses(ctx context.Context, tx *sqldb.Tx, uses map[uuid.UUID]accounts.Use) error {
	if len(uses) == 0 {
		return nil
	}
	stmt, err := tx.PrepareContext(ctx, upsertUseSQL)
	if err != nil {
		return err
	}
	defer func() { _ = stmt.Close() }()
	for _, use := range uses {
		addr := ""
		if use.Addr.IsValid() {
			addr = use.Addr.String()
		}
		if _, err := stmt.ExecContext(ctx, use.AccountID[:], use.SecretID[:], use.CredentialID[:],
			sqldb.Micros(use.At), addr, use.UserAgent); err != nil {
			return err
		}
	}
	return nil
}
