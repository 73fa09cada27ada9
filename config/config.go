package config

import (
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/signet-issuer/signet/internal/secret"
)

// Config is a complete configuration, defaults included. It can be printed and logged:
// its secrets redact themselves.
type Config struct {
	Listen           string
	Issuer           string // "" only when Listen has port 0: see [Config.IssuerAt]
	DataDir          string // not used when both URLs are set
	DatabaseURLFile  string
	DatabaseURL      secret.Text // from the file or the variable; zero: SQLite in DataDir
	DatabaseMaxConns int
	MigrateAtStart   bool
	RedisURLFile     string
	RedisURL         secret.Text // from the file or the variable; zero: state in DataDir
	RedisPrefix      string
	MasterKeyFile    string
	MasterKey        secret.Text // base64, one key a line, from the file or the variable; zero when neither is set
	TLSCertFile      string
	TLSKeyFile       string
	TrustedProxies   []netip.Prefix
	MetricsListen    string // "" when the main listener serves metrics
	TokenLifetime    time.Duration
	TokenMaxLifetime time.Duration
	SigningAlg       string // JWS name
	JWKSMaxAge       time.Duration
	KeyRotation      time.Duration
	StrictScopes     bool
	Dialects         []string // a part of AllDialects, in its order
	LogLevel         slog.Level
	LogFormat        string // LogAuto, LogText or LogJSON
}

// Values of LogFormat.
const (
	LogAuto = "auto" // text on a terminal, else JSON
	LogText = "text"
	LogJSON = "json"
)

// TLS reports whether the server itself speaks TLS.
func (c Config) TLS() bool { return c.TLSCertFile != "" }

// IssuerAt returns the issuer of a server that listens on addr, which differs from
// Issuer only when the port was left to the system.
func (c Config) IssuerAt(addr net.Addr) string {
	if c.Issuer != "" {
		return c.Issuer
	}
	return c.scheme() + addr.String()
}

func (c Config) scheme() string {
	if c.TLS() {
		return "https://"
	}
	return "http://"
}

// defaultIssuer is only meant for a listener that nobody else reaches.
func (c Config) defaultIssuer() string {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil || port == "0" || !isLoopback(host) {
		return ""
	}
	return c.scheme() + c.Listen
}

// isLoopback reports whether host, a name or an address, is this machine alone.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
