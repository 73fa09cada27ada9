package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/sqldb"
)

// maxUses bounds the rows of one statement: six parameters each, whose number SQLite's time
// to read a statement grows with squared.
const maxUses = 64

// keepNewest makes an insert into last_uses an update by maximum.
const keepNewest = ` ON CONFLICT (id) DO UPDATE SET used_at = excluded.used_at, addr = excluded.addr, user_agent = excluded.user_agent
	WHERE excluded.used_at > last_uses.used_at`

// saveUses passes over what is gone. All replicas lock rows in the same order. What is saved
// while its secret is being deleted may stay as a use of the credential.
const saveUses = `INSERT INTO last_uses (id, account_id, credential_id, used_at, addr, user_agent)
	SELECT v.column1, c.account_id, c.id, v.column4, v.column5, v.column6
	FROM (%s) v JOIN credentials c ON c.id = v.column2 AND c.account_id = v.column3
		LEFT JOIN secrets s ON s.id = v.column1 AND s.credential_id = c.id
	WHERE v.column1 = c.id OR s.id IS NOT NULL
	ORDER BY v.column1` + keepNewest

// SaveUsage implements [accounts.Store].
func (s *Store) SaveUsage(ctx context.Context, uses []accounts.Use) error {
	for part := range slices.Chunk(newest(uses), maxList) {
		if err := s.saveUses(ctx, part); err != nil {
			return translate(fmt.Errorf("save usage: %w", err))
		}
	}
	return nil
}

// saveUses is one transaction. It halves what is refused because something of it was deleted
// after it was seen, until that is found.
func (s *Store) saveUses(ctx context.Context, uses []accounts.Use) error {
	err := s.db.Merge(ctx, func(tx *sqldb.Tx) error {
		for part := range slices.Chunk(uses, maxUses) {
			args := useArgs(part)
			statement := fmt.Sprintf(saveUses, valueRows(len(args)/6, "TEXT", "TEXT", "TEXT", "BIGINT", "TEXT", "TEXT"))
			if _, err := tx.ExecContext(ctx, statement, args...); err != nil {
				return err
			}
		}
		return nil
	})
	if !sqldb.IsForeignKey(err) {
		return err
	}
	if len(uses) == 1 {
		return nil
	}
	half := len(uses) / 2
	if err := s.saveUses(ctx, uses[:half]); err != nil {
		return err
	}
	return s.saveUses(ctx, uses[half:])
}

func useArgs(uses []accounts.Use) []any {
	args := make([]any, 0, 6*padded(len(uses)))
	for _, use := range uses {
		args = append(args, use.SecretID.String(), use.CredentialID.String(), use.AccountID.String(),
			sqldb.Micros(use.At), addrText(use.Addr), storable(use.UserAgent))
	}
	for len(args) < cap(args) {
		args = append(args, "", "", "", 0, "", "") // a use of nothing
	}
	return args
}

// newest returns the uses sorted by secret, of several of the same the newest alone: a
// statement can touch each row once.
func newest(uses []accounts.Use) []accounts.Use {
	of := func(a, b accounts.Use) int {
		return cmp.Or(compareIDs(a.SecretID, b.SecretID), compareIDs(a.CredentialID, b.CredentialID), compareIDs(a.AccountID, b.AccountID))
	}
	sorted := slices.SortedFunc(slices.Values(uses), func(a, b accounts.Use) int { return cmp.Or(of(a, b), b.At.Compare(a.At)) })
	return slices.CompactFunc(sorted, func(a, b accounts.Use) bool { return of(a, b) == 0 })
}

// storable drops what PostgreSQL takes in no text: one such use would hold up all others.
func storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\x00", "")
}

// foldSecrets leaves the last uses of secrets that go with their credentials.
func foldSecrets(ctx context.Context, tx *sqldb.Tx, secrets []uuid.UUID) error {
	for _, statement := range []string{
		`INSERT INTO last_uses (id, account_id, credential_id, used_at, addr, user_agent)
			SELECT n.credential_id, n.account_id, n.credential_id, n.used_at, n.addr, n.user_agent
			FROM (SELECT l.account_id, l.credential_id, l.used_at, l.addr, l.user_agent,
					row_number() OVER (PARTITION BY l.credential_id ORDER BY l.used_at DESC, l.id) AS place
				FROM last_uses l WHERE l.id IN (%s) AND l.credential_id IS NOT NULL) n
			WHERE n.place = 1` + keepNewest,
		"DELETE FROM last_uses WHERE id IN (%s)",
	} {
		if _, err := withList(ctx, tx, statement, secrets); err != nil {
			return fmt.Errorf("keep last use: %w", err)
		}
	}
	return nil
}

// foldCredential leaves the newest use of a credential that goes with its account.
func (t *tx) foldCredential(ctx context.Context, id uuid.UUID) error {
	return t.exec(ctx, `INSERT INTO last_uses (id, account_id, credential_id, used_at, addr, user_agent)
		SELECT l.account_id, l.account_id, NULL, l.used_at, l.addr, l.user_agent
		FROM last_uses l WHERE l.credential_id = $1 ORDER BY l.used_at DESC, l.id LIMIT 1`+keepNewest, id)
}
