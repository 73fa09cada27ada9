package localstate

import (
	"context"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/sqldb"
	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/writebehind"
)

const (
	// pause after a batch lets the next one fill: one transaction costs as much as the records
	// of a hundred tokens. It is also what a crash can lose.
	pause        = 250 * time.Millisecond
	maxBackoff   = 5 * time.Second
	writeTimeout = 5 * time.Second

	// trimEvery: on average each such record has the others of its account trimmed. To look
	// every time would cost more than the insert, and to count accounts would cost memory.
	trimEvery = 256
)

// write is safe to repeat when nobody knows whether it was committed. What fails, fails whole.
func (s *State) write(ctx context.Context, b *writebehind.Batch) (left *writebehind.Batch, err error) {
	if b.Size() == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	// The transaction ends with ctx. That each statement watches it too would cost a goroutine each.
	quiet := context.WithoutCancel(ctx)
	err = s.db.Write(ctx, func(tx *sqldb.Tx) error {
		if err := insertLive(quiet, tx, b.Live); err != nil {
			return fmt.Errorf("write live tokens: %w", err)
		}
		if err := trim(quiet, tx, s.dueForTrim(b.Live)); err != nil {
			return fmt.Errorf("trim live tokens: %w", err)
		}
		if err := upsertUses(quiet, tx, b.Uses); err != nil {
			return fmt.Errorf("write last uses: %w", err)
		}
		return nil
	})
	if err != nil {
		return b, err
	}
	return nil, nil
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
