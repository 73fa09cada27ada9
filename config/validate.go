package config

import (
	"crypto/tls"
	"net"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fixed parts of the life of keys and tokens, which the settings must leave room for.
const (
	longestLifetime = time.Hour
	replicaPoll     = time.Second
	clockSkew       = time.Minute
	longestMaxAge   = 24 * time.Hour
	longestRotation = 365 * 24 * time.Hour
)

// Validate returns every problem of the configuration, joined, and changes nothing.
func (c Config) Validate() error {
	var found problems
	c.check(&found)
	return found.err()
}

func (c Config) check(found *problems) {
	c.checkListen(found)
	c.checkIssuer(found)
	c.checkHiddenProxy(found)
	c.checkMasterKey(found)
	c.checkDatabase(found)
	c.checkRedis(found)
	c.checkTLS(found)
	c.checkProxies(found)
	c.checkMetrics(found)
	c.checkLifetimes(found)
	c.checkKeys(found)
	if c.DataDir == "" {
		found.add("data_dir", "is empty", "name a folder")
	}
	if !slices.Contains([]string{LogAuto, LogText, LogJSON}, c.LogFormat) {
		found.add("log_format", "must be auto, text or json", "")
	}
}

const listenHint = "write it as in 127.0.0.1:8080"

func (c Config) checkListen(found *problems) {
	host, ok := hostOf(c.Listen)
	if !ok {
		found.add("listen", "must be a host and a port", listenHint)
		return
	}
	if !isLoopback(host) && !c.TLS() && c.TLSKeyFile == "" && len(c.TrustedProxies) == 0 && !found.has("trusted_proxies") {
		found.add("listen", "is reached by others without TLS",
			"set SIGNET_TLS_CERT_FILE and SIGNET_TLS_KEY_FILE, or SIGNET_TRUSTED_PROXIES when a proxy ends TLS")
	}
}

// hostOf splits off a numeric port.
func hostOf(listen string) (host string, ok bool) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", false
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", false
	}
	if strings.Contains(host, ":") {
		_, err := netip.ParseAddr(host)
		return host, err == nil
	}
	return host, !strings.ContainsAny(host, " /@")
}

func (c Config) checkIssuer(found *problems) {
	host, ok := hostOf(c.Listen)
	if !ok {
		return
	}
	local := isLoopback(host)
	if c.Issuer == "" {
		// With port 0 the issuer follows from the port that the system picks.
		if !local {
			found.add("issuer", "is required when listening on more than loopback", "set the https:// URL that clients use")
		}
		return
	}
	issuer, ok := plainURL(c.Issuer)
	switch {
	case !ok:
		found.add("issuer", "must be an http or https URL without user, query, fragment and trailing slash", "write it as in https://id.example.com")
	case issuer.Scheme == "http" && !local:
		found.add("issuer", "must be https when listening on more than loopback", "")
	case issuer.Scheme == "http" && !isLoopback(issuer.Hostname()):
		found.add("issuer", "must be https unless its host is loopback", "")
	}
}

// An https issuer without a certificate here means a proxy on this machine. While it is not
// named, every caller looks like this machine: to the metrics, the failure limits and allowedCidrs.
func (c Config) checkHiddenProxy(found *problems) {
	host, ok := hostOf(c.Listen)
	if !ok || !isLoopback(host) || !strings.HasPrefix(c.Issuer, "https://") || found.has("issuer") {
		return
	}
	if c.TLSCertFile == "" && c.TLSKeyFile == "" && len(c.TrustedProxies) == 0 && !found.has("trusted_proxies") {
		found.add("trusted_proxies", "is needed when the issuer is https and this server has no certificate, or every caller would look like this machine",
			"name the proxy that ends TLS, as in 127.0.0.1/32, or set SIGNET_TLS_CERT_FILE and SIGNET_TLS_KEY_FILE")
	}
}

// plainURL parses a URL that has one spelling only, since issuers are compared byte by byte.
func plainURL(text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, false
	}
	ok := u.Hostname() != "" && u.User == nil && !strings.ContainsAny(text, "?#%\\") &&
		u.String() == text && strings.ToLower(u.Host) == u.Host && !strings.HasSuffix(u.Host, ":") &&
		(u.Path == "" || u.Path != "/" && path.Clean(u.Path) == u.Path)
	return u, ok
}

func (c Config) checkTLS(found *problems) {
	switch {
	case c.TLSCertFile == "" && c.TLSKeyFile == "":
		return
	case c.TLSCertFile == "":
		found.add("tls_cert_file", "is missing beside tls_key_file", "")
		return
	case c.TLSKeyFile == "":
		found.add("tls_key_file", "is missing beside tls_cert_file", "")
		return
	}
	cert, _, certErr := readSmallFile(c.TLSCertFile)
	if certErr != nil {
		found.add("tls_cert_file", certErr.Error(), "")
	}
	key, _, keyErr := readSmallFile(c.TLSKeyFile)
	if keyErr != nil {
		found.add("tls_key_file", keyErr.Error(), "")
	}
	if certErr != nil || keyErr != nil {
		return
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		found.add("tls_cert_file", "and tls_key_file are not a certificate and its key in PEM", "")
	}
}

func (c Config) checkProxies(found *problems) {
	for _, network := range c.TrustedProxies {
		switch {
		case network.Bits() == 0:
			found.add("trusted_proxies", "must not contain the whole internet", "name the networks of the proxies")
		case network.Masked() != network:
			found.add("trusted_proxies", "must be networks without host bits", "write 10.0.0.0/8, or one address as 10.0.0.1/32")
		}
	}
}

// Metrics tell no secrets but much else, so an open listener must be asked for by address.
func (c Config) checkMetrics(found *problems) {
	if c.MetricsListen == "" {
		return
	}
	host, ok := hostOf(c.MetricsListen)
	switch {
	case !ok:
		found.add("metrics_listen", "must be a host and a port", "write it as in 127.0.0.1:9090")
	case host == "":
		found.add("metrics_listen", "must name the address to listen on", "write 0.0.0.0 before the port to let everyone read the metrics")
	case c.MetricsListen == c.Listen && !strings.HasSuffix(c.Listen, ":0"):
		found.add("metrics_listen", "must differ from listen", "")
	}
}

func (c Config) checkLifetimes(found *problems) {
	if outside(c.TokenMaxLifetime, longestLifetime) && !found.has("token_max_lifetime") {
		found.add("token_max_lifetime", "must be 1s to 60m in whole seconds", "")
	}
	if outside(c.TokenLifetime, longestLifetime) && !found.has("token_lifetime") {
		found.add("token_lifetime", "must be 1s to 60m in whole seconds", "")
	}
	if c.TokenLifetime > c.TokenMaxLifetime && !found.has("token_lifetime") && !found.has("token_max_lifetime") {
		found.add("token_lifetime", "must not exceed token_max_lifetime", "")
	}
}

func (c Config) checkKeys(found *problems) {
	if !slices.Contains([]string{"ES256", "Ed25519", "RS256", "PS256", "ES384", "ES512"}, c.SigningAlg) {
		found.add("signing_alg", "must be ES256, Ed25519, RS256, PS256, ES384 or ES512", "names are those of RFC 7518 and RFC 9864")
	}
	if outside(c.JWKSMaxAge, longestMaxAge) && !found.has("jwks_max_age") {
		found.add("jwks_max_age", "must be 1s to 24h in whole seconds", "")
	}
	if outside(c.KeyRotation, longestRotation) && !found.has("key_rotation") {
		found.add("key_rotation", "must be 1s to 8760h in whole seconds", "")
	}
	if found.has("key_rotation") || found.has("jwks_max_age") || found.has("token_max_lifetime") {
		return
	}
	// A key is published before it signs for as long as verifiers may not have seen it.
	if c.KeyRotation <= c.JWKSMaxAge+replicaPoll+clockSkew {
		found.add("key_rotation", "must be longer than jwks_max_age and 61s", "")
	}
	// Else keys that no longer sign would pile up in the published set.
	if c.KeyRotation < c.TokenMaxLifetime+clockSkew {
		found.add("key_rotation", "must be at least token_max_lifetime and 60s", "")
	}
}

func outside(d, longest time.Duration) bool {
	return d < time.Second || d > longest || d%time.Second != 0
}
