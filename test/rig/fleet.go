package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/signet-issuer/signet/internal/engines"
)

// fleetConfig says what to start.
type fleetConfig struct {
	folder   string // new or empty; everything of the fleet is in it
	binary   string
	replicas int
	engine   string   // "sqlite" or "postgres"
	state    string   // "local", "redis", "sentinel" or "cluster"
	env      []string // of every replica, over what the fleet sets
}

// login is a credential.
type login struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

// fleet is replicas of one issuer with their engines. Between each replica and PostgreSQL, and
// between each replica and Redis, is a proxy. The nodes of a Sentinel or a Cluster tell clients
// each other's addresses, so there the links have no proxy and the nodes themselves are broken.
type fleet struct {
	cfg      fleetConfig
	issuer   string // where the balancer of the stage is; nothing listens there
	admin    login
	replicas []*replica
	postgres *engines.Postgres // nil with SQLite
	redis    *engines.Redis    // nil unless state is "redis"
	sentinel *engines.Sentinel // nil unless state is "sentinel"
	cluster  *engines.Cluster  // nil unless state is "cluster"

	sqlURL, cacheURL string
	sqlLinks         []*proxy
	cacheLinks       []*proxy
}

// startFleet starts everything and returns when every replica is ready. Close it also after an error.
func startFleet(ctx context.Context, cfg fleetConfig) (*fleet, error) {
	f := &fleet{cfg: cfg}
	if cfg.engine == "sqlite" && cfg.replicas != 1 {
		return f, errors.New("one data directory has one server")
	}
	if err := os.MkdirAll(cfg.folder, 0o755); err != nil {
		return f, err
	}
	// PostgreSQL runs as a user of its own when the rig runs as root.
	if err := os.Chmod(cfg.folder, 0o755); err != nil { //nolint:gosec // it holds nothing but what is made here
		return f, err
	}
	if err := f.startSQL(ctx); err != nil {
		return f, err
	}
	if err := f.startState(ctx); err != nil {
		return f, err
	}
	if err := f.makeReplicas(ctx); err != nil {
		return f, err
	}
	if err := f.bootstrap(ctx); err != nil {
		return f, err
	}
	for _, r := range f.replicas {
		if _, err := r.start(ctx); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (f *fleet) replica(i int) *replica { return f.replicas[i] }

// sql is the link of a replica to PostgreSQL.
func (f *fleet) sql(i int) *proxy { return f.sqlLinks[i] }

func (f *fleet) makeReplicas(ctx context.Context) error {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	master := filepath.Join(f.cfg.folder, "master.key")
	if err := os.WriteFile(master, []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600); err != nil {
		return err
	}
	issuer, err := freePort(ctx, mathrand.IntN)
	if err != nil {
		return err
	}
	f.issuer = "http://" + issuer
	for i := range f.cfg.replicas {
		r, err := f.makeReplica(ctx, i, master)
		if err != nil {
			return err
		}
		f.replicas = append(f.replicas, r)
	}
	return nil
}

func (f *fleet) makeReplica(ctx context.Context, i int, master string) (*replica, error) {
	folder := filepath.Join(f.cfg.folder, fmt.Sprintf("replica-%d", i))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	listen, err := freePort(ctx, mathrand.IntN)
	if err != nil {
		return nil, err
	}
	env := []string{
		"PATH=" + os.Getenv("PATH"), "SIGNET_LISTEN=" + listen, "SIGNET_ISSUER=" + f.issuer,
		"SIGNET_DATA_DIR=" + filepath.Join(folder, "data"), "SIGNET_MASTER_KEY_FILE=" + master,
		"SIGNET_LOG_LEVEL=warn", "SIGNET_LOG_FORMAT=json",
	}
	engine, err := f.engineEnv(i)
	if err != nil {
		return nil, err
	}
	return &replica{
		index: i, url: "http://" + listen, log: filepath.Join(folder, "log"), binary: f.cfg.binary,
		env: append(append(env, engine...), f.cfg.env...),
	}, nil
}

// bootstrap makes the administrator, and with it the schema and the keys.
func (f *fleet) bootstrap(ctx context.Context) error {
	var stdout, stderr strings.Builder
	cmd := f.replicas[0].command(ctx, "bootstrap", "--output", "json")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("signet bootstrap: %w: %s", err, stderr.String())
	}
	if err := json.Unmarshal([]byte(stdout.String()), &f.admin); err != nil {
		return fmt.Errorf("signet bootstrap: %w", err)
	}
	return nil
}

// close ends every process and link. The folder stays.
func (f *fleet) close() error {
	var errs []error
	for _, r := range f.replicas {
		errs = append(errs, r.close())
	}
	for _, link := range append(f.sqlLinks, f.cacheLinks...) {
		link.cut()
	}
	return errors.Join(append(errs, f.closeEngines())...)
}
