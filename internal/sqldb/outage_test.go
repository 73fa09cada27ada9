package sqldb_test

import (
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signet-issuer/signet/internal/engines"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/internal/sqldb"
)

// aSecond is how long a call may take when the database is gone, with some room for a
// machine that runs other tests too.
const aSecond = time.Second + 250*time.Millisecond

// ownServer starts a PostgreSQL that a test may disturb, with a database to be used.
func ownServer(t *testing.T, settings ...string) (server *engines.Postgres, url string) {
	t.Helper()
	server, err := engines.StartPostgres(t.Context(), t.TempDir(), settings...)
	engines.Check(t, err)
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := server.CreateDatabase(t.Context(), "signet"); err != nil {
		t.Fatal(err)
	}
	return server, server.URL("signet")
}

// calls are all the ways to ask a database.
func calls(t *testing.T, db *sqldb.DB) map[string]func() error {
	ctx, query := t.Context(), "SELECT text FROM notes WHERE id = $1"
	read := func(tx *sqldb.Tx) error {
		var text string
		return tx.QueryRowContext(ctx, query, 1).Scan(&text)
	}
	write := func(tx *sqldb.Tx) error {
		return errors.Join(read(tx), exec(t, tx, "UPDATE notes SET text = $2 WHERE id = $1", 1, "x"))
	}
	return map[string]func() error{
		"Each":  func() error { return one(t, db, new(string), query, 1) },
		"Read":  func() error { return db.Read(ctx, read) },
		"Write": func() error { return db.Write(ctx, write) },
		"Merge": func() error { return db.Merge(ctx, write) },
		"Ping":  func() error { return db.Ping(ctx) },
		"QueryContext": func() error {
			rows, err := db.QueryContext(ctx, query, 1)
			if err != nil {
				return err
			}
			defer func() { _ = rows.Close() }()
			return rows.Err()
		},
	}
}

// storm makes every call a few times at once, and demands the outcome of each within a second.
func storm(t *testing.T, db *sqldb.DB, check func(err error) bool, but ...string) {
	t.Helper()
	var group sync.WaitGroup
	for name, call := range calls(t, db) {
		if slices.Contains(but, name) {
			continue
		}
		for range 5 {
			group.Go(func() {
				start := time.Now()
				err := call()
				if took := time.Since(start); took > aSecond {
					t.Errorf("%s took %v", name, took)
				}
				if !check(err) {
					t.Errorf("%s = %v", name, err)
				}
			})
		}
	}
	group.Wait()
}

func unavailable(err error) bool { return errors.Is(err, sqldb.ErrUnavailable) }
func fine(err error) bool        { return err == nil }

// goroutines counts all but those of the test's own links.
func goroutines() (n int, stacks string) {
	buffer := make([]byte, 4<<20)
	stacks = string(buffer[:runtime.Stack(buffer, true)])
	for one := range strings.SplitSeq(stacks, "\n\n") {
		if !strings.Contains(one, "proxy_test.go") {
			n++
		}
	}
	return n, stacks
}

// settle waits until there are as many goroutines as before.
func settle(t *testing.T, before int) {
	t.Helper()
	for deadline := time.Now().Add(4 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		n, stacks := goroutines()
		if n <= before {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%d goroutines, %d before:\n%s", n, before, stacks)
			return
		}
	}
}

// eventually calls until there is no error, for two seconds.
func eventually(t *testing.T, call func() error) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := call()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestF11_F12_EveryOutageIsShortAndHeals(t *testing.T) {
	server, url := ownServer(t)
	migrate(t, openPostgres(t, url))
	way, through := newLink(t, url)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name       string
		hurt, heal func()
	}{
		{"killed", func() { check(server.Kill()) }, func() { check(server.Restart(t.Context())) }},
		{"hung", func() { check(server.Pause()) }, func() { check(server.Resume()) }},
		{"unreachable", way.swallow, way.pass},
		{"cut off", way.cut, way.mend},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db := openPostgres(t, through)
			if err := run(t, db, "INSERT INTO notes (id, text) VALUES (1, 'x') ON CONFLICT (id) DO NOTHING"); err != nil {
				t.Fatal(err)
			}
			storm(t, db, fine)
			before, _ := goroutines()
			tt.hurt()
			for range 3 {
				storm(t, db, unavailable)
			}
			settle(t, before)
			tt.heal()
			eventually(t, func() error { return db.Ping(t.Context()) })
			storm(t, db, fine)
		})
	}
}

// What ends idle connections must cost no request.
func TestF12_IdleConnectionsMayEnd(t *testing.T) {
	server, url := ownServer(t)
	way, through := newLink(t, url)
	db := openPostgres(t, through)
	migrate(t, db)
	if err := insert(t, db, 1, "x"); err != nil {
		t.Fatal(err)
	}
	for name, end := range map[string]func() error{
		"reset":     func() error { way.reset(); return nil },
		"restarted": func() error { return server.Restart(t.Context()) },
		"terminated": func() error {
			return server.Exec(t.Context(), "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'signet'")
		},
	} {
		t.Run(name, func(t *testing.T) {
			storm(t, db, fine)
			if err := end(); err != nil {
				t.Fatal(err)
			}
			storm(t, db, fine)
		})
	}
}

func TestF12_APoolThatIsInUseRefusesInTime(t *testing.T) {
	url := engines.Database(t)
	db := openPostgres(t, url)
	migrate(t, db)
	if err := insert(t, db, 1, "x"); err != nil {
		t.Fatal(err)
	}
	var group, held sync.WaitGroup
	for range 12 {
		held.Add(1)
		group.Go(func() {
			err := db.Read(t.Context(), func(tx *sqldb.Tx) error {
				err := tx.AllowSlow(t.Context())
				held.Done()
				return errors.Join(err, exec(t, tx, "SELECT pg_sleep(2)"))
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	held.Wait()
	storm(t, db, unavailable, "Write", "Merge")
	if err := calls(t, db)["Write"](); err != nil {
		t.Errorf("Write has connections of its own, and yet: %v", err)
	}
	group.Wait()
	storm(t, db, fine)
}

func TestF12_AServerWithoutRoomRefusesInTime(t *testing.T) {
	server, url := ownServer(t, "max_connections=24", "superuser_reserved_connections=0")
	db := openPostgres(t, url)
	migrate(t, db)
	if err := insert(t, db, 1, "x"); err != nil {
		t.Fatal(err)
	}
	if err := server.Exec(t.Context(), "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'signet'"); err != nil {
		t.Fatal(err)
	}
	crowd, err := sql.Open("pgx", server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	var members []*sql.Conn
	for { // until there is no room
		conn, err := crowd.Conn(t.Context())
		if err != nil {
			break
		}
		members = append(members, conn)
	}
	storm(t, db, unavailable)
	for _, conn := range members {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := crowd.Close(); err != nil {
		t.Error(err)
	}
	eventually(t, calls(t, db)["Write"])
	eventually(t, calls(t, db)["Each"])
}

// A server that became read-only under its connections, as after a failover behind an
// address that stayed, is left as soon as a write meets it.
func TestF12_AReadOnlyDatabaseStopsWritesAlone(t *testing.T) {
	db := openPostgres(t, engines.Database(t))
	migrate(t, db)
	if err := insert(t, db, 1, "x"); err != nil {
		t.Fatal(err)
	}
	var name string
	if err := one(t, db, &name, "SELECT current_database()"); err != nil {
		t.Fatal(err)
	}
	turn := func(on string) {
		t.Helper()
		if err := run(t, db, "SET TRANSACTION READ WRITE", fmt.Sprintf("ALTER DATABASE %s SET default_transaction_read_only = %s", name, on),
			"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"); err != nil {
			t.Fatal(err)
		}
	}
	turn("on")
	// The connection that turned it on is writable still, and goes at such an error.
	if err := run(t, db, "SET TRANSACTION READ ONLY", "DELETE FROM notes"); !errors.Is(err, sqldb.ErrUnavailable) {
		t.Fatal(err)
	}
	storm(t, db, unavailable, "Read", "Each", "QueryContext", "Ping")
	storm(t, db, fine, "Write", "Merge")
	turn("off")
	storm(t, db, fine)
}

func TestI44_ARightTakenAwayIsAnOutage(t *testing.T) {
	url := engines.Database(t)
	owner := openPostgres(t, url)
	migrate(t, owner)
	err := run(t, owner, "DROP ROLE IF EXISTS sqldb_app", "CREATE ROLE sqldb_app LOGIN", "GRANT SELECT, INSERT ON notes TO sqldb_app")
	if err != nil {
		t.Fatal(err)
	}
	app, err := sqldb.OpenPostgres(t.Context(), sqldb.PostgresConfig{URL: secret.New(asUser(url, "sqldb_app")), MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, app)
	if err := insert(t, app, 1, "x"); err != nil {
		t.Fatal(err)
	}
	if err := run(t, owner, "REVOKE INSERT ON notes FROM sqldb_app"); err != nil {
		t.Fatal(err)
	}
	if err := insert(t, app, 2, "y"); !errors.Is(err, sqldb.ErrUnavailable) {
		t.Errorf("Write = %v, want ErrUnavailable", err)
	}
}
