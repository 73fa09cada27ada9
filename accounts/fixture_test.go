package accounts_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/accounts/sqlstore"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/internal/sqldb"
)

const issuer = "https://signet.example"

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// comparers let cmp look into what keeps its fields to itself.
var comparers = cmp.Options{cmp.Comparer(authz.Set.Equal), cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{})}

// tb is what the fixture needs of a *testing.T and of a *rapid.T.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
	Cleanup(fn func())
	Context() context.Context
}

// fixture is a service on a real store in a temporary file.
type fixture struct {
	*accounts.Service
	t      tb
	db     *sqldb.DB
	store  *sqlstore.Store
	usage  *memoryUsage
	clock  *clock
	master secret.Key
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return openFixture(t, filepath.Join(t.TempDir(), "signet.db"))
}

// schema is a migrated database. Copying it is much faster than migrating each one.
var schema = sync.OnceValues(func() (file []byte, err error) {
	dir, err := os.MkdirTemp("", "signet-schema")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "signet.db")
	db, err := sqldb.OpenSQLite(context.Background(), path, sqldb.Normal)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(db.Migrate(context.Background(), sqldb.Migrations), db.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// openFixture has an administrator.
func openFixture(t tb, path string) *fixture {
	t.Helper()
	f := openUnused(t, path)
	f.Service = f.open(f.store)
	_, err := f.Bootstrap(t.Context(), false)
	must(t, err)
	return f
}

// openUnused has a schema, and no service yet.
func openUnused(t tb, path string) *fixture {
	t.Helper()
	migrated, err := schema()
	must(t, err)
	must(t, os.WriteFile(path, migrated, 0o600))
	db, err := sqldb.OpenSQLite(t.Context(), path, sqldb.Normal)
	must(t, err)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	master, _, err := secret.GenerateKey(rand.Reader)
	must(t, err)
	return &fixture{
		t: t, db: db, store: sqlstore.New(db, sqlstore.WithCache()), master: master,
		usage: &memoryUsage{newest: map[uuid.UUID]accounts.Use{}}, clock: &clock{at: start},
	}
}

// open makes a service that shares nothing with others but the store and the usage.
func (f *fixture) open(store accounts.Store) *accounts.Service {
	f.t.Helper()
	peppers, err := accounts.OpenPeppers(f.t.Context(), f.pepperConfig())
	must(f.t, err)
	return f.with(peppers, store)
}

func (f *fixture) with(peppers *accounts.Peppers, store accounts.Store) *accounts.Service {
	return accounts.NewService(accounts.Config{
		Store: store, Usage: f.usage, Peppers: peppers, Issuer: issuer,
		Now: f.clock.now, Random: rand.Reader, Log: slog.New(slog.DiscardHandler),
	})
}

func (f *fixture) pepperConfig() accounts.PepperConfig {
	return accounts.PepperConfig{Store: f.store, Master: f.master, Now: f.clock.now, Random: rand.Reader}
}

func operator() authz.Principal { return authz.Operator("signet:test") }

func (f *fixture) org(slug string) accounts.Org {
	f.t.Helper()
	org, _, err := f.CreateOrg(f.t.Context(), operator(), accounts.NewOrg{Slug: slug, Name: "Org " + slug})
	must(f.t, err)
	return org
}

func (f *fixture) account(org accounts.Org, in accounts.NewAccount) accounts.Issued {
	f.t.Helper()
	if in.Name == "" {
		in.Name = "Bot"
	}
	made, err := f.CreateAccount(f.t.Context(), operator(), accounts.ByID(org.ID), in)
	must(f.t, err)
	return made
}

func (f *fixture) role(org accounts.Org, slug string, patterns ...string) accounts.Role {
	f.t.Helper()
	role, _, err := f.CreateRole(f.t.Context(), operator(), accounts.ByID(org.ID), accounts.NewRole{
		Slug: slug, Name: "Role", Permissions: authz.MustSet(patterns...),
	})
	must(f.t, err)
	return role
}

func (f *fixture) group(org accounts.Org, roles []string, members ...uuid.UUID) accounts.Group {
	f.t.Helper()
	group, _, err := f.CreateGroup(f.t.Context(), operator(), accounts.ByID(org.ID), accounts.NewGroup{
		Name: "Group", Roles: roles, Members: members,
	})
	must(f.t, err)
	return group
}

func refTo(account accounts.ServiceAccount) accounts.AccountRef {
	return accounts.AccountRef{Org: accounts.ByID(account.OrgID), Account: accounts.ByID(account.ID)}
}

// admin is a caller of the org whose token carries all that is administrative of what it holds.
func admin(org accounts.Org, holds ...string) authz.Principal {
	all := authz.MustSet(holds...)
	return authz.Principal{
		OrgID: org.ID, System: org.ID == accounts.SystemOrgID,
		AccountID: uuid.New(), Subject: accounts.UserID(org.Slug, "tester"),
		Permissions: all.Intersect(authz.AdminScopes), Holds: all,
		CorrelationID: "correlation-1", Source: "192.0.2.1",
	}
}

func (f *fixture) systemOrg() accounts.Org {
	f.t.Helper()
	org, err := f.Org(f.t.Context(), operator(), accounts.BySlug(accounts.SystemOrg))
	must(f.t, err)
	return org
}

func (f *fixture) authenticate(clientID string, value secret.Text) (accounts.Standing, error) {
	client, err := f.Authenticate(f.t.Context(), accounts.Claim{ID: clientID, From: netip.MustParseAddr("192.0.2.7")},
		accounts.SecretProof{Secret: value})
	return client.Standing(), err
}

func (f *fixture) alive(clientID string, value secret.Text) accounts.Standing {
	f.t.Helper()
	standing, err := f.authenticate(clientID, value)
	must(f.t, err)
	return standing
}

func (f *fixture) dead(clientID string, value secret.Text) {
	f.t.Helper()
	if _, err := f.authenticate(clientID, value); err != accounts.ErrUnauthenticated { //nolint:errorlint // the very value: no cause may shine through
		f.t.Fatalf("authenticate: %v, want exactly ErrUnauthenticated", err)
	}
}

func (f *fixture) auditRows() int {
	f.t.Helper()
	var n int
	must(f.t, f.db.Read(f.t.Context(), func(tx *sqldb.Tx) error {
		return tx.QueryRowContext(f.t.Context(), "SELECT count(*) FROM audit_events").Scan(&n)
	}))
	return n
}

// dump is every row of every table.
func (f *fixture) dump() string {
	f.t.Helper()
	var out strings.Builder
	must(f.t, f.db.Read(f.t.Context(), func(tx *sqldb.Tx) error {
		var tables []string
		err := each(f, tx, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name", func(row *sql.Rows) error {
			tables = append(tables, "")
			return row.Scan(&tables[len(tables)-1])
		})
		for _, table := range tables {
			err = errors.Join(err, dumpTable(f, tx, &out, table))
		}
		return err
	}))
	return out.String()
}

// each calls scan for every row of a query.
func each(f *fixture, tx *sqldb.Tx, query string, scan func(*sql.Rows) error) (err error) {
	rows, err := tx.QueryContext(f.t.Context(), query)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func dumpTable(f *fixture, tx *sqldb.Tx, out *strings.Builder, table string) error {
	return each(f, tx, "SELECT * FROM "+table+" ORDER BY 1, 2", func(row *sql.Rows) error {
		names, err := row.Columns()
		if err != nil {
			return err
		}
		fields, targets := make([]sql.RawBytes, len(names)), make([]any, len(names))
		for i := range fields {
			targets[i] = &fields[i]
		}
		err = row.Scan(targets...)
		fmt.Fprintf(out, "%s %q\n", table, fields)
		return err
	})
}

// unchanged runs a write that must fail, and checks that it left nothing behind (I17, I44).
func (f *fixture) unchanged(write func() error) error {
	f.t.Helper()
	before := f.dump()
	err := write()
	if err == nil {
		f.t.Fatalf("the write succeeded")
	}
	if f.dump() != before {
		f.t.Errorf("a write that failed (%v) left a trace", err)
	}
	return err
}

// recorded runs a write that must succeed, and checks that it left one audit row of the type.
func (f *fixture) recorded(org accounts.Ref, eventType string, write func() error) {
	f.t.Helper()
	before := f.auditRows()
	if err := write(); err != nil {
		f.t.Fatalf("%s: %v", eventType, err)
	}
	if rows := f.auditRows() - before; rows != 1 {
		f.t.Errorf("%s left %d audit rows", eventType, rows)
	}
	events, _, err := f.AuditEvents(f.t.Context(), operator(), org, accounts.AuditQuery{Limit: 1})
	must(f.t, err)
	if len(events) != 1 || events[0].Type != eventType {
		f.t.Errorf("newest event %+v, want %s", events, eventType)
	}
}

func must(t tb, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
}

func wantErr(t tb, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error %v, want %v", err, target)
	}
}

// wantInvalid checks the names of the fields that an error lists.
func wantInvalid(t tb, err error, fields ...string) {
	t.Helper()
	invalid, ok := errors.AsType[*accounts.InvalidError](err)
	if !ok {
		t.Errorf("error %v, want an InvalidError about %v", err, fields)
		return
	}
	var named []string
	for _, field := range invalid.Fields {
		if !slices.Contains(named, field.Field) {
			named = append(named, field.Field)
		}
	}
	slices.Sort(named)
	slices.Sort(fields)
	if !slices.Equal(named, fields) {
		t.Errorf("fields %v, want %v", named, fields)
	}
}

// wantDenied checks for a refusal that names the permission; empty: no permission would do.
func wantDenied(t tb, err error, permission authz.Pattern) {
	t.Helper()
	denied, ok := errors.AsType[*authz.DeniedError](err)
	if !ok || denied.Permission != permission {
		t.Errorf("error %v (%T), want a refusal for %q", err, err, permission)
	}
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func ids(list ...accounts.ServiceAccount) []uuid.UUID {
	ids := make([]uuid.UUID, len(list))
	for i, account := range list {
		ids[i] = account.ID
	}
	return ids
}
