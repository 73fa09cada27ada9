package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
)

// ErrUnavailable reports that the database could not be asked: nothing is known about
// the data, nor whether a write that ended so has happened.
var ErrUnavailable = errors.New("database is unavailable")

type unavailableError struct{ cause error }

func (e *unavailableError) Error() string   { return ErrUnavailable.Error() + ": " + e.cause.Error() }
func (e *unavailableError) Unwrap() []error { return []error{ErrUnavailable, e.cause} }

// Unavailable returns err, wrapped in [ErrUnavailable] when it is a failure of the
// connection, the disk or a lock. Ends of a context and errors about data stay as they are.
func Unavailable(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrUnavailable):
		return err
	case isConnect(err): // first, as running out of time to connect looks like the end of a context
		return &unavailableError{cause: err}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone), errors.Is(err, sql.ErrTxDone),
		conflicts(err), isSQLiteFailure(err), isPostgresFailure(err):
		return &unavailableError{cause: err}
	}
	return err
}

// IsUnique reports whether err is the violation of a primary key or unique index.
func IsUnique(err error) bool { return isSQLiteUnique(err) || pgCode(err) == "23505" }

// IsForeignKey reports whether err is the violation of a foreign key.
func IsForeignKey(err error) bool { return isSQLiteForeignKey(err) || pgCode(err) == "23503" }

// conflicts reports that a transaction met another one, and has surely not happened.
func conflicts(err error) bool { return isSQLiteBusy(err) || isPostgresConflict(err) }

// repeatable reports that the statement failed for a reason that lay in its connection, so
// that another one is worth a try. Of a commit it says nothing.
func repeatable(err error) bool {
	return errors.Is(err, driver.ErrBadConn) || isLost(err) || isStalePlan(err)
}
