package localstate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/sqldb"
	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/writebehind"
)

// useLifetime is how long a last use is kept: the store has it long before.
const useLifetime = 24 * time.Hour

// chunk is how much one transaction of Erase or Sweep takes, so that batches get their turn.
const chunk = 1000

// List implements [tokens.Live].
func (s *State) List(ctx context.Context, account uuid.UUID) ([]tokens.LiveToken, error) {
	now := s.now()
	queued := s.queue.LiveOf(account)
	var written []tokens.LiveToken
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		var err error
		written, err = selectLive(ctx, tx, account, now)
		return err
	})
	if err != nil {
		return nil, unavailable("list live tokens", err)
	}
	return writebehind.Newest(append(queued, written...), now), nil
}

// Seen implements [accounts.Usage].
func (s *State) Seen(ctx context.Context, ids []uuid.UUID) ([]accounts.Use, error) {
	wanted := writebehind.SetOf(ids)
	queued := s.queue.UsesOf(wanted)
	var written []accounts.Use
	err := s.db.Read(ctx, func(tx *sqldb.Tx) error {
		var err error
		written, err = selectUses(ctx, tx, wanted)
		return err
	})
	if err != nil {
		return nil, unavailable("read last uses", err)
	}
	return writebehind.NewestUses(append(queued, written...)), nil
}

func selectUses(ctx context.Context, tx *sqldb.Tx, wanted map[uuid.UUID]bool) ([]accounts.Use, error) {
	stmt, err := tx.PrepareContext(ctx, `SELECT secret_id, credential_id, used_at, addr, user_agent FROM last_uses WHERE account_id = $1`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = stmt.Close() }()
	var uses []accounts.Use
	for account := range wanted {
		found, err := selectUsesOf(ctx, stmt, account)
		if err != nil {
			return nil, err
		}
		uses = append(uses, found...)
	}
	return uses, nil
}

func selectUsesOf(ctx context.Context, stmt *sql.Stmt, account uuid.UUID) ([]accounts.Use, error) {
	rows, err := stmt.QueryContext(ctx, account[:])
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var uses []accounts.Use
	for rows.Next() {
		use := accounts.Use{AccountID: account}
		var at int64
		var addr string
		if err := rows.Scan(&use.SecretID, &use.CredentialID, &at, &addr, &use.UserAgent); err != nil {
			return nil, err
		}
		if addr != "" {
			if use.Addr, err = netip.ParseAddr(addr); err != nil {
				return nil, errors.New("address of a last use is damaged")
			}
		}
		use.At = sqldb.FromMicros(at)
		uses = append(uses, use)
	}
	return uses, rows.Err()
}

// Forget implements [tokens.Live]. It waits for a batch on its way.
func (s *State) Forget(ctx context.Context, account uuid.UUID, jti string) error {
	err := s.queue.Forget(ctx, account, jti, func() error {
		return s.db.Write(ctx, func(tx *sqldb.Tx) error { return deleteLive(ctx, tx, account, jti) })
	})
	if err != nil {
		return unavailable("forget a live token", err)
	}
	return nil
}

// Erase implements [accounts.Usage]; the records of live tokens go too.
func (s *State) Erase(ctx context.Context, ids []uuid.UUID) error {
	if err := s.queue.Erase(ctx, ids, func(some []uuid.UUID) error { return s.erase(ctx, some) }); err != nil {
		return unavailable("erase accounts", err)
	}
	return nil
}

func (s *State) erase(ctx context.Context, ids []uuid.UUID) error {
	return s.db.Write(ctx, func(tx *sqldb.Tx) error {
		for _, query := range []string{`DELETE FROM live_packs WHERE account_id = $1`, `DELETE FROM last_uses WHERE account_id = $1`} {
			if err := execEach(ctx, tx, query, ids); err != nil {
				return err
			}
		}
		return nil
	})
}

func execEach(ctx context.Context, tx *sqldb.Tx, query string, ids []uuid.UUID) error {
	stmt, err := tx.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { _ = stmt.Close() }()
	for _, id := range ids {
		if _, err := stmt.ExecContext(ctx, id[:]); err != nil {
			return err
		}
	}
	return nil
}

// Sweep removes records of expired tokens and old last uses, and counts them.
func (s *State) Sweep(ctx context.Context) (int, error) {
	now := s.now()
	live, err := s.sweep(ctx, `DELETE FROM live_packs WHERE id IN (
		SELECT id FROM live_packs WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`, now)
	if err != nil {
		return live, unavailable("sweep live tokens", err)
	}
	uses, err := s.sweep(ctx, `DELETE FROM last_uses WHERE (account_id, secret_id) IN (
		SELECT account_id, secret_id FROM last_uses WHERE used_at < $1 LIMIT $2)`, now.Add(-useLifetime))
	if err != nil {
		return live + uses, unavailable("sweep last uses", err)
	}
	return live + uses, nil
}

func (s *State) sweep(ctx context.Context, query string, before time.Time) (total int, err error) {
	for {
		var removed int64
		err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
			result, err := tx.ExecContext(ctx, query, sqldb.Micros(before), chunk)
			if err != nil {
				return err
			}
			removed, err = result.RowsAffected()
			return err
		})
		if err != nil {
			return total, err
		}
		total += int(removed)
		if removed < chunk {
			return total, nil
		}
	}
}

// unavailable is every failure of a reader: of a state that keeps no truth, nobody needs to
// know more than that it does not answer.
func unavailable(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", accounts.ErrUnavailable, what, err)
}
