package main

var brokenBuilds = []brokenBuild{redisFirstRevoke, noSync, staleCache}

// redisFirstRevoke acknowledges the revocation of a token once the state has it, asks the
// state first, and brings the truth up to date a moment later.
var redisFirstRevoke = brokenBuild{
	name: "redis-first-revoke",
	what: "a revocation is acknowledged before SQL has it",
	row:  "crash-postgres",
	patches: []patch{
		{"tokens/registry.go", `	err = r.store.Revoke(ctx, p, Revocation{JTI: jti, AccountID: account.ID, ExpiresAt: end, At: now}, event)
	if err != nil {
		return fmt.Errorf("revoke token: %w", err)
	}
`, `	r.revokeInState(jti, account.ID, now, end)
	go func() {
		time.Sleep(time.Second)
		_ = r.store.Revoke(context.WithoutCancel(ctx), p, Revocation{JTI: jti, AccountID: account.ID, ExpiresAt: end, At: now}, event)
	}()
`},
		{"tokens/registry.go", `	return r.store.Revoked(ctx, jti, accountID)
`, `	if r.revokedInState(ctx, jti, accountID) {
		return true, nil
	}
	return r.store.Revoked(ctx, jti, accountID)
`},
	},
	added: map[string]string{"tokens/brokenrevoke.go": `package tokens

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
)

// revokedOf names the account under which the state has the revocations of another.
func revokedOf(account uuid.UUID) uuid.UUID { return uuid.NewSHA1(account, []byte("revoked")) }

func (r *Registry) revokeInState(jti string, account uuid.UUID, now, end time.Time) {
	r.live.Add(LiveToken{JTI: jti, AccountID: revokedOf(account), CredentialID: account, ClientID: "revoked",
		Audience: []string{"revoked"}, IssuedAt: now, ExpiresAt: end})
}

func (r *Registry) revokedInState(ctx context.Context, jti string, account uuid.UUID) bool {
	marks, err := r.live.List(ctx, revokedOf(account))
	return err == nil && slices.ContainsFunc(marks, func(m LiveToken) bool { return m.JTI == jti })
}
`},
}

// noSync leaves it to the operating system when a commit reaches the disk.
var noSync = brokenBuild{
	name:    "no-sync",
	what:    "SQLite acknowledges what the disk does not have yet",
	row:     "power-sqlite",
	patches: []patch{{"internal/sqldb/sqlite.go", `Synchronous = "FULL"`, `Synchronous = "OFF"`}},
}

// staleCache answers from memory for five seconds what a credential was worth.
var staleCache = brokenBuild{
	name: "stale-cache",
	what: "each replica believes for 5 s what it has read about a credential",
	row:  "propagation-redis",
	patches: []patch{{
		"accounts/sqlstore/standing.go", `	found, err := find(ctx, keys)
`, `	found, err := stale(ctx, find, keys)
`,
	}},
	added: map[string]string{"accounts/sqlstore/brokencache.go": `package sqlstore

import (
	"context"
	"sync"
	"time"
)

type remembered struct {
	answers answers
	until   time.Time
}

var memory sync.Map // by the first key

func stale(ctx context.Context, find lookup, keys []cacheKey) (answers, error) {
	if len(keys) == 0 {
		return find(ctx, keys)
	}
	if known, ok := memory.Load(keys[0]); ok && time.Now().Before(known.(remembered).until) {
		return known.(remembered).answers, nil
	}
	found, err := find(ctx, keys)
	if err == nil {
		memory.Store(keys[0], remembered{found, time.Now().Add(5 * time.Second)})
	}
	return found, err
}
`},
}
