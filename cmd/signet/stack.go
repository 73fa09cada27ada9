package main

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"github.com/signet-issuer/signet/accounts"
	accountsql "github.com/signet-issuer/signet/accounts/sqlstore"
	"github.com/signet-issuer/signet/config"
	"github.com/signet-issuer/signet/internal/datadir"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/internal/sqldb"
	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/localstate"
	tokensql "github.com/signet-issuer/signet/tokens/sqlstore"
)

// stack is everything beneath the HTTP surfaces, opened.
type stack struct {
	config  config.Config
	log     *slog.Logger
	dir     *datadir.Dir
	db      *sqldb.DB
	state   *localstate.State
	master  secret.Key
	closers []func(context.Context) error

	store      *accountsql.Store
	tokenStore *tokensql.Store
	accounts   *accounts.Service
	keys       *tokens.Keys
}

// open loads the configuration and opens the data directory, which no other process may have.
func (s *settings) open(ctx context.Context) (*stack, error) {
	cfg, err := s.load(nil)
	if err != nil {
		return nil, err
	}
	return s.openStack(ctx, cfg)
}

func (s *settings) openStack(ctx context.Context, cfg config.Config) (*stack, error) {
	st := &stack{config: cfg, log: newLogger(s.env.stderr, cfg)}
	if err := st.openAll(ctx); err != nil {
		st.close()
		return nil, err
	}
	return st, nil
}

func (s *stack) openAll(ctx context.Context) error {
	if err := s.openDirectory(); err != nil {
		return err
	}
	if err := s.openDatabase(ctx); err != nil {
		return err
	}
	if err := s.openState(ctx); err != nil {
		return err
	}
	peppers, err := s.unseal(ctx)
	if err != nil {
		return err
	}
	s.accounts = accounts.NewService(accounts.Config{
		Store: s.store, Usage: s.state, Peppers: peppers, Issuer: s.config.Issuer,
		Now: time.Now, Random: rand.Reader, Log: s.log,
	})
	s.keys, err = tokens.OpenKeys(ctx, tokens.KeysConfig{
		Store: s.tokenStore, Master: s.master, Algorithm: s.config.SigningAlg,
		JWKSMaxAge: s.config.JWKSMaxAge, Rotation: s.config.KeyRotation, MaxLifetime: s.config.TokenMaxLifetime,
		Now: time.Now, Random: rand.Reader, Log: s.log,
	})
	return err
}

func (s *stack) openDirectory() error {
	dir, err := datadir.Open(s.config.DataDir)
	if errors.Is(err, datadir.ErrLocked) {
		return withHint(err, "stop the server first, or give the command --issuer to go through it")
	}
	if err != nil {
		return err
	}
	s.dir = dir
	s.closers = append(s.closers, func(context.Context) error { return dir.Close() })
	return nil
}

func (s *stack) openDatabase(ctx context.Context) error {
	master, err := s.masterKey()
	if err != nil {
		return err
	}
	s.master = master
	if s.db, err = sqldb.OpenSQLite(ctx, s.dir.Database(), sqldb.Full); err != nil {
		return err
	}
	s.closers = append(s.closers, func(context.Context) error { return s.db.Close() })
	if err := s.db.Migrate(ctx, sqldb.Migrations); err != nil {
		return err
	}
	s.store, s.tokenStore = accountsql.New(s.db, accountsql.WithCache()), tokensql.New(s.db)
	return nil
}

func (s *stack) openState(ctx context.Context) error {
	state, err := localstate.Open(ctx, localstate.Config{Path: s.dir.State(), Now: time.Now, Log: s.log})
	if err != nil {
		return err
	}
	s.state = state
	s.closers = append(s.closers, state.Close)
	return nil
}

// masterKey takes the configured key, else the data directory's own.
func (s *stack) masterKey() (secret.Key, error) {
	if s.config.MasterKey.IsZero() {
		return s.dir.MasterKey(rand.Reader)
	}
	return secret.ParseKey(s.config.MasterKey.Reveal())
}

// unseal opens the peppers. A rotation of the master key that stopped half-way is brought to
// its end here: whichever of both keys opens the database is the one.
func (s *stack) unseal(ctx context.Context) (*accounts.Peppers, error) {
	peppers, err := s.openPeppers(ctx)
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
	if errors.Is(err, secret.ErrSealed) {
		return withHint(err, "this is not the master key that the database was made with")
	}
	return err
}

// close flushes and closes in the reverse order of opening.
func (s *stack) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if s.accounts != nil {
		if err := s.accounts.FlushUsage(ctx); err != nil {
			s.log.Warn("last uses are not saved", slog.Any("error", err))
		}
	}
	for i := len(s.closers) - 1; i >= 0; i-- {
		if err := s.closers[i](ctx); err != nil {
			s.log.Warn("not closed cleanly", slog.Any("error", err))
		}
	}
	s.closers = nil
}
