package tokens_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/audit"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/internal/sqldb"
	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/sqlstore"
)

const issuerURL = "https://id.example.com"

var (
	silent = slog.New(slog.NewTextHandler(io.Discard, nil))
	root   = authz.Principal{
		System: true, AccountID: uuid.New(), Subject: "sa:system:root",
		Permissions: authz.MustSet("*"), Holds: authz.MustSet("*"),
	}
)

// clock is the time of a test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// migrated is the file of an empty database, so that each test needs only a copy.
var migrated = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "signet-tokens-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path, ctx := filepath.Join(dir, "signet.db"), context.Background()
	db, err := sqldb.OpenSQLite(ctx, path, sqldb.Normal)
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, sqldb.Migrations); err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func openDB(t testing.TB) *sqldb.DB {
	t.Helper()
	content, err := migrated()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "signet.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sqldb.OpenSQLite(t.Context(), path, sqldb.Normal)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func newMaster(t testing.TB) secret.Key {
	t.Helper()
	master, _, err := secret.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return master
}

// newConfig is the default configuration on a fresh database.
func newConfig(t testing.TB, now func() time.Time) tokens.KeysConfig {
	t.Helper()
	return tokens.KeysConfig{
		Store: sqlstore.New(openDB(t)), Master: newMaster(t), Algorithm: tokens.ES256,
		JWKSMaxAge: 5 * time.Minute, Rotation: 720 * time.Hour, MaxLifetime: time.Hour,
		Now: now, Random: rand.Reader, Log: silent,
	}
}

func openKeys(t testing.TB, cfg tokens.KeysConfig) *tokens.Keys {
	t.Helper()
	keys, err := tokens.OpenKeys(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// recorder is what Live and Usage were told.
type recorder struct {
	mu     sync.Mutex
	tokens []tokens.LiveToken
	uses   []accounts.Use
}

func (r *recorder) Add(token tokens.LiveToken) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tokens = append(r.tokens, token)
}

func (r *recorder) Touch(use accounts.Use) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.uses = append(r.uses, use)
}

func (r *recorder) List(_ context.Context, accountID uuid.UUID) ([]tokens.LiveToken, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []tokens.LiveToken
	for _, token := range r.tokens {
		if token.AccountID == accountID {
			list = append(list, token)
		}
	}
	return list, nil
}

func (r *recorder) Forget(context.Context, uuid.UUID, string) error { return nil }

func newIssuerConfig(keys *tokens.Keys, now func() time.Time) (tokens.IssuerConfig, *recorder) {
	r := &recorder{}
	return tokens.IssuerConfig{
		Keys: keys, Issuer: issuerURL, Live: r, Usage: r,
		DefaultLifetime: 15 * time.Minute, MaxLifetime: time.Hour, Now: now, Random: rand.Reader,
	}, r
}

func newIssuer(t testing.TB, cfg tokens.IssuerConfig) *tokens.Issuer {
	t.Helper()
	issuer, err := tokens.NewIssuer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return issuer
}

// newStanding is of an account of acme that may read and write on two resource servers.
func newStanding() accounts.Standing {
	return accounts.Standing{
		OrgID: uuid.New(), OrgSlug: "acme", Audiences: []string{"https://api.acme.example", "urn:acme:files"},
		AccountID: uuid.New(), AccountSlug: "bot", CredentialID: uuid.New(), ClientID: "abcdefghijklmnopqrstuvwxyz",
		Kind: accounts.KindSecret, SecretID: uuid.New(), SecretSeq: 3,
		RolePermissions: authz.MustSet("api:read", "api:write"), Gen: 7,
	}
}

type fixedProof struct{ standing accounts.Standing }

func (p fixedProof) Prove(context.Context, accounts.Directory) (accounts.Standing, error) {
	return p.standing, nil
}

// newClient goes the only way there is to a client.
func newClient(t testing.TB, standing accounts.Standing, now func() time.Time) accounts.Client {
	t.Helper()
	service := accounts.NewService(accounts.Config{Now: now, Random: rand.Reader, Log: silent})
	client, err := service.Authenticate(t.Context(), accounts.Claim{ID: standing.ClientID}, fixedProof{standing})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func unmarshal(t testing.TB, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// parts decodes header and payload without verifying.
func parts(t testing.TB, token string) (header, payload map[string]any) {
	t.Helper()
	fields := strings.Split(token, ".")
	if len(fields) != 3 {
		t.Fatalf("a token has %d parts", len(fields))
	}
	for i, into := range []*map[string]any{&header, &payload} {
		raw, err := base64.RawURLEncoding.DecodeString(fields[i])
		if err != nil {
			t.Fatal(err)
		}
		unmarshal(t, raw, into)
	}
	return header, payload
}

// keyEvents lists the types of the audit events about keys, oldest first, with their actors.
func keyEvents(t testing.TB, db *sqldb.DB) []string {
	t.Helper()
	var list []string
	err := db.Read(t.Context(), func(tx *sqldb.Tx) error {
		events, err := audit.Find(t.Context(), tx, audit.Query{OrgID: accounts.SystemOrgID, Limit: 1000})
		for _, event := range events {
			list = append([]string{event.Type + " by " + event.Actor}, list...)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
