package e2e_test

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func removeState(t *testing.T, p *place) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(p.data("state.db" + suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// kids lists the ids of the published keys.
func kids(t *testing.T, a *api) []string {
	t.Helper()
	var list []string
	for _, key := range jwks(t, a).Keys {
		list = append(list, key.KeyID)
	}
	slices.Sort(list)
	return list
}

// TestMasterKeyRotationChangesNothingElse: `signet keys rotate --master` re-seals and no more.
func TestMasterKeyRotationChangesNothingElse(t *testing.T) {
	p := newPlace(t)
	root := p.bootstrap(t)
	s := p.serve(t)
	admin := s.api(t).as(root)
	token, published := admin.token(root), kids(t, admin)
	if locked := p.run(t, "keys", "rotate", "--master"); locked.code != 1 || !strings.Contains(locked.stderr, "in use") {
		t.Errorf("beside a running server: code %d, %s", locked.code, locked.stderr)
	}
	s.stop(t)

	old := readFile(t, p.data("master.key"))
	p.must(t, "keys", "rotate", "--master")
	if bytes.Equal(old, readFile(t, p.data("master.key"))) {
		t.Error("the master key is the old one")
	}
	s = p.serve(t)
	admin = s.api(t).as(root) // the old secret
	if !admin.active(token) {
		t.Error("a token of before is inactive")
	}
	if now := kids(t, admin); !slices.Equal(now, published) {
		t.Errorf("the published keys were %v and are %v", published, now)
	}
	s.stop(t)

	path := filepath.Join(p.dir, "old.key")
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	p.env = append(p.env, "SIGNET_MASTER_KEY_FILE="+path)
	if opened := p.run(t, "keys", "list"); opened.code != 1 || !strings.Contains(opened.stderr, "hint: this is not the master key") {
		t.Errorf("the old master key: code %d, %s", opened.code, opened.stderr)
	}
}

// TestMasterKeyRotationSurvivesKill9 cuts rotations at random moments: one of both keys always opens.
func TestMasterKeyRotationSurvivesKill9(t *testing.T) {
	p := newPlace(t)
	root := p.bootstrap(t)
	s := p.serve(t)
	token := s.api(t).token(root)
	s.stop(t)
	began := time.Now()
	p.must(t, "keys", "rotate", "--master")
	whole := time.Since(began)

	var ended, staged int
	for i := range 14 {
		cmd := p.command(t.Context(), "keys", "rotate", "--master")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Anywhere, or while there are two keys.
		delay := rand.N(2 * whole)
		if i%2 == 0 {
			waitForFile(p.data("master.key.next"), whole*20)
			delay = rand.N(time.Duration(i+1) * 500 * time.Microsecond)
		}
		time.Sleep(delay)
		_ = cmd.Process.Kill() // it may have ended already
		if cmd.Wait() == nil {
			ended++
		}
		if _, err := os.Stat(p.data("master.key.next")); err == nil {
			staged++
		}
		s, err := p.launch(t.Context())
		if err != nil {
			t.Fatalf("after a rotation that was cut after %v: %v", delay, err)
		}
		if !s.plain(t).as(root).active(token) {
			t.Errorf("after a rotation that was cut after %v a token of before is inactive", delay)
		}
		s.kill()
		if _, err := os.Stat(p.data("master.key.next")); err == nil {
			t.Errorf("after a start the key of the rotation that was cut after %v is still there", delay)
		}
	}
	if staged == 0 {
		t.Error("no rotation was cut while there were two keys")
	}
	t.Logf("of 14 rotations %d came to their end and %d were cut while there were two keys", ended, staged)
}

func waitForFile(path string, atMost time.Duration) {
	for began := time.Now(); time.Since(began) < atMost; {
		if _, err := os.Stat(path); err == nil {
			return
		}
	}
}

// TestRestoredEndsEveryTokenAndKey: after a backup nothing that was revoked since lives again.
func TestRestoredEndsEveryTokenAndKey(t *testing.T) {
	p := newPlace(t)
	root := p.bootstrap(t)
	s := p.serve(t)
	admin := s.api(t).as(root)
	admin.makeAcme()
	m := admin.machine("billing")
	tokens, published := []string{admin.token(m.login), admin.token(root)}, kids(t, admin)
	s.stop(t)

	p.must(t, "restored")
	admin = p.serve(t).api(t).as(root)
	for _, token := range tokens {
		if admin.active(token) {
			t.Error("a token of before is active")
		}
	}
	now := kids(t, admin)
	if slices.ContainsFunc(published, func(kid string) bool { return slices.Contains(now, kid) }) {
		t.Errorf("of the keys %v some are still published: %v", published, now)
	}
	if !admin.active(admin.token(m.login)) {
		t.Error("a new token for an old secret is inactive")
	}
}
