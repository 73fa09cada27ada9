package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/signet-issuer/signet/internal/secret"
)

// A request waits for a connection and then for answers, and has a second for all of it.
// The server gives up a statement before we give up the server, which costs a connection.
const (
	acquireLimit   = 400 * time.Millisecond
	answerLimit    = 800 * time.Millisecond
	margin         = 100 * time.Millisecond
	statementLimit = answerLimit - margin
	lockLimit      = 250 * time.Millisecond // shorter, as waiting for a lock is worth a retry
	slowLimit      = 10 * time.Second       // after AllowSlow
	idleInTxLimit  = 3 * time.Second        // a replica that stands still holds no lock for longer
)

const (
	// openLimit is how long the first connection is tried for: a server may be starting too.
	openLimit = 5 * time.Second
	openPause = 100 * time.Millisecond
	// minConns is two that write and two that read.
	minConns     = 4
	defaultConns = 16
	minHostLimit = 150 * time.Millisecond
	idleLimit    = 5 * time.Minute
	lifeLimit    = 30 * time.Minute
)

// PostgresConfig says which server to use and how.
type PostgresConfig struct {
	// URL is postgres://user:password@host:port/name?sslmode=verify-full, with several hosts
	// separated by commas if need be, and the parameters of libpq.
	URL secret.Text
	// MaxConns bounds the connections of this process: 16 when it is 0, at least 4. A quarter
	// of them write. A migration takes two more while it runs.
	MaxConns int
}

// postgres is what a DB on PostgreSQL has more than one on SQLite.
type postgres struct {
	config *pgx.ConnConfig
	hosts  int
}

// OpenPostgres opens a database of a PostgreSQL server, 13 or newer, and sees to it that every
// connection leads to a primary that keeps what it acknowledges. It waits five seconds for
// a server that does not answer. No error that it or the DB returns holds the password.
func OpenPostgres(ctx context.Context, c PostgresConfig) (*DB, error) {
	conns := c.MaxConns
	if conns == 0 {
		conns = defaultConns
	}
	if conns < minConns {
		return nil, fmt.Errorf("open database: %d connections are too few, at least %d are needed", conns, minConns)
	}
	p, err := newPostgres(c.URL.Reveal())
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	writers := max(2, conns/4)
	db := &DB{
		postgres: p,
		writer:   p.pool(writers, answerLimit, nil),
		readers:  p.pool(conns-writers, answerLimit, map[string]string{"default_transaction_read_only": "on"}),
	}
	if err := db.await(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), db.Close())
	}
	return db, nil
}

func newPostgres(url string) (*postgres, error) {
	config, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	p := &postgres{config: config, hosts: countHosts(config)}
	p.bound()
	return p, nil
}

func countHosts(config *pgx.ConnConfig) int {
	hosts := map[string]bool{config.Host + ":" + strconv.Itoa(int(config.Port)): true}
	for _, f := range config.Fallbacks { // each host stands there twice when TLS is optional
		hosts[f.Host+":"+strconv.Itoa(int(f.Port))] = true
	}
	return len(hosts)
}

// bound sets the limits and the parameters of a session, whatever the URL says of them.
func (p *postgres) bound() {
	// A host that hangs leaves time for the next.
	p.config.ConnectTimeout = max(acquireLimit/time.Duration(p.hosts), minHostLimit)
	p.config.LookupFunc = boundedLookup(p.config.LookupFunc)
	p.config.ValidateConnect = validate(p.config.ValidateConnect)
	maps.Copy(p.config.RuntimeParams, map[string]string{
		"client_encoding":                     "UTF8",
		"TimeZone":                            "UTC",
		"jit":                                 "off", // compiling takes longer than any of our statements
		"lock_timeout":                        millis(lockLimit),
		"idle_in_transaction_session_timeout": millis(idleInTxLimit),
		"statement_timeout":                   millis(statementLimit),
	})
	if p.config.RuntimeParams["application_name"] == "" {
		p.config.RuntimeParams["application_name"] = "signet"
	}
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func boundedLookup(lookup pgconn.LookupFunc) pgconn.LookupFunc {
	return func(ctx context.Context, host string) ([]string, error) {
		ctx, cancel := context.WithTimeout(ctx, acquireLimit)
		defer cancel()
		return lookup(ctx, host)
	}
}

// pool makes a pool whose connections wait for an answer as long as patience, or for ever
// when that is 0. It connects when it is used.
func (p *postgres) pool(conns int, patience time.Duration, params map[string]string) *sql.DB {
	config := p.config.Copy()
	maps.Copy(config.RuntimeParams, params)
	config.DialFunc = patientDial(patience)
	pool := sql.OpenDB(stdlib.GetConnector(*config,
		stdlib.OptionAfterConnect(setExpiry), stdlib.OptionResetSession(checkExpiry)))
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	pool.SetConnMaxIdleTime(idleLimit)
	return pool
}

// expiryKey is under which a connection knows when it is to be replaced: at a random time, so
// that they do not all go at once.
const expiryKey = "signet.expiry"

func setExpiry(_ context.Context, conn *pgx.Conn) error {
	conn.PgConn().CustomData()[expiryKey] = time.Now().Add(lifeLimit/2 + rand.N(lifeLimit/2))
	return nil
}

func checkExpiry(_ context.Context, conn *pgx.Conn) error {
	if at, ok := conn.PgConn().CustomData()[expiryKey].(time.Time); ok && time.Now().After(at) {
		return driver.ErrBadConn
	}
	return nil
}

// await connects both pools, again and again while the server may yet come up.
func (db *DB) await(ctx context.Context) error {
	var cause error // the last one that is not just the end of ctx
	for start := time.Now(); ; {
		err := db.connect(ctx)
		if cause == nil || ctx.Err() == nil {
			cause = err
		}
		final, text := db.postgres.final(err)
		switch {
		case err == nil:
			return nil
		case text != nil:
			return text
		case ctx.Err() != nil:
			return fmt.Errorf("%w: %w", ctx.Err(), Unavailable(cause))
		case final || time.Since(start) > openLimit:
			return Unavailable(err)
		}
		select {
		case <-time.After(openPause):
		case <-ctx.Done():
		}
	}
}

// final reports that trying again soon cannot help. Of a server that we refuse the refusal is
// all that needs to be said.
func (p *postgres) final(err error) (bool, error) {
	if r, ok := errors.AsType[refusal](err); ok && p.hosts == 1 {
		return true, r
	}
	switch code := pgCode(err); code {
	case "", "57P03", "53300": // no answer, starting up, too many connections
		return false, nil
	}
	return true, nil
}

func (db *DB) connect(ctx context.Context) error {
	for _, pool := range []*sql.DB{db.writer, db.readers} {
		conn, err := db.acquire(ctx, pool)
		if err != nil {
			return err
		}
		if err := conn.Close(); err != nil {
			return err
		}
	}
	return nil
}
