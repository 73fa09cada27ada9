package e2e_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// keyFiles gives each place a master key file of its own, outside of its folder.
type keyFiles struct {
	t      *testing.T
	folder string
}

func (k keyFiles) write(name string, keys ...string) string {
	k.t.Helper()
	path := filepath.Join(k.folder, name)
	if err := os.WriteFile(path, []byte(strings.Join(keys, "\n")+"\n"), 0o640); err != nil {
		k.t.Fatal(err)
	}
	return path
}

// TestMasterKeyRotationAcrossReplicas exchanges the master key as docs/configuration.md says,
// one process after the other, while machines ask for tokens.
func TestMasterKeyRotationAcrossReplicas(t *testing.T) {
	t.Parallel()
	places := newProduction(t, 2)
	files := keyFiles{t, t.TempDir()}
	old, next := newMasterKey(), newMasterKey()
	newKey := files.write("new.key", next)
	for i, p := range places {
		p.env = slices.DeleteFunc(p.env, func(v string) bool { return strings.HasPrefix(v, "SIGNET_MASTER_KEY=") })
		p.env = append(p.env, "SIGNET_MASTER_KEY_FILE="+files.write(string(rune('a'+i)), old))
	}
	root := places[0].bootstrap(t)
	r := &rollout{t: t, places: places, servers: []*server{places[0].serve(t), places[1].serve(t)}, root: root}
	admin := r.servers[0].api(t).as(root)
	kept, published := admin.token(root), kids(t, admin)

	early := places[0].run(t, "keys", "rotate", "--master", "--new-key-file", newKey)
	if early.code != 1 || !strings.Contains(early.stderr, "\nhint: add the new key as a second line") {
		t.Errorf("before the servers have both keys: code %d, %s", early.code, early.stderr)
	}
	r.exchange(func(i int) { files.write(string(rune('a'+i)), old, next) })
	stop := r.load()
	places[0].must(t, "keys", "rotate", "--master", "--new-key-file", newKey)
	places[1].must(t, "keys", "rotate", "--force") // sealed under the old key yet, as is what a schedule does now
	stop()
	alone := *places[0]
	alone.env = append(slices.Clone(places[0].env), "SIGNET_MASTER_KEY_FILE="+newKey)
	if mixed := alone.run(t, "keys", "list"); mixed.code != 1 || !strings.Contains(mixed.stderr, "every process needs the old and the new one") {
		t.Errorf("a key of the old master key: code %d, %s", mixed.code, mixed.stderr)
	}
	places[0].must(t, "keys", "rotate", "--master", "--new-key-file", newKey)
	r.exchange(func(i int) { files.write(string(rune('a'+i)), next) })

	admin = r.servers[1].api(t).as(root)
	if !admin.active(kept) {
		t.Error("a token of before is inactive")
	}
	if now := kids(t, admin); !slices.Contains(now, published[0]) {
		t.Errorf("the published keys were %v and are %v", published, now)
	}
	alone.env = append(alone.env, "SIGNET_MASTER_KEY_FILE="+files.write("old.key", old))
	if gone := alone.run(t, "keys", "list"); gone.code != 1 || !strings.Contains(gone.stderr, "hint: this is not the master key") {
		t.Errorf("the old master key: code %d, %s", gone.code, gone.stderr)
	}
}

// rollout is processes that are restarted one after the other.
type rollout struct {
	t       *testing.T
	places  []*place
	servers []*server
	root    login
}

// exchange changes the configuration of each process and restarts it, while the others serve.
func (r *rollout) exchange(change func(i int)) {
	r.t.Helper()
	for i := range r.servers {
		change(i)
		others := slices.Delete(slices.Clone(r.servers), i, i+1)
		stop := r.load(others...)
		r.servers[i].stop(r.t)
		r.servers[i] = r.places[i].serve(r.t)
		r.servers[i].plain(r.t).token(r.root)
		stop()
	}
}

// load asks the servers, all without names, for tokens until stop, which wants none refused.
func (r *rollout) load(servers ...*server) (stop func()) {
	r.t.Helper()
	if len(servers) == 0 {
		servers = r.servers
	}
	var loads []*load
	for _, s := range servers {
		loads = append(loads, startLoad(r.t, s.url, r.root, 2))
	}
	return func() {
		r.t.Helper()
		for i, l := range loads {
			l.untilAnswered(r.t, 20)
			l.leave.Store(true)
			for _, err := range l.end() {
				r.t.Errorf("a token request failed: %v%s", err, unavailable(servers[i]))
			}
		}
	}
}

// unavailable cuts out of the log why a server answered 503.
func unavailable(s *server) (causes string) {
	for line := range strings.Lines(s.stderr.String()) {
		if strings.Contains(line, `"status":503`) {
			causes += "\n" + line
		}
	}
	return causes
}
