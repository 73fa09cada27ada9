package sqldb

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// refusal says why a server must not be used, and what to do about it.
type refusal string

func (r refusal) Error() string { return string(r) }

const (
	minVersion = 13_00_00

	standby refusal = "the server is a standby, which cannot write: name the primary in the URL, or all servers " +
		"(postgres://…@one,two/…), and the primary among them is found"
)

// session is what a server says of itself to a new connection.
var session = []struct{ query, name string }{
	{"current_setting('server_version_num')", "version"},
	{"pg_is_in_recovery()", "standby"},
	{"current_setting('server_encoding')", "encoding"},
	{"current_setting('fsync')", "fsync"},
	{"current_setting('full_page_writes')", "full_page_writes"},
	{"current_setting('synchronous_commit')", "synchronous_commit"},
}

// validate looks at every new connection, before it asks what else the URL demands.
func validate(next pgconn.ValidateConnectFunc) pgconn.ValidateConnectFunc {
	query := "SELECT "
	for i, s := range session {
		if i > 0 {
			query += ", "
		}
		query += s.query
	}
	return func(ctx context.Context, conn *pgconn.PgConn) error {
		results, err := conn.Exec(ctx, query).ReadAll()
		if err != nil {
			return err
		}
		if len(results) != 1 || len(results[0].Rows) != 1 {
			return errors.New("the server does not tell its settings")
		}
		is := map[string]string{}
		for i, s := range session {
			is[s.name] = string(results[0].Rows[0][i])
		}
		if err := examineServer(is); err != nil || next == nil {
			return err
		}
		return next(ctx, conn)
	}
}

// examineServer refuses a server that would not keep what it has acknowledged.
func examineServer(is map[string]string) error {
	version, err := strconv.Atoi(is["version"])
	if err != nil {
		return fmt.Errorf("version of the server: %w", err)
	}
	if version < minVersion {
		return refusal(fmt.Sprintf("the server is PostgreSQL %d, which is too old: upgrade it to 13 or newer", version/10000))
	}
	if is["standby"] == "t" {
		return standby
	}
	if is["encoding"] != "UTF8" {
		return refusal(fmt.Sprintf("the encoding of the database is %s: create it anew with ENCODING 'UTF8'", is["encoding"]))
	}
	for _, name := range []string{"fsync", "full_page_writes"} {
		if is[name] != "on" {
			return refusal(name + " is off on the server, so that a crash would lose acknowledged writes: " +
				"set " + name + " = on in postgresql.conf and reload")
		}
	}
	switch is["synchronous_commit"] {
	case "on", "local", "remote_write", "remote_apply":
		return nil
	}
	return refusal("synchronous_commit is off in our sessions, so that a crash would lose acknowledged writes: " +
		"set it to on in postgresql.conf, and see ALTER ROLE … SET, ALTER DATABASE … SET and the URL, which go before")
}
