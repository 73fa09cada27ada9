package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	accountsql "github.com/signet-issuer/signet/accounts/sqlstore"
	"github.com/signet-issuer/signet/internal/sqldb"
	tokensql "github.com/signet-issuer/signet/tokens/sqlstore"
)

const (
	// databasePatience is how long a server waits for its database. Whoever starts both at the
	// same time needs that; an orchestrator starts the server anew afterwards.
	databasePatience = 30 * time.Second
	databasePause    = time.Second
	databaseReport   = 5 * time.Second
)

// openDatabaseWithin opens the database and, for as long as patience says, waits for one that
// does not answer.
func (s *stack) openDatabaseWithin(ctx context.Context, patience time.Duration) error {
	master, err := s.masterKey()
	if err != nil {
		return err
	}
	s.master = master
	began, reported := time.Now(), time.Time{}
	for {
		s.db, err = s.connect(ctx)
		if err == nil {
			break
		}
		if !errors.Is(err, sqldb.ErrUnavailable) || time.Since(began) >= patience || ctx.Err() != nil {
			return s.explainDatabase(err)
		}
		if time.Since(reported) >= databaseReport {
			reported = time.Now()
			s.log.Warn("waiting for the database", slog.Duration("waited", time.Since(began).Truncate(time.Second)), slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(databasePause):
		}
	}
	s.closers = append(s.closers, func(context.Context) error { return s.db.Close() })
	kept := accountsql.WithCache() // no other process writes to the file
	if !s.config.DatabaseURL.IsZero() {
		kept = accountsql.WithBatching()
	}
	s.store, s.tokenStore = accountsql.New(s.db, kept), tokensql.New(s.db)
	return nil
}

// connect opens the database with the schema that this version needs.
func (s *stack) connect(ctx context.Context) (*sqldb.DB, error) {
	db, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.prepareSchema(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func (s *stack) dial(ctx context.Context) (*sqldb.DB, error) {
	if s.config.DatabaseURL.IsZero() {
		return sqldb.OpenSQLite(ctx, s.dir.Database(), sqldb.Full)
	}
	return sqldb.OpenPostgres(ctx, sqldb.PostgresConfig{URL: s.config.DatabaseURL, MaxConns: s.config.DatabaseMaxConns})
}

func (s *stack) prepareSchema(ctx context.Context, db *sqldb.DB) error {
	if s.config.MigrateAtStart {
		return db.Migrate(ctx, sqldb.Migrations)
	}
	current, newest, err := db.SchemaVersion(ctx, sqldb.Migrations)
	if err != nil {
		return err
	}
	if current < newest {
		return withHint(fmt.Errorf("the schema is at version %d, and this version of signet needs %d", current, newest), "run signet migrate first")
	}
	return nil
}

func (s *stack) explainDatabase(err error) error {
	if errors.Is(err, sqldb.ErrUnavailable) && !s.config.DatabaseURL.IsZero() {
		return withHint(err, "is PostgreSQL running and reachable from here, and does SIGNET_DATABASE_URL name it, its database and the user's password?")
	}
	return err
}
