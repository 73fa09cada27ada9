package e2e_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signet-issuer/signet/internal/engines"
)

func newMasterKey() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	return base64.StdEncoding.EncodeToString(raw)
}

// newReplicas returns places for processes of one installation, which keep nothing of their
// own: what appears in their folders at the end fails the test.
func newReplicas(t testing.TB, size int, env ...string) []*place {
	t.Helper()
	var places []*place
	for range size {
		p := newPlace(t)
		p.listen = freeAddress(t)
		places = append(places, p)
	}
	for _, p := range places {
		p.env = append([]string{"SIGNET_ISSUER=http://" + places[0].listen}, env...)
		t.Cleanup(func() {
			if found, err := os.ReadDir(p.dir); err != nil || len(found) > 0 {
				t.Errorf("a process without a data directory left %v (%v)", found, err)
			}
		})
	}
	return places
}

// newProduction returns places on a database of their own and a part of the shared Redis.
func newProduction(t testing.TB, size int) []*place {
	t.Helper()
	database := engines.Database(t)
	parsed, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	return newReplicas(t, size, "SIGNET_DATABASE_URL="+database, "SIGNET_REDIS_URL="+engines.RedisURL(t),
		"SIGNET_REDIS_PREFIX="+path.Base(parsed.Path), "SIGNET_MASTER_KEY="+newMasterKey())
}

func freeAddress(t testing.TB) string {
	t.Helper()
	socket, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	return socket.Addr().String()
}

// eventually fails the test unless the condition comes true soon.
func eventually(t testing.TB, within time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %v it does not hold: %s", within, what)
		}
	}
}

// refused asks for a token and wants the refusal that says nothing.
func (a *api) refused(who login) {
	a.t.Helper()
	got, err := a.ask(who)
	if err != nil {
		a.t.Fatal(err)
	}
	if got.status != http.StatusUnauthorized || got.field(a.t, "error") != "invalid_client" {
		a.t.Errorf("status %d: %s, want a refusal", got.status, got.body)
	}
}

// TestI9_ReplicasAreOneServer: what one process acknowledged holds at the other at once, and
// what a command did beside them too.
func TestI9_ReplicasAreOneServer(t *testing.T) {
	places := newProduction(t, 2)
	root := places[0].bootstrap(t)
	first, second := places[0].serve(t), places[1].serve(t)
	a, b := first.api(t).as(root), second.api(t).as(root)
	a.makeAcme()
	m := a.machine("billing")

	kept, revoked := b.token(m.login), b.token(m.login)
	if !a.active(kept) || !b.active(revoked) {
		t.Error("a token of one process is inactive at the other")
	}
	eventually(t, 2*time.Second, "one process knows of the other's use", func() bool {
		account, credential, secret := usedAt(t, a, m)
		return account != "" && account == credential && account == secret
	})
	eventually(t, 2*time.Second, "one process lists the other's tokens", func() bool {
		return len(liveTokens(a, m)) == 2
	})
	a.delete(m.path + "/tokens/" + inside(t, revoked, 1, "jti"))
	if b.active(revoked) || !b.active(kept) {
		t.Error("the revoked token is active, or the other is not")
	}
	a.want(http.StatusOK, http.MethodPatch, m.path, `{"disabled":true}`)
	b.refused(m.login)
	if b.active(kept) {
		t.Error("a token of a disabled account is active")
	}
	b.want(http.StatusOK, http.MethodPatch, m.path, `{"disabled":false}`)
	a.token(m.login)

	followPepper(t, places[0], a, b, m)
	followKeys(t, places[0], root, a, b)
	followRestored(t, places[1], root, first, second)
	first.stop(t)
	second.stop(t)
}

func liveTokens(a *api, m machine) []json.RawMessage {
	a.t.Helper()
	var list struct{ Results []json.RawMessage }
	a.get(m.path+"/tokens").into(a.t, &list)
	return list.Results
}

// followPepper adds a pepper beside the processes: a secret that one makes right afterwards is
// right at the other.
func followPepper(t *testing.T, commands *place, a, b *api, m machine) {
	t.Helper()
	commands.must(t, "keys", "rotate", "--pepper")
	for _, pair := range [][2]*api{{a, b}, {b, a}} {
		added := pair[0].post(http.StatusCreated, m.path+"/credentials/"+m.credential+"/secrets", `{}`)
		pair[1].token(login{m.ID, added.field(t, "clientSecret")})
	}
	b.token(m.login)
}

// followKeys rotates and drops a key beside the processes.
func followKeys(t *testing.T, commands *place, root login, a, b *api) {
	t.Helper()
	_, before := keysOf(t, a)
	commands.must(t, "keys", "rotate", "--force")
	for _, replica := range []*api{a, b} {
		token := replica.token(root)
		if kid := inside(t, token, 0, "kid"); kid != before["prepared"] {
			t.Errorf("key %s signs, want %s", kid, before["prepared"])
		}
		joseVerify(t, replica, token, "ES256")
		eventually(t, 3*time.Second, "the next key is published", func() bool { return len(jwks(t, replica).Keys) == 3 })
	}
	lost := b.token(root)
	commands.must(t, "keys", "drop", before["prepared"])
	fresh := *a
	fresh.bearer = a.token(root, "resource", a.issuer)
	if fresh.active(lost) {
		t.Error("a token of the dropped key is active")
	}
	eventually(t, 3*time.Second, "the dropped key is published nowhere", func() bool {
		return !slices.Contains(kids(t, a), before["prepared"]) && !slices.Contains(kids(t, b), before["prepared"])
	})
}

// followRestored: processes that someone forgot to stop have no key and no token of before either.
func followRestored(t *testing.T, commands *place, root login, first, second *server) {
	t.Helper()
	old, published := first.plain(t).token(root), kids(t, second.plain(t))
	if said := commands.run(t, "restored"); said.code != 0 {
		t.Fatalf("code %d: %s", said.code, said.stderr)
	}
	for _, s := range []*server{first, second} {
		admin := s.plain(t).as(root)
		if admin.active(old) {
			t.Error("a token of before is active")
		}
		for _, kid := range kids(t, admin) {
			if slices.Contains(published, kid) {
				t.Errorf("key %s of before is published", kid)
			}
		}
	}
}

// startLimit is the promise for a start on a migrated database. The quickest of some starts
// has to keep it: the others may have met a busy machine.
const startLimit = 300 * time.Millisecond

func TestStartToReadyOnPostgreSQL(t *testing.T) {
	p := newProduction(t, 1)[0]
	p.bootstrap(t)
	var took []time.Duration
	for range 6 {
		s := p.serve(t)
		took = append(took, s.readyAfter)
		s.kill()
	}
	if quickest := slices.Min(took); quickest > startLimit {
		t.Errorf("the quickest start took %v, want %v: all %v", quickest, startLimit, took)
	}
	t.Logf("starts took %v", took)
}

// TestMigrationApart: the role of the server may be one that cannot change the schema.
func TestMigrationApart(t *testing.T) {
	p := newProduction(t, 1)[0]
	p.env = append(p.env, "SIGNET_MIGRATE_AT_START=false")
	said := p.run(t, "serve")
	if said.code != 1 || !strings.Contains(said.stderr, "the schema is at version 0") || !strings.Contains(said.stderr, "\nhint: run signet migrate first") {
		t.Errorf("on an empty database: code %d, %s", said.code, said.stderr)
	}
	for range 2 {
		if said = p.run(t, "migrate"); said.code != 0 || !strings.HasPrefix(said.stderr, "the schema is up to date: version ") {
			t.Errorf("migrate: code %d, %s", said.code, said.stderr)
		}
	}
	root := p.bootstrap(t)
	s := p.serve(t)
	s.plain(t).token(root)
	s.stop(t)
}

// TestOneProcessHasTheDataDirectory: without Redis each process keeps state of its own.
func TestOneProcessHasTheDataDirectory(t *testing.T) {
	p := newPlace(t, "SIGNET_DATABASE_URL="+engines.Database(t), "SIGNET_MASTER_KEY="+newMasterKey())
	root := p.bootstrap(t)
	if _, err := os.Stat(p.data()); err == nil {
		t.Error("a command made a data directory that it has no use for")
	}
	s := p.serve(t)
	second := *p
	second.listen = "127.0.0.1:0"
	said := second.run(t, "serve")
	if said.code != 1 || !strings.Contains(said.stderr, "in use by another signet process") ||
		!strings.Contains(said.stderr, "hint: give each process its own SIGNET_DATA_DIR, or set SIGNET_REDIS_URL") {
		t.Errorf("a second process: code %d, %s", said.code, said.stderr)
	}
	// Commands have no use for the directory.
	p.must(t, "keys", "list")
	s.api(t).as(root).makeAcme()
	s.stop(t)
	if _, err := os.Stat(p.data("signet.db")); err == nil {
		t.Error("a server on PostgreSQL made an SQLite database")
	}
}
