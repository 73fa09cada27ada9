package writebehind

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/tokens"
)

// Newest returns the unexpired records, each id once, newest first, at most [tokens.MaxLive].
func Newest(live []tokens.LiveToken, now time.Time) []tokens.LiveToken {
	byID := make(map[string]tokens.LiveToken, len(live))
	for _, token := range live {
		if token.ExpiresAt.After(now) {
			byID[token.JTI] = token
		}
	}
	list := slices.SortedFunc(maps.Values(byID), NewestFirst)
	return list[:min(len(list), tokens.MaxLive)]
}

// NewestFirst is the order of a list: by time of issue, then id.
func NewestFirst(a, b tokens.LiveToken) int {
	return cmp.Or(b.IssuedAt.Compare(a.IssuedAt), cmp.Compare(b.JTI, a.JTI))
}

// NewestUses returns the newest use of each secret, by account and secret.
func NewestUses(uses []accounts.Use) []accounts.Use {
	newest := NewBatch(len(uses))
	for _, use := range uses {
		newest.Touch(use)
	}
	return slices.SortedFunc(maps.Values(newest.Uses), func(a, b accounts.Use) int {
		return cmp.Or(bytes.Compare(a.AccountID[:], b.AccountID[:]), bytes.Compare(a.SecretID[:], b.SecretID[:]))
	})
}

// SetOf returns ids as a set.
func SetOf(ids []uuid.UUID) map[uuid.UUID]bool {
	set := make(map[uuid.UUID]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}
