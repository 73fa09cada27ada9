package config

import "strings"

const prefix = "SIGNET_"

// Option describes one setting, for help texts and documentation.
type Option struct {
	Key         string // in the file, as token_lifetime
	Default     string // as it would be written; "" when there is none
	Description string
}

// Variable is the environment variable of the option.
func (o Option) Variable() string { return prefix + strings.ToUpper(o.Key) }

// Options lists every setting in the order of the documentation.
func Options() []Option {
	return []Option{
		{"listen", "127.0.0.1:8080", "host and port to listen on"},
		{"issuer", "", "URL that tokens name as their issuer; http:// and the listen address when that is loopback, required otherwise"},
		{"data_dir", "./signet-data", "folder of the embedded database, state and master key; not used when database_url and redis_url are set"},
		{"database_url", "", "postgres:// URL of the database; an SQLite file in the data folder when it is not set; not as a flag"},
		{"database_url_file", "", "file with that URL"},
		{"database_max_conns", "16", "connections that one process opens to PostgreSQL at most, 4 to 1000"},
		{"migrate_at_start", "true", "serve brings the schema up to date when it starts; false leaves that to signet migrate"},
		{"redis_url", "", "Redis, Sentinel or Cluster URL of the token state; a file in the data folder when it is not set; not as a flag"},
		{"redis_url_file", "", "file with that URL"},
		{"redis_prefix", "signet", "what the names of all keys in Redis begin with"},
		{"master_key_file", "", "file with the base64 of the 32 bytes that seal keys at rest, or of several, one a line; made in the data folder when there is none, required with database_url"},
		{"master_key", "", "the same key itself, instead of the file; not as a flag"},
		{"tls_cert_file", "", "certificate chain in PEM; with tls_key_file, serves HTTPS"},
		{"tls_key_file", "", "private key of the certificate in PEM"},
		{"trusted_proxies", "", "networks, separated by commas, whose forwarding headers are believed"},
		{"metrics_listen", "", "host and port of a listener for /metrics alone; the main one serves it to this machine only"},
		{"token_lifetime", "15m", "lifetime of a token unless a shorter one is asked for; token_max_lifetime when that is less and this is not set"},
		{"token_max_lifetime", "60m", "longest lifetime of any token, at most 60m"},
		{"signing_alg", "ES256", "algorithm of new signing keys: ES256, Ed25519, RS256, PS256, ES384 or ES512"},
		{"jwks_max_age", "5m", "how long verifiers may keep the published keys"},
		{"key_rotation", "720h", "age at which a signing key is replaced"},
		{"strict_scopes", "false", "refuse a request for a scope that is not allowed, instead of granting less"},
		{"dialects", "all", "APIs of other products that are served: prisme, keycard, nscale and rezolve, separated by commas; or all, or none"},
		{"log_level", "info", "debug, info, warn or error"},
		{"log_format", "auto", "text, json, or auto: text on a terminal"},
	}
}

// notYet are settings of the documented contract that this version does not have.
func notYet(key string) bool {
	switch key {
	case "allow_loopback_issuers", "tls_client_ca_file":
		return true
	}
	return false
}

func find(key string) (Option, bool) {
	for _, option := range Options() {
		if option.Key == key {
			return option, true
		}
	}
	return Option{}, false
}
