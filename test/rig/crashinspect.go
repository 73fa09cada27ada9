package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/signet-issuer/signet/internal/engines"
	"github.com/signet-issuer/signet/internal/sqldb"
)

const (
	// The database itself is inspected in each of the first so many cycles, later in each tenth.
	examinedFirst = 50
	examinedEach  = 10
	idleWithin    = 5 * time.Second
)

// inspect looks into the database itself: it is sound, and it has one audit event for each
// acknowledged write and none for a denied one (points 9 and 10).
func (c *crashLoop) inspect(ctx context.Context, number int, hit casualty) {
	whole := c.wholeCheck(number)
	if !whole && number >= examinedFirst && number%examinedEach != 0 {
		return
	}
	from := c.audited
	if whole {
		from = 0
	}
	entries, next := c.journal.snapshot(from)
	c.audited = next
	events, err := c.events(ctx, whole || hit.postgres)
	if err != nil {
		c.found.add(wrong("the database cannot be read or is damaged (I20): %v", err))
		return
	}
	c.found.add(compareAudit(entries, events)...)
}

// events examines the database and counts its audit events by correlation id.
func (c *crashLoop) events(ctx context.Context, examine bool) (map[string]int, error) {
	if c.fleet.postgres == nil {
		return inspectSQLite(ctx, filepath.Join(c.fleet.cfg.folder, "replica-0", "data"))
	}
	if examine {
		if err := examinePostgres(ctx, c.fleet.postgres); err != nil {
			return nil, err
		}
	}
	return auditOf(ctx, c.fleet.postgres)
}

// inspectSQLite examines a copy of what a dead server left, so that the server itself still
// has to recover, and counts its audit events by correlation id.
func inspectSQLite(ctx context.Context, folder string) (events map[string]int, err error) {
	into, err := os.MkdirTemp(filepath.Dir(folder), "copy-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(into)) }()
	const name = "signet.db"
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(filepath.Join(folder, name+suffix))
		if errors.Is(err, fs.ErrNotExist) && suffix != "" {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(into, name+suffix), content, 0o600); err != nil {
			return nil, err
		}
	}
	db, err := sqldb.OpenSQLite(ctx, filepath.Join(into, name), sqldb.Normal)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Check(ctx); err != nil {
		return nil, err
	}
	events = map[string]int{}
	err = db.Each(ctx, func(rows *sql.Rows) error {
		var id string
		var count int
		err := rows.Scan(&id, &count)
		events[id] = count
		return err
	}, "SELECT correlation_id, count(*) FROM audit_events GROUP BY correlation_id")
	return events, err
}

// prepareInspection brings what [examinePostgres] needs.
func (f *fleet) prepareInspection(ctx context.Context) error {
	if f.postgres == nil {
		return nil
	}
	return f.postgres.Exec(ctx, database, "CREATE EXTENSION IF NOT EXISTS amcheck")
}

// auditOf counts the audit events by correlation id.
func auditOf(ctx context.Context, server *engines.Postgres) (map[string]int, error) {
	row, err := server.Query(ctx, database,
		`SELECT coalesce(string_agg(correlation_id || ' ' || n, ','), '') FROM
			(SELECT correlation_id, count(*) AS n FROM audit_events GROUP BY correlation_id) AS counted`)
	if err != nil {
		return nil, err
	}
	events := map[string]int{}
	for pair := range strings.SplitSeq(strings.Join(row, ""), ",") {
		id, number, ok := strings.Cut(pair, " ")
		if !ok {
			continue
		}
		count, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("audit events of %s: %w", id, err)
		}
		events[id] = count
	}
	return events, nil
}

// quiet waits until no statement of before is under way: a write whose server was killed can
// still commit.
func (f *fleet) quiet(ctx context.Context) error {
	const busy = `SELECT count(*) FROM pg_stat_activity WHERE datname = '` + database + `'
		AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND xact_start < $SINCE`
	began := time.Now()
	query := strings.Replace(busy, "$SINCE", fmt.Sprintf("to_timestamp(%d / 1e6)", began.UnixMicro()), 1)
	for {
		row, err := f.postgres.Query(ctx, database, query)
		if err != nil {
			return err
		}
		if strings.Join(row, "") == "0" {
			return nil
		}
		if time.Since(began) > idleWithin {
			return fmt.Errorf("a transaction has been open for %v", idleWithin)
		}
		pause(ctx, 10*time.Millisecond)
	}
}

// examinePostgres reads every table and index of ours and looks for rows that refer to nothing.
func examinePostgres(ctx context.Context, server *engines.Postgres) error {
	row, err := server.Query(ctx, database, heapProblems)
	if err != nil {
		return err
	}
	if text := strings.Join(row, " "); text != "" {
		return fmt.Errorf("amcheck: %s", text)
	}
	if _, err := server.Query(ctx, database, indexProblems); err != nil {
		return err
	}
	return server.Exec(ctx, database, foreignKeyProblems)
}

const heapProblems = `SELECT coalesce(string_agg(c.relname || ': ' || v.msg, '; '), '')
	FROM pg_class c, LATERAL verify_heapam(c.oid) v
	WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace`

const indexProblems = `SELECT count(bt_index_check(c.oid, true))
	FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
	WHERE a.amname = 'btree' AND i.indisvalid AND c.relnamespace = 'public'::regnamespace`

const foreignKeyProblems = `DO $check$
DECLARE
	fk record;
	same text;
	filled text;
	orphans bigint;
BEGIN
	FOR fk IN SELECT conname, conrelid, confrelid, conkey, confkey FROM pg_constraint
		WHERE contype = 'f' AND connamespace = 'public'::regnamespace
	LOOP
		SELECT string_agg(format('p.%I = c.%I', pa.attname, ca.attname), ' AND '),
			string_agg(format('c.%I IS NOT NULL', ca.attname), ' AND ')
		INTO same, filled
		FROM unnest(fk.conkey, fk.confkey) AS k(child, parent)
			JOIN pg_attribute ca ON ca.attrelid = fk.conrelid AND ca.attnum = k.child
			JOIN pg_attribute pa ON pa.attrelid = fk.confrelid AND pa.attnum = k.parent;
		EXECUTE format('SELECT count(*) FROM %s c WHERE %s AND NOT EXISTS (SELECT 1 FROM %s p WHERE %s)',
			fk.conrelid::regclass, filled, fk.confrelid::regclass, same) INTO orphans;
		IF orphans > 0 THEN
			RAISE EXCEPTION '% rows break the foreign key %', orphans, fk.conname;
		END IF;
	END LOOP;
END $check$`
