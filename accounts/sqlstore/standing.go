package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

const (
	standingColumns = `SELECT o.id, o.slug, o.disabled,
			(SELECT string_agg(x.audience, ' ') FROM org_audiences x WHERE x.org_id = o.id), o.default_audience,
			a.id, a.slug, a.disabled, a.scopes, a.token_lifetime,
			c.id, c.client_id, c.kind, c.scopes, c.disabled, c.expires_at, c.allowed_cidrs,
			s.id, s.seq, s.expires_at, s.hash, s.pepper,
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

	bySecret = standingColumns + `
		FROM secrets s JOIN credentials c ON c.id = s.credential_id` + standingOwners + `
		WHERE s.hash IN (%s)`

	byClient = standingColumns + `
		FROM credentials c` + standingOwners + `
		LEFT JOIN secrets s ON s.credential_id = c.id AND s.seq = $2
		WHERE c.client_id = $1`
)

// found is a standing with the hash that led to it.
type found struct {
	standing accounts.Standing
	hash     accounts.Hash
}

func scanStanding(r row) (found, error) {
	var f found
	var ofRole, ofGroups authz.Set
	s := &f.standing
	err := r.Scan(&s.OrgID, &s.OrgSlug, &s.OrgDisabled, words(&s.Audiences), &s.DefaultAudience,
		&s.AccountID, &s.AccountSlug, &s.AccountDisabled, set(&s.AccountScopes), inSeconds(&s.TokenLifetime),
		&s.CredentialID, &s.ClientID, &s.Kind, set(&s.CredentialScopes), &s.CredentialDisabled, at(&s.CredentialExpiresAt),
		prefixes(&s.AllowedCIDRs), &s.SecretID, number(&s.SecretSeq), at(&s.SecretExpiresAt), &f.hash.Sum, number(&f.hash.Pepper),
		set(&ofRole), set(&ofGroups), &s.Gen, number(&s.KeySetVersion))
	s.RolePermissions = ofRole.Union(ofGroups)
	return f, err
}

// StandingBySecret implements [accounts.Store]. Its result is shared: treat it as constant.
func (s *Store) StandingBySecret(ctx context.Context, hashes []accounts.Hash) (accounts.Standing, error) {
	if len(hashes) == 0 {
		return accounts.Standing{}, accounts.ErrNotFound
	}
	keys := make([]cacheKey, len(hashes))
	for i, hash := range hashes {
		keys[i] = hashKey(hash)
	}
	return s.cached(keys, func() (accounts.Standing, cacheKey, error) {
		places, args := make([]string, len(hashes)), make([]any, len(hashes))
		for i, hash := range hashes {
			places[i], args[i] = fmt.Sprintf("$%d", i+1), hash.Sum
		}
		rows, err := s.standings(ctx, fmt.Sprintf(bySecret, strings.Join(places, ", ")), args...)
		if err != nil {
			return accounts.Standing{}, cacheKey{}, err
		}
		for _, f := range rows {
			if slices.ContainsFunc(hashes, func(h accounts.Hash) bool {
				return h.Pepper == f.hash.Pepper && bytes.Equal(h.Sum, f.hash.Sum)
			}) {
				return f.standing, hashKey(f.hash), nil
			}
		}
		return accounts.Standing{}, cacheKey{}, accounts.ErrNotFound
	})
}

// StandingByClient implements [accounts.Store]. Its result is shared: treat it as constant.
func (s *Store) StandingByClient(ctx context.Context, clientID string, seq int64) (accounts.Standing, error) {
	key := cacheKey{name: clientID, number: seq}
	return s.cached([]cacheKey{key}, func() (accounts.Standing, cacheKey, error) {
		rows, err := s.standings(ctx, byClient, clientID, seq)
		if err != nil {
			return accounts.Standing{}, cacheKey{}, err
		}
		if len(rows) == 0 || (seq != 0 && rows[0].standing.SecretID == uuid.Nil) {
			return accounts.Standing{}, cacheKey{}, accounts.ErrNotFound
		}
		return rows[0].standing, key, nil
	})
}

// cached answers from the cache when any key is there and current, else reads. What was
// read counts only for the epoch that was current before the reading began.
func (s *Store) cached(keys []cacheKey, read func() (accounts.Standing, cacheKey, error)) (accounts.Standing, error) {
	if s.cache == nil {
		standing, _, err := read()
		return standing, err
	}
	epoch := s.db.Epoch()
	if standing, ok := s.cache.get(epoch, keys); ok {
		return standing, nil
	}
	standing, key, err := read()
	if err != nil {
		return accounts.Standing{}, err
	}
	s.cache.put(epoch, key, standing)
	return standing, nil
}

func (s *Store) standings(ctx context.Context, query string, args ...any) (list []found, err error) {
	err = s.db.Each(ctx, func(rows *sql.Rows) error {
		f, err := scanStanding(rows)
		list = append(list, f)
		return err
	}, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read standing: %w", translate(err))
	}
	return list, nil
}
