// Package datadir owns the data directory of the embedded mode: its lock, the places of
// its files, and the file of the master key.
package datadir

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/signet-issuer/signet/internal/secret"
)

const (
	lockFile    = "lock"
	keyFile     = "master.key"
	nextKeyFile = "master.key.next"
)

// ErrLocked reports that another process has the directory open.
var ErrLocked = errors.New("the data directory is in use by another signet process")

// Dir is a data directory that this process alone has open.
type Dir struct {
	path string
	lock *flock.Flock
}

// Open makes the directory, readable by its owner alone, when it is not there and locks it.
func Open(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	if err := checkMode(path, 0o002, "others may write into the data directory: chmod 700 it"); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(path, lockFile), flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	if !locked {
		return nil, ErrLocked
	}
	return &Dir{path: path, lock: lock}, nil
}

// Close gives the directory free.
func (d *Dir) Close() error { return d.lock.Close() }

// Database is the path of the file that keeps the truth.
func (d *Dir) Database() string { return filepath.Join(d.path, "signet.db") }

// State is the path of the file that keeps what may be lost.
func (d *Dir) State() string { return filepath.Join(d.path, "state.db") }

// MasterKey reads the directory's master key, and makes it once when there is no database
// yet that an earlier one could have sealed.
func (d *Dir) MasterKey(random io.Reader) (secret.Key, error) {
	key, err := readKey(d.file(keyFile))
	if !errors.Is(err, os.ErrNotExist) {
		return key, err
	}
	if _, err := os.Stat(d.Database()); err == nil {
		return secret.Key{}, fmt.Errorf("%s is missing, and without it nothing in the database opens", keyFile)
	}
	return d.makeKey(keyFile, random)
}

// StagedKey reads the key of a rotation that did not end, and false when there is none.
func (d *Dir) StagedKey() (secret.Key, bool, error) {
	key, err := readKey(d.file(nextKeyFile))
	if errors.Is(err, os.ErrNotExist) {
		return secret.Key{}, false, nil
	}
	return key, err == nil, err
}

// StageKey makes a new master key beside the current one. It is on the disk before
// anything is sealed under it.
func (d *Dir) StageKey(random io.Reader) (secret.Key, error) { return d.makeKey(nextKeyFile, random) }

// PromoteKey puts the staged key in the place of the current one.
func (d *Dir) PromoteKey() error {
	if err := os.Rename(d.file(nextKeyFile), d.file(keyFile)); err != nil {
		return fmt.Errorf("put the new master key in place: %w", err)
	}
	return d.sync()
}

// DiscardKey removes a staged key under which nothing was sealed.
func (d *Dir) DiscardKey() error {
	if err := os.Remove(d.file(nextKeyFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the unused master key: %w", err)
	}
	return d.sync()
}

func (d *Dir) file(name string) string { return filepath.Join(d.path, name) }

func (d *Dir) makeKey(name string, random io.Reader) (secret.Key, error) {
	key, text, err := secret.GenerateKey(random)
	if err != nil {
		return secret.Key{}, err
	}
	// Renamed when it is whole: a half-written key would lock its owner out for ever.
	draft := d.file(name + ".tmp")
	file, err := os.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return secret.Key{}, fmt.Errorf("make the master key file: %w", err)
	}
	_, err = file.WriteString(text.Reveal() + "\n")
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return secret.Key{}, errors.Join(fmt.Errorf("write the master key file: %w", err), os.Remove(draft))
	}
	if err := os.Rename(draft, d.file(name)); err != nil {
		return secret.Key{}, fmt.Errorf("put the master key file in place: %w", err)
	}
	if err := d.sync(); err != nil {
		return secret.Key{}, err
	}
	return key, nil
}

// sync makes names of files as durable as their contents.
func (d *Dir) sync() error {
	dir, err := os.Open(d.path)
	if err != nil {
		return fmt.Errorf("open the data directory: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func readKey(path string) (secret.Key, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return secret.Key{}, err
	}
	if err := checkMode(path, 0o077, filepath.Base(path)+" can be read by others than its owner: chmod 600 it"); err != nil {
		return secret.Key{}, err
	}
	key, err := secret.ParseKey(string(text))
	if err != nil {
		return secret.Key{}, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return key, nil
}

// checkMode refuses a file or folder on which one of the bits is set.
func checkMode(path string, bits os.FileMode, complaint string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&bits != 0 {
		return errors.New(complaint)
	}
	return nil
}
