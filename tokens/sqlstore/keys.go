package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
	"github.com/signet-issuer/signet/internal/sqldb"
	"github.com/signet-issuer/signet/tokens"
)

// KeySet implements [tokens.Store].
func (s *Store) KeySet(ctx context.Context) (tokens.KeySet, error) {
	set, err := readKeySet(ctx, s.db)
	return set, translate(err)
}

// ChangeKeys implements [tokens.Store].
func (s *Store) ChangeKeys(ctx context.Context, actor authz.Principal, receipt audit.Receipt,
	fn func(tokens.KeySet) ([]tokens.StoredKey, audit.Event, error),
) (tokens.KeySet, error) {
	var set tokens.KeySet
	err := s.db.Write(ctx, func(tx *sqldb.Tx) error {
		var err error
		if set, err = readKeySet(ctx, tx); err != nil {
			return err
		}
		changed, event, err := fn(set)
		if err != nil || len(changed) == 0 {
			return err
		}
		if err := saveKeys(ctx, tx, set, changed); err != nil {
			return err
		}
		if err := audit.Append(ctx, tx, event.By(actor)); err != nil {
			return err
		}
		if receipt.Key != "" {
			if err := audit.Keep(ctx, tx, receipt); err != nil {
				return err
			}
		}
		set, err = readKeySet(ctx, tx)
		return err
	})
	if err != nil {
		return tokens.KeySet{}, translate(err)
	}
	return set, nil
}

// readKeySet is one statement, so that version and keys are of the same instant.
func readKeySet(ctx context.Context, db audit.Queryer) (tokens.KeySet, error) {
	rows, err := db.QueryContext(ctx, `SELECT s.version, k.kid, k.purpose, k.alg, k.state, k.public, k.sealed,
			k.prepared_at, k.ripe_at, k.activated_at, k.retired_at, k.remove_at, k.longest, k.max_age
		FROM key_set s LEFT JOIN signing_keys k ON k.state <> 'removed'
		WHERE s.id = 1 ORDER BY k.prepared_at, k.kid`)
	if err != nil {
		return tokens.KeySet{}, fmt.Errorf("read key set: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var set tokens.KeySet
	for rows.Next() {
		key, err := scanKey(rows, &set.Version)
		if err != nil {
			return tokens.KeySet{}, fmt.Errorf("read key set: %w", err)
		}
		if key.KID != "" {
			set.Keys = append(set.Keys, key)
		}
	}
	if err := rows.Err(); err != nil {
		return tokens.KeySet{}, fmt.Errorf("read key set: %w", sqldb.Unavailable(err))
	}
	return set, nil
}

// scanKey returns a zero key for the row that stands for a set without keys.
func scanKey(rows *sql.Rows, version *int64) (tokens.StoredKey, error) {
	var kid, purpose, alg, state sql.NullString
	var preparedAt, ripeAt, activatedAt, retiredAt, removeAt, longest, maxAge sql.NullInt64
	var public, sealed []byte
	err := rows.Scan(version, &kid, &purpose, &alg, &state, &public, &sealed,
		&preparedAt, &ripeAt, &activatedAt, &retiredAt, &removeAt, &longest, &maxAge)
	return tokens.StoredKey{
		KID: kid.String, Purpose: tokens.Purpose(purpose.String), Alg: alg.String, State: tokens.State(state.String),
		Public: public, Sealed: sealed,
		PreparedAt: sqldb.FromNullMicros(preparedAt), RipeAt: sqldb.FromNullMicros(ripeAt),
		ActivatedAt: sqldb.FromNullMicros(activatedAt), RetiredAt: sqldb.FromNullMicros(retiredAt),
		RemoveAt: sqldb.FromNullMicros(removeAt),
		Longest:  time.Duration(longest.Int64) * time.Microsecond, MaxAge: time.Duration(maxAge.Int64) * time.Microsecond,
	}, err
}

// saveKeys stores the changed keys and raises the version. At most one key may be active
// at any moment, so the active one goes last.
func saveKeys(ctx context.Context, tx *sqldb.Tx, before tokens.KeySet, changed []tokens.StoredKey) error {
	changed = slices.Clone(changed)
	slices.SortStableFunc(changed, func(a, b tokens.StoredKey) int { return signsLast(a) - signsLast(b) })
	for _, key := range changed {
		known := slices.ContainsFunc(before.Keys, func(k tokens.StoredKey) bool { return k.KID == key.KID })
		save := insertKey
		if known {
			save = updateKey
		}
		if err := save(ctx, tx, key); err != nil {
			return fmt.Errorf("save signing key %s: %w", key.KID, err)
		}
	}
	if _, err := tx.ExecContext(ctx, "UPDATE key_set SET version = version + 1 WHERE id = 1"); err != nil {
		return fmt.Errorf("raise version of key set: %w", err)
	}
	return nil
}

func signsLast(key tokens.StoredKey) int {
	if key.State == tokens.Active {
		return 1
	}
	return 0
}

// insertKey answers accounts.ErrExists for a kid that was ever used.
func insertKey(ctx context.Context, tx *sqldb.Tx, k tokens.StoredKey) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO signing_keys (kid, purpose, alg, state, public, sealed,
			prepared_at, ripe_at, activated_at, retired_at, remove_at, longest, max_age)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		k.KID, string(k.Purpose), k.Alg, string(k.State), k.Public, k.Sealed,
		sqldb.Micros(k.PreparedAt), sqldb.Micros(k.RipeAt), sqldb.NullMicros(k.ActivatedAt),
		sqldb.NullMicros(k.RetiredAt), sqldb.NullMicros(k.RemoveAt), k.Longest.Microseconds(), k.MaxAge.Microseconds())
	if sqldb.IsUnique(err) {
		return fmt.Errorf("%w: %w", accounts.ErrExists, err)
	}
	return err
}

// updateKey leaves alone what a kid is bound to for ever.
func updateKey(ctx context.Context, tx *sqldb.Tx, k tokens.StoredKey) error {
	_, err := tx.ExecContext(ctx, `UPDATE signing_keys SET state = $2, sealed = $3, activated_at = $4,
			retired_at = $5, remove_at = $6, longest = $7, max_age = $8
		WHERE kid = $1`,
		k.KID, string(k.State), k.Sealed, sqldb.NullMicros(k.ActivatedAt),
		sqldb.NullMicros(k.RetiredAt), sqldb.NullMicros(k.RemoveAt), k.Longest.Microseconds(), k.MaxAge.Microseconds())
	return err
}

// RaiseVersion raises the version of the key set by a jump. After a backup was restored, that
// takes it past every version that a replica may have seen, so that all read the keys again.
func RaiseVersion(ctx context.Context, tx *sqldb.Tx, by int64) error {
	if _, err := tx.ExecContext(ctx, "UPDATE key_set SET version = version + $1 WHERE id = 1", by); err != nil {
		return fmt.Errorf("raise version of key set: %w", err)
	}
	return nil
}

// Reseal replaces the sealed form of every private part, as a change of the master key needs.
func Reseal(ctx context.Context, tx *sqldb.Tx, reseal func(label string, sealed []byte) ([]byte, error)) error {
	set, err := readKeySet(ctx, tx)
	if err != nil {
		return err
	}
	for _, key := range set.Keys {
		sealed, err := reseal(tokens.KeyLabel(key.KID), key.Sealed)
		if err != nil {
			return fmt.Errorf("reseal signing key %s: %w", key.KID, err)
		}
		if _, err := tx.ExecContext(ctx, "UPDATE signing_keys SET sealed = $2 WHERE kid = $1", key.KID, sealed); err != nil {
			return fmt.Errorf("reseal signing key %s: %w", key.KID, err)
		}
	}
	return nil
}
