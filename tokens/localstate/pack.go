package localstate

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/internal/sqldb"
	"github.com/signet-issuer/signet/tokens"
)

// shared is what the records of a pack have in common.
type shared struct {
	account, credential uuid.UUID
	clientID, scope     string
	audience            string // joined by spaces, which no URI contains
	gen, secretSeq      int64
}

// stub is what a record has for itself. Times are unix microseconds.
type stub struct {
	JTI       string `json:"jti"`
	IssuedAt  int64  `json:"iat"`
	ExpiresAt int64  `json:"exp"`
}

func sharedOf(t *tokens.LiveToken) shared {
	return shared{
		account: t.AccountID, credential: t.CredentialID, clientID: t.ClientID, scope: t.Scope,
		audience: strings.Join(t.Audience, " "), gen: t.Gen, secretSeq: t.SecretSeq,
	}
}

// record is the whole record again.
func (s shared) record(one stub) tokens.LiveToken {
	return tokens.LiveToken{
		JTI: one.JTI, AccountID: s.account, CredentialID: s.credential, ClientID: s.clientID, Scope: s.scope,
		Audience: strings.Fields(s.audience), Gen: s.gen, SecretSeq: s.secretSeq,
		IssuedAt: sqldb.FromMicros(one.IssuedAt), ExpiresAt: sqldb.FromMicros(one.ExpiresAt),
	}
}

func pack(live []tokens.LiveToken) map[shared][]stub {
	packs := map[shared][]stub{}
	for i := range live {
		key := sharedOf(&live[i])
		packs[key] = append(packs[key], stub{
			JTI: live[i].JTI, IssuedAt: sqldb.Micros(live[i].IssuedAt), ExpiresAt: sqldb.Micros(live[i].ExpiresAt),
		})
	}
	return packs
}

// span is what trimming and sweeping need to know of a pack.
type span struct{ oldest, newest, expires int64 }

func spanOf(stubs []stub) span {
	s := span{oldest: stubs[0].IssuedAt, newest: stubs[0].IssuedAt}
	for _, one := range stubs {
		s.oldest, s.newest = min(s.oldest, one.IssuedAt), max(s.newest, one.IssuedAt)
		s.expires = max(s.expires, one.ExpiresAt)
	}
	return s
}

const insertPackSQL = `INSERT INTO live_packs (account_id, oldest, newest, records, expires_at,
		credential_id, client_id, scope, audience, gen, secret_seq, stubs)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`

// insertLive does not look for records that are there already: List shows an id once.
func insertLive(ctx context.Context, tx *sqldb.Tx, live []tokens.LiveToken) error {
	if len(live) == 0 {
		return nil
	}
	stmt, err := tx.PrepareContext(ctx, insertPackSQL)
	if err != nil {
		return err
	}
	defer func() { _ = stmt.Close() }()
	for common, stubs := range pack(live) {
		text, err := json.Marshal(stubs)
		if err != nil {
			return err
		}
		of := spanOf(stubs)
		if _, err := stmt.ExecContext(ctx, common.account[:], of.oldest, of.newest, len(stubs), of.expires,
			common.credential[:], common.clientID, common.scope, common.audience, common.gen, common.secretSeq, string(text)); err != nil {
			return err
		}
	}
	return nil
}

// trimmedTo is how many records of an account a trimming leaves, at least. A batch whose
// commit was not confirmed is written twice, so that half of them may be the same.
const trimmedTo = 2 * tokens.MaxLive

// trimSQL removes the packs of which every record is older than trimmedTo others.
const trimSQL = `DELETE FROM live_packs WHERE account_id = $1 AND newest < (
	SELECT min(oldest) FROM (
		SELECT oldest, records, sum(records) OVER (ORDER BY newest DESC ROWS UNBOUNDED PRECEDING) AS reached
		FROM live_packs WHERE account_id = $1)
	WHERE reached - records < $2)`

func trim(ctx context.Context, tx *sqldb.Tx, due map[uuid.UUID]bool) error {
	for account := range due {
		if _, err := tx.ExecContext(ctx, trimSQL, account[:], trimmedTo); err != nil {
			return err
		}
	}
	return nil
}

func selectLive(ctx context.Context, tx *sqldb.Tx, account uuid.UUID, now time.Time) ([]tokens.LiveToken, error) {
	rows, err := tx.QueryContext(ctx, `SELECT credential_id, client_id, scope, audience, gen, secret_seq, stubs
		FROM live_packs WHERE account_id = $1 AND expires_at > $2`, account[:], sqldb.Micros(now))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []tokens.LiveToken
	for rows.Next() {
		common := shared{account: account}
		var text string
		if err := rows.Scan(&common.credential, &common.clientID, &common.scope, &common.audience,
			&common.gen, &common.secretSeq, &text); err != nil {
			return nil, err
		}
		stubs, err := parseStubs(text)
		if err != nil {
			return nil, err
		}
		for _, one := range stubs {
			list = append(list, common.record(one))
		}
	}
	return list, rows.Err()
}

func parseStubs(text string) (stubs []stub, err error) {
	if err := json.Unmarshal([]byte(text), &stubs); err != nil {
		return nil, fmt.Errorf("records of live tokens are damaged: %w", err)
	}
	return stubs, nil
}

// deleteLive takes a record out of the packs that hold it.
func deleteLive(ctx context.Context, tx *sqldb.Tx, account uuid.UUID, jti string) error {
	quoted, err := json.Marshal(jti)
	if err != nil {
		return err
	}
	rows, err := tx.QueryContext(ctx, `SELECT id, stubs FROM live_packs WHERE account_id = $1 AND instr(stubs, $2) > 0`,
		account[:], string(quoted))
	if err != nil {
		return err
	}
	found, err := scanPacks(rows)
	if err != nil {
		return err
	}
	for id, stubs := range found {
		kept := slices.DeleteFunc(stubs, func(one stub) bool { return one.JTI == jti })
		if err := replaceStubs(ctx, tx, id, kept); err != nil {
			return err
		}
	}
	return nil
}

func scanPacks(rows *sql.Rows) (map[int64][]stub, error) {
	defer func() { _ = rows.Close() }()
	packs := map[int64][]stub{}
	for rows.Next() {
		var id int64
		var text string
		if err := rows.Scan(&id, &text); err != nil {
			return nil, err
		}
		var err error
		if packs[id], err = parseStubs(text); err != nil {
			return nil, err
		}
	}
	return packs, rows.Err()
}

func replaceStubs(ctx context.Context, tx *sqldb.Tx, id int64, stubs []stub) error {
	if len(stubs) == 0 {
		_, err := tx.ExecContext(ctx, `DELETE FROM live_packs WHERE id = $1`, id)
		return err
	}
	text, err := json.Marshal(stubs)
	if err != nil {
		return err
	}
	of := spanOf(stubs)
	_, err = tx.ExecContext(ctx, `UPDATE live_packs SET oldest = $2, newest = $3, records = $4, expires_at = $5, stubs = $6
		WHERE id = $1`, id, of.oldest, of.newest, len(stubs), of.expires, string(text))
	return err
}
