package main

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/signet-issuer/signet/accounts"
	accountsql "github.com/signet-issuer/signet/accounts/sqlstore"
	"github.com/signet-issuer/signet/config"
	"github.com/signet-issuer/signet/internal/datadir"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/internal/sqldb"
	"github.com/signet-issuer/signet/tokens"
	tokensql "github.com/signet-issuer/signet/tokens/sqlstore"
)

// stack is everything beneath the HTTP surfaces, opened.
type stack struct {
	config  config.Config
	log     *slog.Logger
	dir     *datadir.Dir // nil when nothing is kept on this machine
	db      *sqldb.DB
	state   state         // nil in commands, which need none
	report  func() string // how the shared state is; nil when it is on this machine
	master  secret.Key
	closers []func(context.Context) error

	store      *accountsql.Store
	tokenStore *tokensql.Store
	accounts   *accounts.Service
	keys       *tokens.Keys
	passports  *tokens.Keys
}

// step opens a part of a stack.
type step = func(*stack, context.Context) error

// open loads the configuration and opens what a command needs.
func (s *settings) open(ctx context.Context) (*stack, error) {
	cfg, err := s.load(nil)
	if err != nil {
		return nil, err
	}
	return s.openStack(ctx, cfg, (*stack).openDatabase, (*stack).openServices)
}

// openStack takes the steps in their order, and closes everything again when one fails.
func (s *settings) openStack(ctx context.Context, cfg config.Config, steps ...step) (*stack, error) {
	st := &stack{config: cfg, log: newLogger(s.env.stderr, cfg)}
	for _, open := range steps {
		if err := open(st, ctx); err != nil {
			st.close()
			return nil, err
		}
	}
	return st, nil
}

// openShared opens database and state side by side, and waits for a database that starts at
// the same time.
func (s *stack) openShared(ctx context.Context) error {
	if err := s.openDirectory(); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.openDatabaseWithin(ctx, databasePatience) })
	group.Go(func() error { return s.openState(ctx) })
	return group.Wait()
}

func (s *stack) openDatabase(ctx context.Context) error {
	if s.config.DatabaseURL.IsZero() {
		if err := s.openDirectory(); err != nil {
			return err
		}
	}
	return s.openDatabaseWithin(ctx, 0)
}

// openDirectory locks the data directory, which no other process may have, unless everything
// is kept elsewhere.
func (s *stack) openDirectory() error {
	if !s.config.DatabaseURL.IsZero() && !s.config.RedisURL.IsZero() {
		return nil
	}
	dir, err := datadir.Open(s.config.DataDir)
	if errors.Is(err, datadir.ErrLocked) {
		hint := "stop the server first, or give the command --issuer to go through it"
		if !s.config.DatabaseURL.IsZero() {
			hint = "give each process its own SIGNET_DATA_DIR, or set SIGNET_REDIS_URL"
		}
		return withHint(err, hint)
	}
	if err != nil {
		return err
	}
	s.dir = dir
	s.closers = append(s.closers, func(context.Context) error { return dir.Close() })
	return nil
}

// openServices opens what is sealed in the database.
func (s *stack) openServices(ctx context.Context) error {
	peppers, err := s.unseal(ctx)
	if err != nil {
		return err
	}
	var usage accounts.Usage = noUsage{}
	if s.state != nil {
		usage = s.state
	}
	s.accounts = accounts.NewService(accounts.Config{
		Store: s.store, Usage: usage, Peppers: peppers, Issuer: s.config.Issuer,
		Now: time.Now, Random: rand.Reader, Log: s.log,
	})
	return s.explain(s.openKeys(ctx))
}

func (s *stack) openKeys(ctx context.Context) (err error) {
	cfg := tokens.KeysConfig{
		Store: s.tokenStore, Master: s.master, Algorithm: s.config.SigningAlg,
		JWKSMaxAge: s.config.JWKSMaxAge, Rotation: s.config.KeyRotation, MaxLifetime: s.config.TokenMaxLifetime,
		Now: time.Now, Random: rand.Reader, Log: s.log,
	}
	if s.keys, err = tokens.OpenKeys(ctx, cfg); err != nil {
		return err
	}
	cfg.Purpose, cfg.Algorithm, cfg.MaxLifetime = tokens.Passports, tokens.PassportAlgorithm, tokens.PassportLifetime
	s.passports, err = tokens.OpenKeys(ctx, cfg)
	return err
}

// masterKey takes the configured key, else the data directory's own.
func (s *stack) masterKey() (secret.Key, error) {
	if s.config.MasterKey.IsZero() {
		return s.dir.MasterKey(rand.Reader)
	}
	return secret.ParseKey(s.config.MasterKey.Reveal())
}

// unseal opens the peppers. A rotation of the data directory's master key that stopped half-way
// is brought to its end here: whichever of both keys opens the database is the one.
func (s *stack) unseal(ctx context.Context) (*accounts.Peppers, error) {
	peppers, err := s.openPeppers(ctx)
	if !s.config.DatabaseURL.IsZero() {
		return peppers, s.explain(err)
	}
	staged, found, stagedErr := s.dir.StagedKey()
	if !found {
		return peppers, errors.Join(s.explain(err), stagedErr)
	}
	if err == nil {
		return peppers, s.dir.DiscardKey()
	}
	if !errors.Is(err, secret.ErrSealed) {
		return nil, err
	}
	s.master = staged
	if peppers, err = s.openPeppers(ctx); err != nil {
		return nil, s.explain(err)
	}
	return peppers, s.dir.PromoteKey()
}

func (s *stack) openPeppers(ctx context.Context) (*accounts.Peppers, error) {
	return accounts.OpenPeppers(ctx, s.pepperConfig())
}

func (s *stack) pepperConfig() accounts.PepperConfig {
	return accounts.PepperConfig{Store: s.store, Master: s.master, Now: time.Now, Random: rand.Reader}
}

func (s *stack) explain(err error) error {
	switch {
	case errors.Is(err, secret.ErrSealed) && s.config.DatabaseURL.IsZero():
		return withHint(err, "this is not the master key that the database was made with")
	case errors.Is(err, secret.ErrSealed):
		return withHint(err, "this is not the master key that the database was made with; while it is rotated, every process needs the old and the new one")
	}
	return err
}

// close writes what waits and closes in the reverse order of opening, within closeTimeout
// even if database or state hang.
func (s *stack) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	s.flush(ctx)
	for i := len(s.closers) - 1; i >= 0; i-- {
		if err := within(ctx, s.closers[i]); err != nil {
			s.log.Warn("not closed cleanly", slog.Any("error", err))
		}
	}
	s.closers = nil
}

// flush writes last uses to the database and what waits to the state, side by side: one that
// hangs takes no time from the other.
func (s *stack) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	var both sync.WaitGroup
	if s.accounts != nil {
		both.Go(func() {
			if err := within(ctx, s.accounts.FlushUsage); err != nil {
				s.log.Warn("last uses are not saved", slog.Any("error", err))
			}
		})
	}
	if s.state != nil {
		both.Go(func() {
			if err := within(ctx, s.state.Close); err != nil {
				s.log.Warn("the state is not closed cleanly", slog.Any("error", err))
			}
		})
	}
	both.Wait()
	s.state = nil
}

// within runs fn no longer than ctx lasts. What hangs after that ends with the process.
func within(ctx context.Context, fn func(context.Context) error) error {
	ended := make(chan error, 1)
	go func() { ended <- fn(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		select {
		case err := <-ended:
			return err
		default:
			return ctx.Err()
		}
	}
}
