package datadir_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/signet-issuer/signet/internal/datadir"
	"github.com/signet-issuer/signet/internal/secret"
)

func open(t *testing.T, path string) *datadir.Dir {
	t.Helper()
	dir, err := datadir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.Close() })
	return dir
}

func seal(t *testing.T, key secret.Key) []byte {
	t.Helper()
	sealed, err := key.Seal(rand.Reader, "test", []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func opens(key secret.Key, sealed []byte) bool {
	plain, err := key.Open("test", sealed)
	return err == nil && bytes.Equal(plain, []byte("plain"))
}

func TestOnlyOneProcessHasTheDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	first := open(t, path)
	if _, err := datadir.Open(path); !errors.Is(err, datadir.ErrLocked) {
		t.Fatalf("a second open answers %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("the directory has mode %v (%v)", info.Mode(), err)
	}
}

func TestMasterKeyIsMadeOnce(t *testing.T) {
	path := t.TempDir()
	dir := open(t, path)
	made, err := dir.MasterKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sealed := seal(t, made)
	again, err := dir.MasterKey(rand.Reader)
	if err != nil || !opens(again, sealed) {
		t.Fatalf("the second reading is another key (%v)", err)
	}
	info, err := os.Stat(filepath.Join(path, "master.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the key file has mode %v (%v)", info.Mode(), err)
	}
}

func TestMissingMasterKeyIsNotReplaced(t *testing.T) {
	dir := open(t, t.TempDir())
	if err := os.WriteFile(dir.Database(), []byte("something sealed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.MasterKey(rand.Reader); err == nil {
		t.Fatal("a new key was made for a database that it does not open")
	}
}

func TestDamagedMasterKeyIsAnErrorWithoutItsText(t *testing.T) {
	path := t.TempDir()
	dir := open(t, path)
	if err := os.WriteFile(filepath.Join(path, "master.key"), []byte("CANARY"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := dir.MasterKey(rand.Reader)
	if err == nil || bytes.Contains([]byte(err.Error()), []byte("CANARY")) {
		t.Fatalf("a damaged key answers %v", err)
	}
}

func TestStagedKeyTakesThePlaceOfTheCurrentOne(t *testing.T) {
	dir := open(t, t.TempDir())
	if _, err := dir.MasterKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	if _, found, err := dir.StagedKey(); found || err != nil {
		t.Fatalf("staged: %v, %v", found, err)
	}
	next, err := dir.StageKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sealed := seal(t, next)
	if staged, found, err := dir.StagedKey(); !found || err != nil || !opens(staged, sealed) {
		t.Fatalf("staged: %v, %v", found, err)
	}
	if err := dir.PromoteKey(); err != nil {
		t.Fatal(err)
	}
	if current, err := dir.MasterKey(rand.Reader); err != nil || !opens(current, sealed) {
		t.Fatalf("the staged key is not the current one (%v)", err)
	}
	if _, found, err := dir.StagedKey(); found || err != nil {
		t.Fatalf("staged: %v, %v", found, err)
	}
}

func TestDiscardKeyForgetsTheStagedOne(t *testing.T) {
	dir := open(t, t.TempDir())
	if _, err := dir.StageKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := dir.DiscardKey(); err != nil {
			t.Fatal(err)
		}
	}
	if _, found, err := dir.StagedKey(); found || err != nil {
		t.Fatalf("staged: %v, %v", found, err)
	}
}

func TestOthersMayNotReadTheKeyOrWriteTheDirectory(t *testing.T) {
	path := t.TempDir()
	dir := open(t, path)
	if _, err := dir.MasterKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(path, "master.key"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.MasterKey(rand.Reader); err == nil {
		t.Error("a key that the group can read is used")
	}
	if err := dir.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	if other, err := datadir.Open(path); err == nil {
		_ = other.Close()
		t.Error("a directory that everybody can write to is used")
	}
}
