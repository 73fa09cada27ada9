package sqldb

import (
	"errors"
	"io/fs"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// What a URL does wrong is said without a word of it: in a malformed one nobody knows which
// part is the password.
var (
	errURLForm = errors.New("the URL must read postgres://user:password@host:port/name?parameter=value; " +
		"in user, password and name the characters : / ? # [ ] @ % and spaces are percent-encoded")
	errURLParameters = errors.New("the URL, or a PG… variable of the environment, has an unknown parameter or a wrong value; " +
		"known are sslmode, sslrootcert, sslcert, sslkey and the others of libpq, and search_path")
	errURLFile = errors.New("a file that the URL names, or its default in ~/.postgresql, cannot be read")
)

// urlParameters are those of libpq that the driver knows, and what a session may need.
var urlParameters = []string{
	"user", "password", "host", "port", "dbname", "passfile", "service", "servicefile", "connect_timeout",
	"ssl", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslsni", "sslnegotiation", "sslcertmode",
	"channel_binding", "require_auth", "min_protocol_version", "max_protocol_version",
	"target_session_attrs", "application_name", "options", "search_path",
}

// parseURL reads a URL whose parts are certain, so that no error of a connection, which
// names user, host and database, can name the password instead.
func parseURL(text string) (*pgx.ConnConfig, error) {
	if !wellFormed(text) {
		return nil, errURLForm
	}
	config, err := pgx.ParseConfigWithOptions(text, pgx.ParseConfigOptions{
		ParseConfigOptions: pgconn.ParseConfigOptions{ConnStringAllowedKeys: urlParameters},
	})
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, errURLFile
	}
	if err != nil {
		return nil, errURLParameters
	}
	hosts := []string{config.Host}
	for _, f := range config.Fallbacks {
		hosts = append(hosts, f.Host)
	}
	for _, host := range hosts {
		address, _, _ := strings.Cut(host, "%") // the zone of an IPv6 address
		if strings.ContainsAny(host, "@:") && net.ParseIP(address) == nil && !strings.HasPrefix(host, "/") {
			return nil, errURLForm
		}
	}
	if strings.Contains(config.User, ":") || strings.ContainsAny(config.Database, "@:") {
		return nil, errURLForm
	}
	return config, nil
}

func wellFormed(text string) bool {
	rest, ok := strings.CutPrefix(text, "postgres://")
	if !ok {
		if rest, ok = strings.CutPrefix(text, "postgresql://"); !ok {
			return false
		}
	}
	location, query, _ := strings.Cut(rest, "?")
	authority, name, _ := strings.Cut(location, "/")
	return strings.Count(authority, "@") <= 1 && !strings.ContainsAny(name, "/@") &&
		!strings.Contains(query, "@") && !strings.ContainsAny(rest, "#\x00 \t\r\n")
}
