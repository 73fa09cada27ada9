package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestOldLibrariesAreRefused(t *testing.T) {
	for version, ok := range map[string]bool{
		"3.51.2": false, "3.9.99": false, "2.99.99": false, "3.51.3": true, "3.53.4": true, "4.0.0": true, "new": false,
	} {
		if err := checkVersion(version); (err == nil) != ok {
			t.Errorf("checkVersion(%s) = %v", version, err)
		}
	}
}

func TestTimesKeepMicroseconds(t *testing.T) {
	east := time.FixedZone("east", 3600)
	at := time.Date(2026, 11, 22, 1, 2, 3, 456_789_999, east)
	want := time.Date(2026, 11, 22, 0, 2, 3, 456_789_000, time.UTC)
	if got := FromMicros(Micros(at)); !got.Equal(want) || got.Location() != time.UTC {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := FromNullMicros(NullMicros(at)); !got.Equal(want) || got.Location() != time.UTC {
		t.Errorf("nullable: got %v, want %v", got, want)
	}
	if NullMicros(time.Time{}).Valid || !FromNullMicros(sql.NullInt64{}).IsZero() {
		t.Error("the zero time is not NULL")
	}
}

// connectError is one that looks like the end of a context, as a dial out of time does.
func connectError(t *testing.T) error {
	t.Helper()
	config, err := pgconn.ParseConfig("postgres://h/d")
	if err != nil {
		t.Fatal(err)
	}
	config.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }
	config.DialFunc = func(context.Context, string, string) (net.Conn, error) { return nil, context.DeadlineExceeded }
	_, err = pgconn.ConnectConfig(t.Context(), config)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the error of the driver is %v", err)
	}
	return err
}

func TestUnavailableIsOnlyWhatSaysNothingAboutData(t *testing.T) {
	mine := errors.New("mine")
	for _, tt := range []struct {
		name string
		err  error
		want bool
	}{
		{"lost connection", driver.ErrBadConn, true},
		{"connection given back", sql.ErrConnDone, true},
		{"transaction rolled back beneath", fmt.Errorf("insert: %w", sql.ErrTxDone), true},
		{"no row", sql.ErrNoRows, false},
		{"cancelled", context.Canceled, false},
		{"out of time", fmt.Errorf("read: %w", context.DeadlineExceeded), false},
		{"another error", mine, false},
		{"dialled in vain", connectError(t), true},
		{"reset", &net.OpError{Op: "read", Err: syscall.ECONNRESET}, true},
		{"cut off", fmt.Errorf("read: %w", io.ErrUnexpectedEOF), true},
		{"no answer", os.ErrDeadlineExceeded, true},
		{"serialization failure", &pgconn.PgError{Code: "40001"}, true},
		{"deadlock", &pgconn.PgError{Code: "40P01"}, true},
		{"lock not had in time", &pgconn.PgError{Code: "55P03"}, true},
		{"statement out of time", &pgconn.PgError{Code: "57014"}, true},
		{"server shut down", &pgconn.PgError{Code: "57P01"}, true},
		{"server starting", &pgconn.PgError{Code: "57P03"}, true},
		{"protocol", &pgconn.PgError{Code: "08P01"}, true},
		{"disk full", &pgconn.PgError{Code: "53100"}, true},
		{"I/O error", &pgconn.PgError{Code: "58030"}, true},
		{"damage", &pgconn.PgError{Code: "XX001"}, true},
		{"read-only", &pgconn.PgError{Code: "25006"}, true},
		{"right taken away", &pgconn.PgError{Code: "42501"}, true},
		{"stale plan", &pgconn.PgError{Code: "0A000", Routine: "RevalidateCachedQuery"}, true},
		{"feature that does not exist", &pgconn.PgError{Code: "0A000"}, false},
		{"unique violation", &pgconn.PgError{Code: "23505"}, false},
		{"text that is none", &pgconn.PgError{Code: "22021"}, false},
		{"column that does not exist", &pgconn.PgError{Code: "42703"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Unavailable(tt.err)
			if errors.Is(got, ErrUnavailable) != tt.want {
				t.Errorf("Unavailable = %v", got)
			}
			if !errors.Is(got, tt.err) {
				t.Error("the cause is lost")
			}
			if again := Unavailable(got); strings.Count(again.Error(), ErrUnavailable.Error()) > 1 {
				t.Error("wrapped twice")
			}
		})
	}
	if Unavailable(nil) != nil {
		t.Error("nil is an error")
	}
}
