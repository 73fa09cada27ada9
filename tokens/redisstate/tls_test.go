package redisstate_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// authority issues certificates into a folder.
type authority struct {
	t      *testing.T
	folder string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, folder: t.TempDir()}
	a.cert, a.key = a.issue(name, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// issue writes name.pem and name.key.
func (a *authority) issue(name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber, template.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name+".pem", "CERTIFICATE", der)
	a.write(name+".key", "PRIVATE KEY", keyDER)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) write(name, kind string, der []byte) {
	a.t.Helper()
	if err := os.WriteFile(a.path(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func (a *authority) path(name string) string { return filepath.Join(a.folder, name) }

// freePort lies outside of those that the system gives to connections.
func freePort(t *testing.T) string {
	t.Helper()
	for port := 20001; port < 30000; port++ {
		text := big.NewInt(int64(port)).String()
		if listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:"+text); err == nil {
			if err := listener.Close(); err != nil {
				t.Fatal(err)
			}
			return text
		}
	}
	t.Fatal("no port is free")
	return ""
}

func TestTLS(t *testing.T) {
	ca, stranger := newAuthority(t, "ca"), newAuthority(t, "ca")
	ca.issue("server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	ca.issue("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	stranger.issue("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	port := freePort(t)
	r := ownRedis(t, "--tls-port", port, "--tls-cert-file", ca.path("server.pem"), "--tls-key-file", ca.path("server.key"),
		"--tls-ca-cert-file", ca.path("ca.pem"), "--tls-auth-clients", "yes")
	client := func(a *authority) string {
		return "&cert_file=" + a.path("client.pem") + "&key_file=" + a.path("client.key")
	}
	// With TLS 1.3 a server refuses a client only after the client believes to be connected, so
	// that what is seen of it may as well be that the connection ended.
	tests := []struct{ name, url, words string }{
		{"both certified", "rediss://127.0.0.1:" + port + "?ca_file=" + ca.path("ca.pem") + client(ca), ""},
		{"without a certificate of ours", "rediss://127.0.0.1:" + port + "?ca_file=" + ca.path("ca.pem"), "Redis "},
		{"with a stranger's certificate", "rediss://127.0.0.1:" + port + "?ca_file=" + ca.path("ca.pem") + client(stranger), "Redis "},
		{"a server of another authority", "rediss://127.0.0.1:" + port + "?ca_file=" + stranger.path("ca.pem") + client(ca), "certificate of Redis is not trusted"},
		{"a server that nobody vouches for", "rediss://127.0.0.1:" + port + "?" + client(ca)[1:], "certificate of Redis is not trusted"},
		{"another name", "rediss://localhost:" + port + "?ca_file=" + ca.path("ca.pem") + client(ca), "certificate of Redis is not trusted"},
		{"no TLS there", "rediss://" + r.Addr() + "?ca_file=" + ca.path("ca.pem"), "Redis does not "},
		{"no TLS here", "redis://127.0.0.1:" + port, "Redis "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := openAt(t, tt.url, patient)
			account := uuid.New()
			s.Add(token(account, 1))
			if tt.words == "" {
				written(t, s)
				if len(jtis(t, s, account)) != 1 || s.Report() != "ok" {
					t.Errorf("report: %s", s.Report())
				}
				return
			}
			eventually(t, "it is reported: "+tt.words, func() bool { return strings.Contains(s.Report(), tt.words) })
		})
	}
}
