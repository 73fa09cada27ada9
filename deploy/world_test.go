package deploy_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signet-issuer/signet/internal/engines"
)

// world is what compose.yaml makes, of the same files, without containers: only addresses and
// the places of files differ.
type world struct {
	t        *testing.T
	folder   string // the copy of this folder that setup.sh has been run in
	postgres *engines.Postgres
	redis    string // its address
	replicas [2]*replica
	client   *http.Client // reaches the balancer
	id       string       // of the administrator
	secret   string
}

type replica struct {
	*process
	address string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	haproxy := installed(t, "haproxy")
	w := &world{t: t, folder: setUp(t), redis: freeAddress(t)}
	w.startPostgres()
	w.startRedis()
	w.bootstrap()
	for i := range w.replicas {
		w.replicas[i] = &replica{address: freeAddress(t)}
		w.start(i)
	}
	w.startBalancer(haproxy)
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.folder, filepath.FromSlash(name)) }

func (w *world) startPostgres() {
	w.t.Helper()
	server, err := engines.StartPostgres(w.t.Context(), w.t.TempDir())
	engines.Check(w.t, err)
	w.postgres = server
	w.t.Cleanup(func() {
		if err := server.Close(); err != nil {
			w.t.Error(err)
		}
	})
	makeRoles(w.t, server, w.path("postgres/roles.sql"), "PASSWORD_FILE="+w.path("secrets/postgres_password"))
}

// makeRoles runs a script of ours as a superuser of another name than it makes.
func makeRoles(t *testing.T, server *engines.Postgres, script string, env ...string) {
	t.Helper()
	psql := installed(t, "psql")
	if err := server.Exec(t.Context(), "postgres", "CREATE ROLE postgres SUPERUSER LOGIN"); err != nil {
		t.Fatal(err)
	}
	superuser := strings.Replace(server.URL("postgres"), engines.Superuser+"@", "postgres@", 1)
	rename := exec.CommandContext(t.Context(), psql, "-X", "-c", "ALTER ROLE "+engines.Superuser+" RENAME TO somebody", superuser)
	output(t, rename)
	run := exec.CommandContext(t.Context(), psql, "-X", "-f", script, superuser)
	run.Env = append(os.Environ(), env...)
	output(t, run)
}

func (w *world) startRedis() {
	w.t.Helper()
	_, port, err := net.SplitHostPort(w.redis)
	if err != nil {
		w.t.Fatal(err)
	}
	conf := strings.NewReplacer("dir /data", "dir "+w.t.TempDir(), "bind * -::*", "bind 127.0.0.1\nport "+port,
		"/run/secrets/redis_users", w.path("secrets/redis_users.acl")).Replace(read(w.t, w.path("redis/redis.conf")))
	if err := os.WriteFile(w.path("redis/redis.conf"), []byte(conf), 0o600); err != nil {
		w.t.Fatal(err)
	}
	launch(w.t, exec.CommandContext(w.t.Context(), installed(w.t, "redis-server"), w.path("redis/redis.conf")))
	eventually(w.t, func() bool {
		conn, err := new(net.Dialer).DialContext(w.t.Context(), "tcp", w.redis)
		return err == nil && conn.Close() == nil
	})
}

// environ is the environment of the service in compose.yaml, with files and names of this machine.
func (w *world) environ(listen string) []string {
	w.t.Helper()
	file := document(w.t, "compose.yaml")
	service := file.at("services", "signet-a")
	environ := []string{"SIGNET_LISTEN=" + listen}
	for _, name := range service.at("environment").keys() {
		value := interpolate(service.at("environment", name).text())
		if secret, ok := strings.CutPrefix(value, "/run/secrets/"); ok {
			value = w.path(file.at("secrets", secret, "file").text())
			content := strings.NewReplacer("postgres:5432", w.postgres.Addr(), "redis:6379", w.redis).Replace(read(w.t, value))
			// In a container everybody may read what is in /run/secrets.
			if err := errors.Join(os.Remove(value), os.WriteFile(value, []byte(content), 0o400)); err != nil {
				w.t.Fatal(err)
			}
		}
		if name == "SIGNET_TRUSTED_PROXIES" {
			value = "127.0.0.1/32"
		}
		environ = append(environ, name+"="+value)
	}
	return environ
}

func (w *world) command(listen string, args ...string) *exec.Cmd {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), program(w.t), args...)
	cmd.Dir, cmd.Env = w.t.TempDir(), w.environ(listen)
	return cmd
}

func (w *world) bootstrap() {
	w.t.Helper()
	var made struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	text := output(w.t, w.command("127.0.0.1:0", "bootstrap"))
	if err := json.Unmarshal([]byte(text), &made); err != nil {
		w.t.Fatal(err)
	}
	w.id, w.secret = made.ID, made.Secret
}

func (w *world) start(i int) {
	w.t.Helper()
	r := w.replicas[i]
	r.process = launch(w.t, w.command(r.address, "serve"))
	eventually(w.t, func() bool { return answers("http://" + r.address + "/readyz") })
}

func (w *world) startBalancer(haproxy string) {
	w.t.Helper()
	address := freeAddress(w.t)
	check := exec.CommandContext(w.t.Context(), haproxy, "-c", "-f", w.path("compose/haproxy.cfg"))
	run := exec.CommandContext(w.t.Context(), haproxy, "-db", "-f", w.path("compose/haproxy.cfg"))
	for _, cmd := range []*exec.Cmd{check, run} {
		cmd.Env = append(os.Environ(), "BIND="+address, "CERTIFICATE="+w.path("secrets/tls.pem"),
			"REPLICA_A="+w.replicas[0].address, "REPLICA_B="+w.replicas[1].address)
	}
	output(w.t, check)
	launch(w.t, run)

	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(read(w.t, w.path("secrets/tls.crt")))) {
		w.t.Fatal("setup.sh made no certificate")
	}
	w.client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
		MaxIdleConnsPerHost: 16, ForceAttemptHTTP2: true,
	}}
	eventually(w.t, func() bool {
		return w.get("/.well-known/jwks.json") == http.StatusOK
	})
}

// issuer is the default of compose.yaml.
const issuer = "https://localhost:8443"

func (w *world) get(path string) (status int) {
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, issuer+path, nil)
	if err != nil {
		w.t.Error(err)
		return 0
	}
	status, _ = w.do(request)
	return status
}

// token asks for one through the balancer, with headers of the client's own.
func (w *world) token(headers ...string) (status int, header http.Header) {
	form := url.Values{"grant_type": {"client_credentials"}}.Encode()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, issuer+"/token", strings.NewReader(form))
	if err != nil {
		w.t.Error(err)
		return 0, nil
	}
	request.SetBasicAuth(w.id, w.secret)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	return w.do(request)
}

// do answers 0 when there was no answer at all.
func (w *world) do(request *http.Request) (status int, header http.Header) {
	response, err := w.client.Do(request)
	if err != nil {
		return 0, nil
	}
	_, readErr := io.Copy(io.Discard, response.Body)
	if errors.Join(readErr, response.Body.Close()) != nil {
		return 0, nil
	}
	return response.StatusCode, response.Header
}
