package sqldb

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var embedded embed.FS

// Migrations is the schema of signet.db.
var Migrations = under("migrations")

func under(folder string) fs.FS {
	sub, err := fs.Sub(embedded, folder)
	if err != nil {
		panic(err) // the folder is a constant
	}
	return sub
}

// Migrate brings the schema to the newest version that fsys has, one transaction for each
// file. On SQLite the caller must hold the lock on the data directory.
func (db *DB) Migrate(ctx context.Context, fsys fs.FS) error {
	provider, err := goose.NewProvider(goose.DialectSQLite3, db.writer, fsys, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	defer db.epoch.Add(1)
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", outcome(ctx, db.ifClosed(err)))
	}
	return nil
}
