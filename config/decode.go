package config

import (
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/knadh/koanf/v2"

	"github.com/signet-issuer/signet/internal/secret"
)

// decode turns texts into values. A text that cannot be read is a problem and leaves the
// zero value, on which no further rule is tried.
func decode(merged *koanf.Koanf, found *problems) Config {
	read := reader{merged, found}
	config := Config{
		Listen:           merged.String("listen"),
		Issuer:           merged.String("issuer"),
		DataDir:          merged.String("data_dir"),
		DatabaseURLFile:  merged.String("database_url_file"),
		DatabaseURL:      secret.New(merged.String("database_url")),
		DatabaseMaxConns: read.number("database_max_conns"),
		MigrateAtStart:   read.boolean("migrate_at_start"),
		RedisURLFile:     merged.String("redis_url_file"),
		RedisURL:         secret.New(merged.String("redis_url")),
		RedisPrefix:      merged.String("redis_prefix"),
		MasterKeyFile:    merged.String("master_key_file"),
		MasterKey:        secret.New(merged.String("master_key")),
		TLSCertFile:      merged.String("tls_cert_file"),
		TLSKeyFile:       merged.String("tls_key_file"),
		TrustedProxies:   read.networks("trusted_proxies"),
		MetricsListen:    merged.String("metrics_listen"),
		TokenLifetime:    read.duration("token_lifetime"),
		TokenMaxLifetime: read.duration("token_max_lifetime"),
		SigningAlg:       merged.String("signing_alg"),
		JWKSMaxAge:       read.duration("jwks_max_age"),
		KeyRotation:      read.duration("key_rotation"),
		StrictScopes:     read.boolean("strict_scopes"),
		Dialects:         read.dialects("dialects"),
		LogLevel:         read.level("log_level"),
		LogFormat:        merged.String("log_format"),
	}
	if config.Issuer == "" {
		config.Issuer = config.defaultIssuer()
	}
	return config
}

type reader struct {
	merged *koanf.Koanf
	found  *problems
}

func (r reader) duration(key string) time.Duration {
	value, err := time.ParseDuration(r.merged.String(key))
	if err != nil {
		r.found.add(key, "is not a duration", "write it as in 15m, 90s or 720h")
		return 0
	}
	if value%time.Second != 0 {
		r.found.add(key, "must be whole seconds", "")
		return 0
	}
	return value
}

func (r reader) number(key string) int {
	value, err := strconv.Atoi(r.merged.String(key))
	if err != nil {
		r.found.add(key, "is not a whole number", "")
	}
	return value
}

// AllDialects are the products whose APIs can be served.
var AllDialects = []string{"prisme", "keycard", "nscale", "rezolve"}

func (r reader) dialects(key string) []string {
	text := r.merged.String(key)
	switch text {
	case "all":
		return AllDialects
	case "none":
		return nil
	}
	var named []string
	for name := range strings.SplitSeq(text, ",") {
		named = append(named, strings.TrimSpace(name))
	}
	var chosen []string
	for _, dialect := range AllDialects {
		if slices.Contains(named, dialect) {
			chosen = append(chosen, dialect)
		}
	}
	if len(chosen) < len(named) {
		r.found.add(key, "must be all, none, or some of "+strings.Join(AllDialects, ", ")+", each once", "")
	}
	return chosen
}

func (r reader) boolean(key string) bool {
	switch r.merged.String(key) {
	case "true":
		return true
	case "false":
		return false
	default:
		r.found.add(key, "must be true or false", "")
		return false
	}
}

func (r reader) level(key string) slog.Level {
	switch r.merged.String(key) {
	case "debug":
		return slog.LevelDebug
	case "info":
		return slog.LevelInfo
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	default:
		r.found.add(key, "must be debug, info, warn or error", "")
		return slog.LevelInfo
	}
}

func (r reader) networks(key string) []netip.Prefix {
	if !r.merged.Exists(key) {
		return nil
	}
	var list []netip.Prefix
	for entry := range strings.SplitSeq(r.merged.String(key), ",") {
		network, err := netip.ParsePrefix(strings.TrimSpace(entry))
		if err != nil {
			r.found.add(key, "must be networks in CIDR form, separated by commas", "write one address as 192.0.2.1/32")
			return nil
		}
		list = append(list, network)
	}
	return list
}
