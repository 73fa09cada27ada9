package main

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/server/web"
	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/localstate"
	"github.com/signet-issuer/signet/tokens/redisstate"
)

// state is what may be lost: the list of live tokens, the newest last uses, counts of failures.
type state interface {
	accounts.Usage
	tokens.Live
	web.Limiter
	Dropped() uint64
	Sweep(ctx context.Context) (int, error)
	Close(ctx context.Context) error
}

var (
	_ state = (*localstate.State)(nil)
	_ state = (*redisstate.State)(nil)
)

// openState opens the state on this machine or in Redis. A Redis that does not answer keeps
// nothing from starting.
func (s *stack) openState(ctx context.Context) error {
	if s.config.RedisURL.IsZero() {
		local, err := localstate.Open(ctx, localstate.Config{Path: s.dir.State(), Now: time.Now, Log: s.log})
		if err != nil {
			return err
		}
		s.state = local
		return nil
	}
	shared, err := redisstate.Open(ctx, redisstate.Config{
		URL: s.config.RedisURL, Prefix: s.config.RedisPrefix, Now: time.Now, Log: s.log,
	})
	if err != nil {
		return withHint(err, "correct SIGNET_REDIS_URL; without it each process keeps this state on its own disk")
	}
	s.state, s.report = shared, shared.Report
	return nil
}

// noUsage is the [accounts.Usage] of commands, which use no credential.
type noUsage struct{}

func (noUsage) Touch(accounts.Use) {}

func (noUsage) Seen(context.Context, []uuid.UUID) ([]accounts.Use, error) { return nil, nil }

func (noUsage) Erase(context.Context, []uuid.UUID) error { return nil }
