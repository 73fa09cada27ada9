package sqldb

import (
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
)

// isPostgresFailure knows what the server or the way to it can fail by. Some codes stand for
// an operator's act: a right or a writable server was taken away.
func isPostgresFailure(err error) bool {
	code := pgCode(err)
	if code == "" {
		return isNetwork(err)
	}
	switch code[:2] {
	case "08", "53", "58": // connection, resources, system
		return true
	}
	switch code {
	case "57014", // statement_timeout, as we cancel nothing
		"57P01", "57P02", "57P03", "57P04", "57P05", // shut down, crashed, starting up, dropped, idle for too long
		"25006", "25P03", // read-only, idle in a transaction for too long
		"42501",          // insufficient privilege
		"XX001", "XX002": // damaged
		return true
	}
	return isStalePlan(err)
}

// isPostgresConflict knows serialization failures, deadlocks and locks not had in time.
func isPostgresConflict(err error) bool {
	switch pgCode(err) {
	case "40001", "40P01", "55P03":
		return true
	}
	return false
}

func isReadOnly(err error) bool { return pgCode(err) == "25006" }

// isConnect reports that no connection came about.
func isConnect(err error) bool {
	_, ok := errors.AsType[*pgconn.ConnectError](err)
	return ok
}

// isLost reports that a connection turned out to have ended. One that does not answer has not.
func isLost(err error) bool {
	if isConnect(err) {
		return false
	}
	switch pgCode(err) {
	case "":
		return isNetwork(err) && !isTimeout(err)
	case "57P01", "57P02", "57P05", "25P03":
		return true
	}
	return false
}

func isNetwork(err error) bool {
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return true
	}
	return errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrUnexpectedEOF) ||
		pgconn.Timeout(err) || isTimeout(err)
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// isStalePlan reports that a statement was prepared before a migration changed what it
// returns. The driver then prepares it anew. Its code alone means any missing feature.
func isStalePlan(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "0A000" && e.Routine == "RevalidateCachedQuery"
}

// pgCode is the SQLSTATE, and empty for any other error.
func pgCode(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}
