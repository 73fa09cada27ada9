package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

// The two ways to a standing. The key under which a row was asked for comes first in it, so
// that it is known whose row it is that cannot be read.
const (
	standingColumns = `
			o.id, o.slug, o.disabled,
			(SELECT string_agg(x.audience, ' ') FROM org_audiences x WHERE x.org_id = o.id), o.default_audience,
			a.id, a.slug, a.disabled, a.scopes, a.token_lifetime,
			c.id, c.client_id, c.kind, c.scopes, c.disabled, c.expires_at, c.allowed_cidrs,
			s.id, s.seq, s.gen, s.created_at, s.expires_at,
			(SELECT r.permissions FROM roles r WHERE r.org_id = a.org_id AND r.slug = a.role),
			(SELECT string_agg(r.permissions, ' ') FROM group_members m
				JOIN group_roles x ON x.group_id = m.group_id
				JOIN roles r ON r.org_id = x.org_id AND r.slug = x.role
				WHERE m.account_id = a.id),
			o.gen + a.gen + c.gen,
			(SELECT k.version FROM key_set k)`

	standingOwners = `
		JOIN service_accounts a ON a.id = c.account_id
		JOIN orgs o ON o.id = a.org_id`

	bySecret = "SELECT s.hash, s.pepper, " + standingColumns + `
		FROM secrets s JOIN credentials c ON c.id = s.credential_id` + standingOwners + `
		WHERE s.hash IN (%s)`

	byClient = "SELECT v.column1, v.column2, " + standingColumns + `
		FROM (%s) v JOIN credentials c ON c.client_id = v.column1` + standingOwners + `
		LEFT JOIN secrets s ON s.credential_id = c.id AND s.seq = v.column2
		WHERE v.column2 = 0 OR s.id IS NOT NULL`
)

func bySecretStatement(n int) string { return fmt.Sprintf(bySecret, places(1, n)) }

func byClientStatement(n int) string { return fmt.Sprintf(byClient, valueRows(n, "TEXT", "BIGINT")) }

// StandingBySecret implements [accounts.Store]. Its result is shared: treat it as constant.
func (s *Store) StandingBySecret(ctx context.Context, hashes []accounts.Hash) (accounts.Standing, error) {
	keys := make([]cacheKey, len(hashes))
	for i, hash := range hashes {
		keys[i] = cacheKey{name: string(hash.Sum), number: hash.Pepper, hash: true}
	}
	return s.standing(ctx, s.bySecret, keys)
}

// StandingByClient implements [accounts.Store]. Its result is shared: treat it as constant.
func (s *Store) StandingByClient(ctx context.Context, clientID string, seq int64) (accounts.Standing, error) {
	return s.standing(ctx, s.byClient, []cacheKey{{name: clientID, number: seq}})
}

// standing answers what is found under the first of the keys that leads anywhere, from the
// cache when it is there and current. What is read counts for the epoch that was current before.
func (s *Store) standing(ctx context.Context, find lookup, keys []cacheKey) (accounts.Standing, error) {
	var epoch uint64
	if s.cache != nil {
		epoch = s.db.Epoch()
		if known, ok := s.cache.get(epoch, keys); ok {
			return known, nil
		}
	}
	found, err := find(ctx, keys)
	if err != nil {
		return accounts.Standing{}, fmt.Errorf("read standing: %w", err)
	}
	for _, key := range keys {
		row, ok := found[key]
		if !ok {
			continue
		}
		if row.err != nil {
			return accounts.Standing{}, fmt.Errorf("read standing: %w", row.err)
		}
		if s.cache != nil {
			s.cache.put(epoch, key, row.standing)
		}
		return row.standing, nil
	}
	return accounts.Standing{}, accounts.ErrNotFound
}

// readBySecret is a [lookup]. A stored hash counts only under the pepper that was asked for with it.
func (s *Store) readBySecret(ctx context.Context, keys []cacheKey) (answers, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	args := make([]any, padded(len(keys)))
	for i := range args {
		args[i] = []byte(keys[min(i, len(keys)-1)].name)
	}
	return s.standings(ctx, true, bySecretStatement(len(args)), args...)
}

// readByClient is a [lookup].
func (s *Store) readByClient(ctx context.Context, keys []cacheKey) (answers, error) {
	args := make([]any, 0, 2*padded(len(keys)))
	for _, key := range keys {
		args = append(args, key.name, key.number)
	}
	for len(args) < cap(args) {
		args = append(args, "", 0) // nobody's client id
	}
	return s.standings(ctx, false, byClientStatement(len(args)/2), args...)
}

// standings reads rows. One that cannot be read is an answer too, and keeps no other from being read.
func (s *Store) standings(ctx context.Context, hash bool, query string, args ...any) (answers, error) {
	found := answers{}
	err := s.db.Each(ctx, func(rows *sql.Rows) error {
		key := cacheKey{hash: hash}
		standing, err := scanStanding(rows, &key)
		found[key] = answer{standing, err}
		return nil
	}, query, args...)
	return found, translate(err)
}

func scanStanding(r row, key *cacheKey) (s accounts.Standing, err error) {
	var ofRole, ofGroups authz.Set
	err = r.Scan(&key.name, &key.number, &s.OrgID, &s.OrgSlug, &s.OrgDisabled, words(&s.Audiences), &s.DefaultAudience,
		&s.AccountID, &s.AccountSlug, &s.AccountDisabled, set(&s.AccountScopes), inSeconds(&s.TokenLifetime),
		&s.CredentialID, &s.ClientID, &s.Kind, set(&s.CredentialScopes), &s.CredentialDisabled, at(&s.CredentialExpiresAt),
		prefixes(&s.AllowedCIDRs), &s.SecretID, number(&s.SecretSeq), number(&s.SecretGen), at(&s.SecretCreatedAt), at(&s.SecretExpiresAt),
		set(&ofRole), set(&ofGroups), &s.Gen, number(&s.KeySetVersion))
	s.RolePermissions = ofRole.Union(ofGroups)
	return s, err
}
