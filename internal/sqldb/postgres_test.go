package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signet-issuer/signet/internal/engines"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/internal/sqldb"
)

// asUser is url for another user, whose password is asked for by nobody.
func asUser(url, userinfo string) string {
	_, rest, _ := strings.Cut(url, "@")
	return "postgres://" + userinfo + "@" + rest
}

func refusedFor(t *testing.T, url string) string {
	t.Helper()
	db, err := sqldb.OpenPostgres(t.Context(), sqldb.PostgresConfig{URL: secret.New(url)})
	if err == nil {
		_ = db.Close()
		return "nothing"
	}
	if errors.Is(err, sqldb.ErrUnavailable) {
		t.Errorf("%v: reads as an outage, and will not pass", err)
	}
	return err.Error()
}

func TestI16_ServersThatLoseWritesAreRefused(t *testing.T) {
	server, url := ownServer(t, "fsync=off", "full_page_writes=on")
	if text := refusedFor(t, url); !strings.Contains(text, "fsync = on") {
		t.Errorf("fsync is off, refused for %s", text)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}

	server, url = ownServer(t)
	ctx := t.Context()
	for _, tt := range []struct{ name, set, reset, want string }{
		{"full pages", "ALTER SYSTEM SET full_page_writes = off", "ALTER SYSTEM RESET full_page_writes", "full_page_writes = on"},
		{"commit of the database", "ALTER DATABASE signet SET synchronous_commit = off", "ALTER DATABASE signet RESET synchronous_commit", "synchronous_commit is off"},
		{"commit of the role", "ALTER ROLE signet SET synchronous_commit = off", "ALTER ROLE signet RESET synchronous_commit", "synchronous_commit is off"},
		{"commit that is local", "ALTER ROLE signet SET synchronous_commit = local", "ALTER ROLE signet RESET synchronous_commit", "nothing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			change := func(statement string) {
				if err := server.Exec(ctx, "postgres", statement); err != nil {
					t.Fatal(err)
				}
				if err := server.Exec(ctx, "postgres", "SELECT pg_reload_conf(), pg_sleep(0.3)"); err != nil {
					t.Fatal(err)
				}
			}
			change(tt.set)
			if text := refusedFor(t, url); !strings.Contains(text, tt.want) {
				t.Errorf("refused for %s", text)
			}
			change(tt.reset)
			if text := refusedFor(t, url); text != "nothing" {
				t.Errorf("once it is repaired: refused for %s", text)
			}
		})
	}
	if text := refusedFor(t, url+"&options=-csynchronous_commit%3Doff"); !strings.Contains(text, "synchronous_commit is off") {
		t.Errorf("switched off by the URL, refused for %s", text)
	}
	if err := server.Exec(ctx, "postgres", "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0"); err != nil {
		t.Fatal(err)
	}
	if text := refusedFor(t, server.URL("latin")); !strings.Contains(text, "ENCODING 'UTF8'") {
		t.Errorf("the encoding is LATIN1, refused for %s", text)
	}
}

func TestAStandbyIsPassedOverForThePrimary(t *testing.T) {
	primary := engines.Database(t)
	_, host, _ := strings.Cut(primary, "@")
	name, _, _ := strings.Cut(host[strings.Index(host, "/")+1:], "?")
	standby, _ := ownServer(t)
	if err := standby.CreateDatabase(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dataFolder(t, standby), "standby.signal"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := standby.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if text := refusedFor(t, standby.URL(name)); !strings.Contains(text, "is a standby") {
		t.Errorf("refused for %s", text)
	}
	db := openPostgres(t, "postgres://signet@"+standby.Addr()+","+host)
	migrate(t, db)
	if err := insert(t, db, 1, "x"); err != nil {
		t.Errorf("with both in the URL: %v", err)
	}
}

func dataFolder(t *testing.T, server *engines.Postgres) string {
	t.Helper()
	row, err := server.Query(t.Context(), "postgres", "SHOW data_directory")
	if err != nil || len(row) != 1 {
		t.Fatalf("%v, %v", row, err)
	}
	return row[0]
}

func TestSessionsAreAsTheyShouldBe(t *testing.T) {
	for name, tt := range map[string]struct{ parameters, application string }{
		"by default":               {"", "signet"},
		"whatever the URL demands": {"&application_name=other&options=-cstatement_timeout%3D0%20-cTimeZone%3DAsia/Tokyo&connect_timeout=60", "other"},
	} {
		t.Run(name, func(t *testing.T) {
			db := openPostgres(t, engines.Database(t)+tt.parameters)
			show := func(tx *sqldb.Tx, setting string) (value string) {
				if err := tx.QueryRowContext(t.Context(), "SELECT current_setting($1)", setting).Scan(&value); err != nil {
					t.Fatal(err)
				}
				return value
			}
			for level, call := range map[string]func(context.Context, func(*sqldb.Tx) error) error{
				"repeatable read": db.Read, "serializable": db.Write, "read committed": db.Merge,
			} {
				err := call(t.Context(), func(tx *sqldb.Tx) error {
					for setting, want := range map[string]string{
						"transaction_isolation":               level,
						"application_name":                    tt.application,
						"TimeZone":                            "UTC",
						"statement_timeout":                   "700ms",
						"lock_timeout":                        "250ms",
						"idle_in_transaction_session_timeout": "3s",
						"synchronous_commit":                  "on",
					} {
						if got := show(tx, setting); got != want {
							t.Errorf("%s: %s is %s, want %s", level, setting, got, want)
						}
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestAReaderDoesNotWriteOnPostgreSQL(t *testing.T) {
	db := openPostgres(t, engines.Database(t))
	migrate(t, db)
	const statement = "INSERT INTO notes (id, text) VALUES (1, 'x') RETURNING id"
	err := db.Read(t.Context(), func(tx *sqldb.Tx) error { return exec(t, tx, statement) })
	if err == nil {
		t.Error("Read wrote")
	}
	if err := one(t, db, new(int), statement); err == nil {
		t.Error("Each wrote")
	}
	if n := count(t, db); n != 0 {
		t.Errorf("%d rows", n)
	}
}

func TestStatementsArePreparedOnce(t *testing.T) {
	db := openPostgres(t, engines.Database(t))
	migrate(t, db)
	const query = "SELECT id FROM notes WHERE text = $1"
	for range 3 {
		if err := one(t, db, new(int), query, "x"); err != nil {
			t.Fatal(err)
		}
	}
	var n int // on the connection that was used last
	if err := one(t, db, &n, "SELECT generic_plans + custom_plans FROM pg_prepared_statements WHERE statement = $1", query); err != nil || n != 3 {
		t.Errorf("the prepared statement ran %d times, %v, want 3", n, err)
	}
}

func TestPoolsAreAsLargeAsAllowed(t *testing.T) {
	const most = 6
	url := engines.Database(t)
	db, err := sqldb.OpenPostgres(t.Context(), sqldb.PostgresConfig{URL: secret.New(url + "&application_name=counted"), MaxConns: most})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, db)
	migrate(t, db)
	if err := insert(t, db, 1, "x"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		storm(t, db, fine)
	}
	var n int
	if err := one(t, db, &n, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'counted'"); err != nil {
		t.Fatal(err)
	}
	if n < 3 || n > most {
		t.Errorf("%d connections, want at most %d", n, most)
	}
	_, err = sqldb.OpenPostgres(t.Context(), sqldb.PostgresConfig{URL: secret.New(url), MaxConns: 3})
	if err == nil || !strings.Contains(err.Error(), "at least 4") {
		t.Errorf("3 connections: %v", err)
	}
}

func TestASlowStatementEndsAloneOrIsAllowed(t *testing.T) {
	db := openPostgres(t, engines.Database(t))
	sleep := func(allow bool) (pid int, err error) {
		return pid, db.Write(t.Context(), func(tx *sqldb.Tx) error {
			if err := tx.QueryRowContext(t.Context(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
				return err
			}
			if allow {
				if err := tx.AllowSlow(t.Context()); err != nil {
					return err
				}
			}
			return exec(t, tx, "SELECT pg_sleep(1.2)")
		})
	}
	first, err := sleep(false)
	if !errors.Is(err, sqldb.ErrUnavailable) {
		t.Errorf("slow: %v, want ErrUnavailable", err)
	}
	second, err := sleep(true)
	if err != nil {
		t.Errorf("slow and allowed: %v", err)
	}
	third, err := sleep(false)
	if !errors.Is(err, sqldb.ErrUnavailable) {
		t.Errorf("slow, once it was allowed: %v, want ErrUnavailable", err)
	}
	if first != second || second != third {
		t.Errorf("the connections were %d, %d, %d: a slow statement cost one", first, second, third)
	}
}

func TestOpeningWaitsForAServerThatStarts(t *testing.T) {
	server, url := ownServer(t)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := sqldb.OpenPostgres(ctx, sqldb.PostgresConfig{URL: secret.New(url)})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("a server that is down: %v, want the end of ctx and why", err)
	}
	failed := make(chan error, 1)
	go func() {
		time.Sleep(300 * time.Millisecond)
		failed <- server.Restart(t.Context())
	}()
	openPostgres(t, url)
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
}

const canary = "CaNaRy"

// Wherever a mistake may put the password, no error repeats it.
func TestI29_NoErrorHoldsThePassword(t *testing.T) {
	url := engines.Database(t)
	_, host, _ := strings.Cut(url, "@")
	gone := "127.0.0.1:1/db?sslmode=disable"
	for _, bad := range []string{
		"", canary, "host=h password=" + canary, "mysql://u:" + canary + "@h/db", "postgres:/u:" + canary + "@h/db",
		"postgres://u:" + canary, "postgres://u:" + canary + "/db", "postgres://u:" + canary + "%40h/db", "postgres://u%3A" + canary + "%40h/db",
		"postgres:///u%3A" + canary + "%40h", "postgres://u%3A" + canary + "@" + gone,
		"postgres://u:12/" + canary + "@" + gone, "postgres://u:x?" + canary + "@" + gone, "postgres://u:x#" + canary + "@" + gone,
		"postgres://u:x@" + canary + "@" + gone, "postgres://u:" + canary + "@x@" + gone, "postgres://u:%zz" + canary + "@" + gone,
		"postgres://u:" + canary + " @" + gone, "postgres://u:" + canary + "\x00@" + gone, "postgres://u:[" + canary + "@" + gone,
		"postgres://u:" + canary + "@h:port/db", "postgres://u:" + canary + "@h:1,h:2,h:x/db", "postgres://u:" + canary + "@[::1/db",
		"postgres://u:" + canary + "@" + gone + "&sslmode=" + canary, "postgres://u:" + canary + "@" + gone + "&" + canary + "=1",
		"postgres://u@" + gone + "&password=" + canary + "&target_session_attrs=x", "postgres://u:" + canary + "@h/db?sslrootcert=" + canary + "&sslmode=verify-full",
		"postgres://u:" + canary + "@h/db?sslcert=/absent/" + canary + "&sslkey=/absent", "postgres://u:" + canary + "@h/db?service=x",
		"postgres://u:" + canary + "@h/db?options=-c%20x=1&pool_max_conns=2",
		"postgres://u:" + canary + "@" + gone, "postgres://u:" + canary + "@absent.invalid/db", "postgres://absent:" + canary + "@" + host,
		"postgres://signet:" + canary + "@" + strings.Replace(host, "/", "/absent", 1),
		"postgres://signet:" + canary + "@" + strings.Replace(host, "sslmode=disable", "sslmode=require", 1),
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		_, err := sqldb.OpenPostgres(ctx, sqldb.PostgresConfig{URL: secret.New(bad)})
		cancel()
		if err == nil {
			t.Errorf("%q was opened", bad)
			continue
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if text := fmt.Sprintf("%v %+v %#v", e, e, e); strings.Contains(text, canary) {
				t.Errorf("%q: %s", bad, text)
			}
		}
	}
}
