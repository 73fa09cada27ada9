package localstate

import (
	"context"
	"encoding/json"
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
	// pause after a batch lets the next one fill: a transaction costs as much as ten rows.
	pause        = 20 * time.Millisecond
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
	s.mu.Lock()
	dropped := 1
	if !s.closed {
		dropped = s.queue.add(token)
	}
	s.mu.Unlock()
	s.queued(dropped)
}

// Touch implements [accounts.Usage].
func (s *State) Touch(use accounts.Use) {
	use.At = stored(use.At)
	s.mu.Lock()
	dropped := 1
	if !s.closed {
		dropped = s.queue.touch(use)
	}
	s.mu.Unlock()
	s.queued(dropped)
}

// queued wakes the writer.
func (s *State) queued(dropped int) {
	s.dropped.Add(uint64(dropped))
	select {
	case s.wake <- struct{}{}:
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
		wait := pause
		err := s.flush(ctx)
		if err != nil {
			wait = min(max(2*backoff, firstBackoff), lastBackoff)
			s.queued(0)
		}
		s.logTurn(ctx, err, backoff > 0)
		backoff = wait
		if err == nil {
			backoff = 0
		}
		if !s.sleep(wait) {
			return
		}
	}
}

func (s *State) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.stop:
		return false
	}
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
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if err := insertLive(ctx, tx, b.live); err != nil {
			return fmt.Errorf("write live tokens: %w", err)
		}
		if err := trim(ctx, tx, s.dueForTrim(b.live)); err != nil {
			return fmt.Errorf("trim live tokens: %w", err)
		}
		if err := upsertUses(ctx, tx, b.uses); err != nil {
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

const insertLiveSQL = `INSERT INTO live_tokens
	(account_id, issued_at, jti, expires_at, credential_id, client_id, scope, audience, gen, secret_seq)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
	ON CONFLICT (account_id, issued_at, jti) DO NOTHING`

func insertLive(ctx context.Context, tx *sqldb.Tx, live []tokens.LiveToken) error {
	if len(live) == 0 {
		return nil
	}
	stmt, err := tx.PrepareContext(ctx, insertLiveSQL)
	if err != nil {
		return err
	}
	defer func() { _ = stmt.Close() }()
	for i := range live {
		t := &live[i]
		audience, err := json.Marshal(t.Audience)
		if err != nil {
			return err
		}
		if _, err := stmt.ExecContext(ctx, t.AccountID[:], sqldb.Micros(t.IssuedAt), t.JTI, sqldb.Micros(t.ExpiresAt),
			t.CredentialID[:], t.ClientID, t.Scope, string(audience), t.Gen, t.SecretSeq); err != nil {
			return err
		}
	}
	return nil
}

func trim(ctx context.Context, tx *sqldb.Tx, due map[uuid.UUID]bool) error {
	for account := range due {
		if _, err := tx.ExecContext(ctx, `DELETE FROM live_tokens WHERE account_id = $1 AND (issued_at, jti) <= (
			SELECT issued_at, jti FROM live_tokens WHERE account_id = $1
			ORDER BY issued_at DESC, jti DESC LIMIT 1 OFFSET $2)`, account[:], tokens.MaxLive); err != nil {
			return err
		}
	}
	return nil
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
