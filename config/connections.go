package config

import (
	"maps"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	postgresHint = "write it as in postgres://signet:PASSWORD@db.example.com:5432/signet?sslmode=verify-full"
	redisHint    = "write it as in rediss://signet:PASSWORD@redis.example.com:6379, or with the schemes redis+sentinel or redis+cluster and several hosts"
	redisMost    = 1 << 20 // more databases than any Redis has
	leastConns   = 4       // two to write, two to read
	mostConns    = 1000
)

func (c Config) checkDatabase(found *problems) {
	if (c.DatabaseMaxConns < leastConns || c.DatabaseMaxConns > mostConns) && !found.has("database_max_conns") {
		found.add("database_max_conns", "must be 4 to 1000", "")
	}
	if c.DatabaseURL.IsZero() {
		return
	}
	if rule := postgresRule(c.DatabaseURL.Reveal()); rule != "" {
		found.add(named("database_url", c.DatabaseURLFile), rule, postgresHint)
	}
	if c.MasterKey.IsZero() && !found.has("master_key_file") && !found.has("master_key") {
		found.add("master_key_file", "is required with database_url, since every process needs the same key", keyHint)
	}
}

// postgresRule says what does not hold for a URL, "" when all does. It never quotes it.
func postgresRule(text string) string {
	at, ok := splitURL(text)
	if !ok || at.url.Scheme != "postgres" && at.url.Scheme != "postgresql" {
		return "is not the URL of a PostgreSQL database"
	}
	if rule := at.hostsRule(); rule != "" {
		return rule
	}
	switch {
	case !slices.ContainsFunc(at.all(), func(host string) bool { return host != "" }):
		return "has no host"
	case strings.Trim(at.url.Path, "/") == "" && at.query.Get("dbname") == "" && at.query.Get("database") == "":
		return "has no database name"
	}
	return ""
}

func (c Config) checkRedis(found *problems) {
	if !redisPrefix.MatchString(c.RedisPrefix) {
		found.add("redis_prefix", "must be 1 to 64 of A-Z, a-z, 0-9, dot, hyphen and underscore", "")
	}
	if c.RedisURL.IsZero() {
		return
	}
	if rule := redisRule(c.RedisURL.Reveal()); rule != "" {
		found.add(named("redis_url", c.RedisURLFile), rule, redisHint)
	}
}

var redisPrefix = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// redisRule says what does not hold for a URL, "" when all does. It never quotes it.
func redisRule(text string) string {
	at, ok := splitURL(text)
	if !ok {
		return "is not a Redis URL"
	}
	kind, known := strings.CutPrefix(strings.Replace(at.url.Scheme, "rediss", "redis", 1), "redis")
	if !known || !slices.Contains([]string{"", "+sentinel", "+cluster"}, kind) {
		return "is not a Redis URL"
	}
	if rule := at.hostsRule(); rule != "" {
		return rule
	}
	if slices.Contains(at.hosts, "") {
		return "has no host"
	}
	if kind == "" && len(at.hosts) > 1 {
		return "names several hosts, which only redis+sentinel and redis+cluster have"
	}
	if _, has := at.url.User.Password(); at.url.User != nil && !has {
		return "has a user without a password"
	}
	if rule := redisPathRule(kind, strings.TrimPrefix(at.url.Path, "/")); rule != "" {
		return rule
	}
	return redisQueryRule(kind, at)
}

// redisPathRule checks what follows the hosts: [db], master-name[/db] or nothing.
func redisPathRule(kind, path string) string {
	database := path
	switch kind {
	case "+cluster":
		if path != "" {
			return "names a database, which a cluster does not have"
		}
	case "+sentinel":
		var master string
		if master, database, _ = strings.Cut(path, "/"); master == "" {
			return "does not name the master that the sentinels watch"
		}
	}
	if database == "" {
		return ""
	}
	if number, err := strconv.ParseUint(database, 10, 32); err != nil || number > redisMost {
		return "has a database that is not a number"
	}
	return ""
}

func redisQueryRule(kind string, at connection) string {
	allowed := []string{"ca_file", "cert_file", "key_file"}
	if kind == "+sentinel" {
		allowed = append(allowed, "sentinel_username", "sentinel_password")
	}
	for _, key := range slices.Sorted(maps.Keys(at.query)) {
		switch values := at.query[key]; {
		case !slices.Contains(allowed, key):
			return "has a parameter that is none of " + strings.Join(allowed, ", ")
		case len(values) != 1 || values[0] == "":
			return "has a parameter without a value or with several"
		case strings.HasSuffix(key, "_file") && !at.redisTLS():
			return "names TLS files without TLS, which the schemes that begin with rediss have"
		}
	}
	if at.query.Has("cert_file") != at.query.Has("key_file") {
		return "has one of cert_file and key_file without the other"
	}
	if at.query.Has("sentinel_username") && !at.query.Has("sentinel_password") {
		return "has a sentinel_username without a sentinel_password"
	}
	return ""
}

// connection is the URL of a server that may have several hosts, taken apart.
type connection struct {
	url   *url.URL // with one host in the place of all
	hosts []string // as they are written, with their ports
	query url.Values
}

// splitURL takes a URL apart. Go's own parser knows but one host.
func splitURL(text string) (connection, bool) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return connection{}, false
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	user := authority[:strings.LastIndex(authority, "@")+1]
	parsed, err := url.Parse(scheme + "://" + user + "host" + tail)
	if err != nil || parsed.Scheme != scheme || strings.Contains(tail, "#") || strings.ContainsAny(text, " \t\r\n") {
		return connection{}, false
	}
	query, err := url.ParseQuery(parsed.RawQuery)
	return connection{url: parsed, hosts: strings.Split(strings.TrimPrefix(authority, user), ","), query: query}, err == nil
}

// hostsRule checks how hosts and ports are written.
func (c connection) hostsRule() string {
	for _, host := range c.hosts {
		if host == "" {
			continue
		}
		name, port := splitPort(host)
		if name == "" || strings.ContainsAny(name, "[]@%\\") {
			return "has a host that is not a name or an address with a port"
		}
		if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
			return "has a port that is not 1 to 65535"
		}
	}
	return ""
}

// splitPort takes a host apart; the port is "1" when there is none. What is no host has no name.
func splitPort(host string) (name, port string) {
	if inside, bracketed := strings.CutPrefix(host, "["); bracketed {
		inside, port, ok := strings.Cut(inside, "]")
		if _, err := netip.ParseAddr(inside); err != nil || !ok {
			return "", ""
		}
		if port == "" {
			return inside, "1"
		}
		port, ok = strings.CutPrefix(port, ":")
		if !ok {
			return "", ""
		}
		return inside, port
	}
	name, port, ok := strings.Cut(host, ":")
	if !ok {
		return name, "1"
	}
	if strings.Contains(port, ":") {
		return "", ""
	}
	return name, port
}

// all lists the hosts without their ports; PostgreSQL takes them from the query too.
func (c connection) all() []string {
	var names []string
	for _, host := range c.hosts {
		if name, _ := splitPort(host); name != "" {
			names = append(names, name)
		}
	}
	for _, list := range c.query["host"] {
		names = append(names, strings.Split(list, ",")...)
	}
	return names
}

// elsewhere reports whether any host is another machine. A path is a socket of this one.
func (c connection) elsewhere() bool {
	return slices.ContainsFunc(c.all(), func(host string) bool { return !path.IsAbs(host) && !isLoopback(host) })
}

func (c connection) redisTLS() bool { return strings.HasPrefix(c.url.Scheme, "rediss") }

// withoutPassword reports whether a URL certainly holds no password.
func withoutPassword(text string) bool {
	at, ok := splitURL(text)
	if !ok {
		return false
	}
	_, has := at.url.User.Password()
	for key := range at.query {
		has = has || strings.Contains(key, "password")
	}
	return !has
}
