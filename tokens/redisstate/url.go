package redisstate

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// shape is how the servers stand together.
type shape string

const (
	standalone shape = "redis"
	sentinel   shape = "redis+sentinel"
	cluster    shape = "redis+cluster"
)

// location is what a URL says.
type location struct {
	shape              shape
	tls                bool
	addrs              []string
	username, password string
	master             string
	database           int
	query              map[string]string
}

const maxDatabase = 1 << 20 // more than any server has

// parseURL names every problem and repeats nothing of the text, as a password may be anywhere.
func parseURL(text string) (location, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	loc := location{shape: shape(scheme)}
	if plain, isTLS := strings.CutPrefix(scheme, "rediss"); isTLS {
		loc.shape, loc.tls = shape("redis"+plain), true
	}
	if !ok || loc.shape != standalone && loc.shape != sentinel && loc.shape != cluster {
		return location{}, errors.New("the scheme is none of redis, redis+sentinel, redis+cluster and the same with rediss")
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(rest, "/")
	var problems []error
	if strings.ContainsAny(text, "# \t\r\n") {
		problems = append(problems, errors.New("a character must be written in percent form"))
	}
	hosts := authority
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		problems = append(problems, loc.parseUser(authority[:at]))
		hosts = authority[at+1:]
	}
	problems = append(problems, loc.parseHosts(hosts), loc.parsePath(path), loc.parseQuery(query))
	return loc, errors.Join(problems...)
}

func (l *location) parseUser(text string) error {
	user, password, _ := strings.Cut(text, ":")
	var errs [2]error
	l.username, errs[0] = url.PathUnescape(user)
	l.password, errs[1] = url.PathUnescape(password)
	switch {
	case errs[0] != nil || errs[1] != nil:
		return errors.New("user or password: a percent sign is not followed by two hexadecimal digits")
	case l.password == "":
		return errors.New("there is a user but no password")
	}
	return nil
}

func (l *location) parseHosts(text string) error {
	defaultPort := "6379"
	if l.shape == sentinel {
		defaultPort = "26379"
	}
	hosts := strings.Split(text, ",")
	if l.shape == standalone && len(hosts) > 1 {
		return errors.New("several hosts are for redis+sentinel and redis+cluster")
	}
	var problems []error
	for i, host := range hosts {
		addr, err := parseHost(host, defaultPort)
		if err != nil {
			problems = append(problems, fmt.Errorf("host %d: %w", i+1, err))
			continue
		}
		l.addrs = append(l.addrs, addr)
	}
	return errors.Join(problems...)
}

func parseHost(text, defaultPort string) (addr string, err error) {
	name, port, err := net.SplitHostPort(text)
	if err != nil {
		// There is no port, or the rest shows what is wrong.
		name, port = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"), defaultPort
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
		return "", errors.New("the port is not a number from 1 to 65535")
	}
	_, notAddress := netip.ParseAddr(name)
	switch {
	case name == "":
		return "", errors.New("it is missing")
	case notAddress != nil && strings.ContainsAny(name, ":[]@%\\?#"):
		return "", errors.New("it is neither a name nor an address")
	}
	return net.JoinHostPort(name, port), nil
}

// parsePath reads what follows the hosts: [database], master-name[/database] or nothing.
func (l *location) parsePath(path string) error {
	database := path
	switch l.shape {
	case cluster:
		if path != "" {
			return errors.New("a cluster has no databases: nothing may follow the hosts")
		}
	case sentinel:
		master, rest, _ := strings.Cut(path, "/")
		name, err := url.PathUnescape(master)
		if err != nil || name == "" {
			return errors.New("the name of the master must follow the hosts")
		}
		l.master, database = name, rest
	}
	if database == "" {
		return nil
	}
	number, err := strconv.ParseUint(database, 10, 31)
	if err != nil || number > maxDatabase {
		return errors.New("the database is not a number")
	}
	l.database = int(number)
	return nil
}

// Names of the query.
const (
	caFile           = "ca_file"
	certFile         = "cert_file"
	keyFile          = "key_file"
	sentinelUsername = "sentinel_username"
	sentinelPassword = "sentinel_password"
)

func (l *location) parseQuery(text string) error {
	values, err := url.ParseQuery(text)
	if err != nil {
		return errors.New("the query cannot be read")
	}
	l.query = map[string]string{}
	var problems []error
	for name, given := range values {
		problems = append(problems, l.queryProblem(name, given))
		l.query[name] = given[0]
	}
	if (l.query[certFile] == "") != (l.query[keyFile] == "") {
		problems = append(problems, errors.New("cert_file and key_file belong together"))
	}
	if l.query[sentinelUsername] != "" && l.query[sentinelPassword] == "" {
		problems = append(problems, errors.New("there is a sentinel_username but no sentinel_password"))
	}
	return errors.Join(problems...)
}

func (l *location) queryProblem(name string, given []string) error {
	switch name {
	case caFile, certFile, keyFile:
		if !l.tls {
			return fmt.Errorf("%s is for TLS, which schemes with rediss use", name)
		}
	case sentinelUsername, sentinelPassword:
		if l.shape != sentinel {
			return fmt.Errorf("%s is for redis+sentinel", name)
		}
	default:
		return errors.New("the query knows ca_file, cert_file, key_file, sentinel_username and sentinel_password alone")
	}
	if len(given) != 1 || given[0] == "" {
		return fmt.Errorf("%s needs one value", name)
	}
	return nil
}
