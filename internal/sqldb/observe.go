package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// ReaderStats tells how the connections are used that only read.
func (db *DB) ReaderStats() sql.DBStats { return db.readers.Stats() }

// WriterStats tells how the connections are used that write.
func (db *DB) WriterStats() sql.DBStats { return db.writer.Stats() }

// SchemaVersion returns the version of the schema, 0 when there is none yet, and the newest
// that fsys has.
func (db *DB) SchemaVersion(ctx context.Context, fsys fs.FS) (current, newest int64, err error) {
	provider, err := goose.NewProvider(goose.DialectSQLite3, db.writer, fsys, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return 0, 0, fmt.Errorf("read migrations: %w", err)
	}
	sources := provider.ListSources()
	newest = sources[len(sources)-1].Version
	if db.postgres != nil {
		current, err = db.schemaVersion(ctx)
	} else {
		current, err = provider.GetDBVersion(ctx)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read schema version: %w", outcome(ctx, db.ifClosed(err)))
	}
	return current, newest, nil
}
