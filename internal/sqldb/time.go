package sqldb

import (
	"database/sql"
	"time"
)

// Micros is how a time is stored: microseconds since 1970.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// FromMicros reads a stored time, in UTC.
func FromMicros(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// NullMicros stores the zero time as NULL.
func NullMicros(t time.Time) sql.NullInt64 {
	if t.IsZero() {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: Micros(t), Valid: true}
}

// FromNullMicros reads NULL as the zero time.
func FromNullMicros(micros sql.NullInt64) time.Time {
	if !micros.Valid {
		return time.Time{}
	}
	return FromMicros(micros.Int64)
}
