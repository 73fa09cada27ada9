package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificate writes a self-signed certificate and its key.
func certificate(t testing.TB) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block := func(name string, bytes []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: name, Bytes: bytes}))
	}
	return write(t, "cert.pem", block("CERTIFICATE", cert), 0o644), write(t, "key.pem", block("PRIVATE KEY", raw), 0o600)
}

const (
	open    = "SIGNET_LISTEN=0.0.0.0:8080"
	proxied = "SIGNET_TRUSTED_PROXIES=10.0.0.0/8"
	local   = "SIGNET_TRUSTED_PROXIES=127.0.0.1/32"
	public  = "SIGNET_ISSUER=https://id.example.com"
)

func TestProblems(t *testing.T) {
	certFile, keyFile := certificate(t)
	_, otherKey := certificate(t)
	missing := filepath.Join(t.TempDir(), "CANARY")
	for _, tc := range []struct {
		name    string
		environ []string
		want    string // the whole message, one line a problem
	}{
		{"unknown", []string{"SIGNET_FOO=1"}, "SIGNET_FOO (foo): is not a setting; `signet config check --help` lists all settings"},
		{"typing error", []string{"SIGNET_ISUER=x"}, "SIGNET_ISUER (isuer): is not a setting; did you mean SIGNET_ISSUER (issuer)?"},
		{"not in this version", []string{"SIGNET_ALLOW_LOOPBACK_ISSUERS=CANARY"}, "SIGNET_ALLOW_LOOPBACK_ISSUERS (allow_loopback_issuers): is not a setting; this version does not have it"},
		{"not in this version, like another", []string{"SIGNET_TLS_CLIENT_CA_FILE=x"}, "SIGNET_TLS_CLIENT_CA_FILE (tls_client_ca_file): is not a setting; this version does not have it"},
		{"lower case", []string{"SIGNET_listen=x"}, "SIGNET_LISTEN (listen): is written in lower case; variables are in upper case"},
		{"port that is no service link", []string{"SIGNET_PORT=CANARY"}, "SIGNET_PORT (port): is not a setting; `signet config check --help` lists all settings"},
		{"empty", []string{"SIGNET_ISSUER="}, "SIGNET_ISSUER (issuer): is empty; remove it to use the default"},

		{"no port", []string{"SIGNET_LISTEN=127.0.0.1"}, "SIGNET_LISTEN (listen): must be a host and a port; write it as in 127.0.0.1:8080"},
		{"named port", []string{"SIGNET_LISTEN=127.0.0.1:http"}, "SIGNET_LISTEN (listen): must be a host and a port; write it as in 127.0.0.1:8080"},
		{"port out of range", []string{"SIGNET_LISTEN=127.0.0.1:65536"}, "SIGNET_LISTEN (listen): must be a host and a port; write it as in 127.0.0.1:8080"},
		{"URL as address", []string{"SIGNET_LISTEN=http://127.0.0.1:80"}, "SIGNET_LISTEN (listen): must be a host and a port; write it as in 127.0.0.1:8080"},
		{"open without TLS", []string{open, public}, "SIGNET_LISTEN (listen): is reached by others without TLS; set SIGNET_TLS_CERT_FILE and SIGNET_TLS_KEY_FILE, or SIGNET_TRUSTED_PROXIES when a proxy ends TLS"},
		{"all interfaces without TLS", []string{"SIGNET_LISTEN=:8080", public}, "SIGNET_LISTEN (listen): is reached by others without TLS; set SIGNET_TLS_CERT_FILE and SIGNET_TLS_KEY_FILE, or SIGNET_TRUSTED_PROXIES when a proxy ends TLS"},

		{"no issuer", []string{open, proxied}, "SIGNET_ISSUER (issuer): is required when listening on more than loopback; set the https:// URL that clients use"},
		{"plain issuer, open", []string{open, proxied, "SIGNET_ISSUER=http://localhost:8080"}, "SIGNET_ISSUER (issuer): must be https when listening on more than loopback"},
		{"plain issuer, other host", []string{"SIGNET_ISSUER=http://id.example.com"}, "SIGNET_ISSUER (issuer): must be https unless its host is loopback"},
		{"proxy on this machine without a name", []string{public}, hiddenProxy},
		{"the same with any port", []string{public, "SIGNET_LISTEN=[::1]:0"}, hiddenProxy},
		{"issuer with a slash", []string{public + "/"}, badIssuer},
		{"issuer with a slash after its path", []string{public + "/a/"}, badIssuer},
		{"issuer with a query", []string{public + "?a=b"}, badIssuer},
		{"issuer with an empty query", []string{public + "?"}, badIssuer},
		{"issuer with a fragment", []string{public + "#"}, badIssuer},
		{"issuer with a user", []string{"SIGNET_ISSUER=https://u:CANARY@id.example.com"}, badIssuer},
		{"issuer in upper case", []string{"SIGNET_ISSUER=https://ID.example.com"}, badIssuer},
		{"issuer with scheme in upper case", []string{"SIGNET_ISSUER=HTTPS://id.example.com"}, badIssuer},
		{"issuer with dots", []string{public + "/a/../b"}, badIssuer},
		{"issuer with an escape", []string{public + "/%61"}, badIssuer},
		{"issuer without a host", []string{"SIGNET_ISSUER=https:///x"}, badIssuer},
		{"issuer of another scheme", []string{"SIGNET_ISSUER=ftp://id.example.com"}, badIssuer},
		{"issuer that is no URL", []string{"SIGNET_ISSUER=id.example.com"}, badIssuer},
		{"issuer with an open port", []string{public + ":"}, badIssuer},

		{"certificate alone", []string{"SIGNET_TLS_CERT_FILE=" + certFile}, "SIGNET_TLS_KEY_FILE (tls_key_file): is missing beside tls_cert_file"},
		{"key alone", []string{"SIGNET_TLS_KEY_FILE=" + keyFile}, "SIGNET_TLS_CERT_FILE (tls_cert_file): is missing beside tls_key_file"},
		{"no such certificate", []string{"SIGNET_TLS_CERT_FILE=" + missing, "SIGNET_TLS_KEY_FILE=" + keyFile}, "SIGNET_TLS_CERT_FILE (tls_cert_file): does not exist"},
		{"key of another certificate", []string{"SIGNET_TLS_CERT_FILE=" + certFile, "SIGNET_TLS_KEY_FILE=" + otherKey}, "SIGNET_TLS_CERT_FILE (tls_cert_file): and tls_key_file are not a certificate and its key in PEM"},

		{"proxy without a mask", []string{"SIGNET_TRUSTED_PROXIES=10.0.0.1"}, "SIGNET_TRUSTED_PROXIES (trusted_proxies): must be networks in CIDR form, separated by commas; write one address as 192.0.2.1/32"},
		{"every proxy", []string{"SIGNET_TRUSTED_PROXIES=0.0.0.0/0"}, "SIGNET_TRUSTED_PROXIES (trusted_proxies): must not contain the whole internet; name the networks of the proxies"},
		{"proxy with host bits", []string{"SIGNET_TRUSTED_PROXIES=10.0.0.1/8"}, "SIGNET_TRUSTED_PROXIES (trusted_proxies): must be networks without host bits; write 10.0.0.0/8, or one address as 10.0.0.1/32"},
		{"bad proxies, open", []string{open, public, "SIGNET_TRUSTED_PROXIES=x"}, "SIGNET_TRUSTED_PROXIES (trusted_proxies): must be networks in CIDR form, separated by commas; write one address as 192.0.2.1/32"},

		{"metrics on all interfaces by omission", []string{"SIGNET_METRICS_LISTEN=:9090"}, "SIGNET_METRICS_LISTEN (metrics_listen): must name the address to listen on; write 0.0.0.0 before the port to let everyone read the metrics"},
		{"metrics without a port", []string{"SIGNET_METRICS_LISTEN=127.0.0.1"}, "SIGNET_METRICS_LISTEN (metrics_listen): must be a host and a port; write it as in 127.0.0.1:9090"},
		{"metrics on the main listener", []string{"SIGNET_METRICS_LISTEN=127.0.0.1:8080"}, "SIGNET_METRICS_LISTEN (metrics_listen): must differ from listen"},

		{"number as duration", []string{"SIGNET_TOKEN_LIFETIME=900"}, "SIGNET_TOKEN_LIFETIME (token_lifetime): is not a duration; write it as in 15m, 90s or 720h"},
		{"fraction of a second", []string{"SIGNET_TOKEN_LIFETIME=1500ms"}, "SIGNET_TOKEN_LIFETIME (token_lifetime): must be whole seconds"},
		{"lifetime of nothing", []string{"SIGNET_TOKEN_LIFETIME=0s"}, "SIGNET_TOKEN_LIFETIME (token_lifetime): must be 1s to 60m in whole seconds"},
		{"negative lifetime", []string{"SIGNET_TOKEN_LIFETIME=-1m"}, "SIGNET_TOKEN_LIFETIME (token_lifetime): must be 1s to 60m in whole seconds"},
		{"lifetime over the maximum", []string{"SIGNET_TOKEN_LIFETIME=20m", "SIGNET_TOKEN_MAX_LIFETIME=10m"}, "SIGNET_TOKEN_LIFETIME (token_lifetime): must not exceed token_max_lifetime"},
		{"maximum over an hour", []string{"SIGNET_TOKEN_MAX_LIFETIME=61m"}, "SIGNET_TOKEN_MAX_LIFETIME (token_max_lifetime): must be 1s to 60m in whole seconds"},

		{"algorithm none", []string{"SIGNING_ALG=x", "SIGNET_SIGNING_ALG=none"}, badAlg},
		{"symmetric algorithm", []string{"SIGNET_SIGNING_ALG=HS256"}, badAlg},
		{"algorithm by an older name", []string{"SIGNET_SIGNING_ALG=EdDSA"}, badAlg},
		{"no max-age", []string{"SIGNET_JWKS_MAX_AGE=0s"}, "SIGNET_JWKS_MAX_AGE (jwks_max_age): must be 1s to 24h in whole seconds"},
		{"rotation not longer than publication", []string{"SIGNET_JWKS_MAX_AGE=2h", "SIGNET_KEY_ROTATION=7261s"}, "SIGNET_KEY_ROTATION (key_rotation): must be longer than jwks_max_age and 61s"},
		{"rotation shorter than tokens", []string{"SIGNET_KEY_ROTATION=1h"}, "SIGNET_KEY_ROTATION (key_rotation): must be at least token_max_lifetime and 60s"},
		{"no rotation", []string{"SIGNET_KEY_ROTATION=87600h"}, "SIGNET_KEY_ROTATION (key_rotation): must be 1s to 8760h in whole seconds"},
		{"rotation after more than a year", []string{"SIGNET_KEY_ROTATION=8761h"}, "SIGNET_KEY_ROTATION (key_rotation): must be 1s to 8760h in whole seconds"},

		{"boolean", []string{"SIGNET_STRICT_SCOPES=yes"}, "SIGNET_STRICT_SCOPES (strict_scopes): must be true or false"},
		{"boolean in upper case", []string{"SIGNET_STRICT_SCOPES=True"}, "SIGNET_STRICT_SCOPES (strict_scopes): must be true or false"},
		{"unknown dialect", []string{"SIGNET_DIALECTS=keycard,okta"}, badDialects},
		{"dialect twice", []string{"SIGNET_DIALECTS=keycard,keycard"}, badDialects},
		{"level", []string{"SIGNET_LOG_LEVEL=INFO"}, "SIGNET_LOG_LEVEL (log_level): must be debug, info, warn or error"},
		{"format", []string{"SIGNET_LOG_FORMAT=xml"}, "SIGNET_LOG_FORMAT (log_format): must be auto, text or json"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config, err := Load(Sources{Environ: tc.environ})
			if err == nil {
				t.Fatal("accepted")
			}
			if err.Error() != tc.want {
				t.Errorf("\n got %s\nwant %s", err, tc.want)
			}
			if strings.Contains(err.Error(), "CANARY") || config.Listen != "" {
				t.Error("the error quotes a value, or comes with a configuration")
			}
		})
	}
}

const (
	hiddenProxy = "SIGNET_TRUSTED_PROXIES (trusted_proxies): is needed when the issuer is https and this server has no certificate, or every caller would look like this machine; " +
		"name the proxy that ends TLS, as in 127.0.0.1/32, or set SIGNET_TLS_CERT_FILE and SIGNET_TLS_KEY_FILE"
	badIssuer   = "SIGNET_ISSUER (issuer): must be an http or https URL without user, query, fragment and trailing slash; write it as in https://id.example.com"
	badAlg      = "SIGNET_SIGNING_ALG (signing_alg): must be ES256, Ed25519, RS256, PS256, ES384 or ES512; names are those of RFC 7518 and RFC 9864"
	badDialects = "SIGNET_DIALECTS (dialects): must be all, none, or some of prisme, keycard, nscale, rezolve, each once"
)

func TestAcceptedEdges(t *testing.T) {
	certFile, keyFile := certificate(t)
	for name, environ := range map[string][]string{
		"open behind a proxy":       {open, proxied, public},
		"open with TLS":             {open, public, "SIGNET_TLS_CERT_FILE=" + certFile, "SIGNET_TLS_KEY_FILE=" + keyFile},
		"https issuer on loopback":  {public, local},
		"the same with TLS":         {public, "SIGNET_TLS_CERT_FILE=" + certFile, "SIGNET_TLS_KEY_FILE=" + keyFile},
		"issuer with port and path": {public + ":8443/a/b", local},
		"longest rotation":          {"SIGNET_KEY_ROTATION=8760h"},
		"plain loopback issuer":     {"SIGNET_ISSUER=http://[::1]:9"},
		"any port":                  {"SIGNET_LISTEN=[::1]:0", "SIGNET_METRICS_LISTEN=127.0.0.1:0"},
		"shortest rotation":         {"SIGNET_KEY_ROTATION=3660s", "SIGNET_JWKS_MAX_AGE=3598s"},
		"shortest tokens":           {"SIGNET_TOKEN_LIFETIME=1s", "SIGNET_TOKEN_MAX_LIFETIME=1s"},
	} {
		if _, err := Load(Sources{Environ: environ}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	file := write(t, "signet.yaml", "token_lifetime: 2h\nsigning_alg: none\ncolour: red\n", 0o644)
	_, err := Load(Sources{
		File:    file,
		Environ: []string{"SIGNET_STRICT_SCOPES=1", "SIGNET_REDIS_URL=memcached://h"},
		Flags:   map[string]string{"listen": "nowhere", "nonsense": "1"},
	})
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("error %v", err)
	}
	seen := map[string]bool{}
	for _, one := range joined.Unwrap() {
		problem, ok := errors.AsType[*Problem](one)
		if !ok {
			t.Fatalf("%T among the problems", one)
		}
		seen[problem.Key] = true
	}
	for _, key := range []string{"colour", "redis_url", "nonsense", "listen", "token_lifetime", "signing_alg", "strict_scopes"} {
		if !seen[key] {
			t.Errorf("%s is not named in\n%v", key, err)
		}
	}
	if len(seen) != 7 {
		t.Errorf("more than the seven:\n%v", err)
	}
}
