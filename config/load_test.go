package config

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signet-issuer/signet/internal/secret"
)

var goodKey = base64.StdEncoding.EncodeToString([]byte("CANARY-canary-CANARY-canary-1234"))

const (
	goodPostgres = "postgres://signet:CANARY@db.example.com/signet"
	goodRedis    = "redis://signet:CANARY@redis.example.com:6379"
)

func write(t testing.TB, name, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := errors.Join(os.WriteFile(path, []byte(content), 0o600), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
	return path
}

var compare = cmp.Comparer(func(a, b secret.Text) bool { return a.Reveal() == b.Reveal() })

func sameNetworks(a, b netip.Prefix) bool { return a == b }

func TestLoadDefaults(t *testing.T) {
	got, err := Load(Sources{Environ: []string{"PATH=/bin", "SIGNETX=1"}})
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Listen: "127.0.0.1:8080", Issuer: "http://127.0.0.1:8080", DataDir: "./signet-data",
		TokenLifetime: 15 * time.Minute, TokenMaxLifetime: time.Hour, SigningAlg: "ES256",
		JWKSMaxAge: 5 * time.Minute, KeyRotation: 720 * time.Hour, LogLevel: slog.LevelInfo, LogFormat: LogAuto,
		DatabaseMaxConns: 16, MigrateAtStart: true, RedisPrefix: "signet", Dialects: AllDialects,
	}
	if diff := cmp.Diff(want, got, compare); diff != "" {
		t.Error(diff)
	}
}

func TestLoadEverything(t *testing.T) {
	certFile, keyFile := certificate(t)
	master := write(t, "master.key", goodKey+"\n", 0o600)
	redis := write(t, "redis.url", goodRedis+"\n", 0o640)
	file := write(t, "signet.yaml", `
listen: 0.0.0.0:8443
issuer: https://id.example.com/signet
data_dir: /var/lib/signet
database_url: postgres://db.example.com/signet
database_max_conns: 40
migrate_at_start: false
redis_url_file: `+redis+`
redis_prefix: signet.test-1
master_key_file: `+master+`
tls_cert_file: `+certFile+`
tls_key_file: `+keyFile+`
trusted_proxies: [10.0.0.0/8, "2001:db8::/32"]
metrics_listen: 0.0.0.0:9090
token_lifetime: 5m
token_max_lifetime: 30m
signing_alg: Ed25519
jwks_max_age: 60s
key_rotation: 24h
strict_scopes: true
dialects: rezolve, keycard
log_level: debug
log_format: json
`, 0o644)
	got, err := Load(Sources{File: file})
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Listen: "0.0.0.0:8443", Issuer: "https://id.example.com/signet", DataDir: "/var/lib/signet",
		DatabaseURL: secret.New("postgres://db.example.com/signet"), DatabaseMaxConns: 40,
		RedisURLFile: redis, RedisURL: secret.New(goodRedis), RedisPrefix: "signet.test-1",
		MasterKeyFile: master, MasterKey: secret.New(goodKey), TLSCertFile: certFile, TLSKeyFile: keyFile,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")},
		MetricsListen:  "0.0.0.0:9090", TokenLifetime: 5 * time.Minute, TokenMaxLifetime: 30 * time.Minute,
		SigningAlg: "Ed25519", JWKSMaxAge: time.Minute, KeyRotation: 24 * time.Hour,
		StrictScopes: true, Dialects: []string{"keycard", "rezolve"}, LogLevel: slog.LevelDebug, LogFormat: LogJSON,
	}
	if diff := cmp.Diff(want, got, compare, cmp.Comparer(sameNetworks)); diff != "" {
		t.Error(diff)
	}
}

func TestLoadPrecedence(t *testing.T) {
	file := write(t, "signet.yaml", "data_dir: file\nlisten: 127.0.0.1:1\njwks_max_age: 1m\n", 0o644)
	environ := []string{"SIGNET_DATA_DIR=environment", "SIGNET_LISTEN=127.0.0.1:2"}
	got, err := Load(Sources{File: file, Environ: environ, Flags: map[string]string{"data-dir": "flag"}})
	if err != nil {
		t.Fatal(err)
	}
	if got.DataDir != "flag" || got.Listen != "127.0.0.1:2" || got.JWKSMaxAge != time.Minute || got.LogFormat != LogAuto {
		t.Errorf("got %+v", got)
	}
}

func TestLoadIgnoresServiceLinks(t *testing.T) {
	_, err := Load(Sources{Environ: []string{
		"SIGNET_SERVICE_HOST=10.0.0.5", "SIGNET_SERVICE_PORT=8080", "SIGNET_SERVICE_PORT_HTTP=8080",
		"SIGNET_PORT=tcp://10.0.0.5:8080", "SIGNET_PORT_8080_TCP=tcp://10.0.0.5:8080", "SIGNET_PORT_8080_TCP_PROTO=tcp",
		"SIGNET_PORT_8080_TCP_PORT=8080", "SIGNET_PORT_8080_TCP_ADDR=10.0.0.5", "SIGNET_METRICS_SERVICE_HOST=10.0.0.6",
	}})
	if err != nil {
		t.Error(err)
	}
}

func TestTokenLifetimeFollowsTheMaximum(t *testing.T) {
	got, err := Load(Sources{Environ: []string{"SIGNET_TOKEN_MAX_LIFETIME=5m"}})
	if err != nil || got.TokenLifetime != 5*time.Minute {
		t.Errorf("lifetime %v, %v", got.TokenLifetime, err)
	}
	_, err = Load(Sources{Environ: []string{"SIGNET_TOKEN_MAX_LIFETIME=5m", "SIGNET_TOKEN_LIFETIME=15m"}})
	if err == nil {
		t.Error("a lifetime over the maximum was accepted")
	}
}

func TestIssuerAt(t *testing.T) {
	addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711}
	certFile, keyFile := certificate(t)
	for _, tc := range []struct {
		name    string
		environ []string
		want    string
	}{
		{"chosen port", []string{"SIGNET_LISTEN=127.0.0.1:0"}, "http://127.0.0.1:4711"},
		{"given", []string{"SIGNET_LISTEN=127.0.0.1:0", public, local}, "https://id.example.com"},
		{"default", nil, "http://127.0.0.1:8080"},
		{"name", []string{"SIGNET_LISTEN=localhost:80"}, "http://localhost:80"},
		{"IPv6", []string{"SIGNET_LISTEN=[::1]:80"}, "http://[::1]:80"},
		{"TLS", []string{"SIGNET_TLS_CERT_FILE=" + certFile, "SIGNET_TLS_KEY_FILE=" + keyFile}, "https://127.0.0.1:8080"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config, err := Load(Sources{Environ: tc.environ})
			if err != nil {
				t.Fatal(err)
			}
			if got := config.IssuerAt(addr); got != tc.want {
				t.Errorf("issuer %s, want %s", got, tc.want)
			}
		})
	}
}

func TestI29_ConfigPrintsNoSecret(t *testing.T) {
	config, err := Load(Sources{Environ: []string{
		"SIGNET_MASTER_KEY=" + goodKey, "SIGNET_DATABASE_URL=" + goodPostgres, "SIGNET_REDIS_URL=" + goodRedis,
	}})
	if err != nil || config.MasterKey.Reveal() != goodKey || config.DatabaseURL.Reveal() != goodPostgres || config.RedisURL.Reveal() != goodRedis {
		t.Fatalf("a secret is lost: %v", err)
	}
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "config", config)
	marshalled, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	printed := fmt.Sprintf("%v %+v %#v %s %s", config, &config, config, logged.String(), marshalled)
	for _, note := range config.Notes() {
		printed += note.Error()
	}
	if strings.Contains(printed, goodKey) || strings.Contains(printed, "CANARY") || !strings.Contains(printed, "[redacted]") {
		t.Errorf("printed %s", printed)
	}
}

func TestOptions(t *testing.T) {
	seen := map[string]bool{}
	for _, option := range Options() {
		if seen[option.Key] || option.Description == "" || notYet(option.Key) {
			t.Errorf("%+v", option)
		}
		seen[option.Key] = true
		if option.Variable() != "SIGNET_"+strings.ToUpper(option.Key) {
			t.Errorf("%s: variable %s", option.Key, option.Variable())
		}
	}
	// Every default is accepted when it is written out, and changes nothing.
	var environ []string
	for _, option := range Options() {
		if option.Default != "" {
			environ = append(environ, option.Variable()+"="+option.Default)
		}
	}
	written, err := Load(Sources{Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	silent, err := Load(Sources{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(silent, written, compare); diff != "" {
		t.Error(diff)
	}
	if err := silent.Validate(); err != nil {
		t.Error(err)
	}
	// A configuration put together by hand is held to the same rules.
	silent.SigningAlg = "none"
	if problem, ok := errors.AsType[*Problem](silent.Validate()); !ok || problem.Key != "signing_alg" {
		t.Errorf("validated: %v", silent.Validate())
	}
}
