package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/signet-issuer/signet/internal/secret"
)

const keyHint = "make one with: head -c 32 /dev/urandom | base64"

// containerSecrets is where container engines put secrets, for every user of the container.
const containerSecrets = "/run/secrets/"

// readSecrets fills each secret from its file, if that is where it is.
func (c *Config) readSecrets(found *problems) {
	c.MasterKey = secretFrom(c.MasterKeyFile, c.MasterKey, "master_key", found)
	c.DatabaseURL = secretFrom(c.DatabaseURLFile, c.DatabaseURL, "database_url", found)
	c.RedisURL = secretFrom(c.RedisURLFile, c.RedisURL, "redis_url", found)
}

// secretFrom reads the file at path, which the setting key_file names, or keeps the direct value.
func secretFrom(path string, direct secret.Text, key string, found *problems) secret.Text {
	if path == "" {
		return direct
	}
	fileKey := key + "_file"
	if !direct.IsZero() {
		found.add(key, "is set beside "+fileKey, "set one of them")
		return direct
	}
	content, open, err := readSmallFile(path)
	switch {
	case err != nil:
		found.add(fileKey, err.Error(), "it must be the path of a file")
	case open:
		found.add(fileKey, "can be read or changed by others than its owner and group", "chmod 600 the file, or 640 with a group of its own")
	case strings.TrimRight(string(content), "\r\n") == "":
		found.add(fileKey, "is the path of an empty file", "")
	default:
		return secret.New(strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r"))
	}
	return secret.Text{}
}

func (c Config) checkMasterKey(found *problems) {
	if c.MasterKey.IsZero() {
		return
	}
	if _, err := secret.ParseKey(c.MasterKey.Reveal()); err != nil {
		found.add(named("master_key", c.MasterKeyFile), "is not the base64 of 32 bytes, or of several keys, one a line", keyHint)
	}
}

// named is the setting that a value came from.
func named(key, file string) string {
	if file != "" {
		return key + "_file"
	}
	return key
}

// readSmallFile returns a regular file and whether it is open to others than its owner and group.
// Its errors do not name the path: someone may have put the secret itself there.
func readSmallFile(path string) (content []byte, open bool, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, false, errors.New("does not exist")
	case err != nil:
		return nil, false, errors.New("cannot be read")
	case !info.Mode().IsRegular():
		return nil, false, errors.New("is not a regular file")
	case info.Size() > maxFileBytes:
		return nil, false, errors.New("is too large")
	}
	content, err = os.ReadFile(path)
	if err != nil {
		return nil, false, errors.New("cannot be read")
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, false, errors.New("cannot be read")
	}
	return content, exposed(info.Mode(), real), nil
}

// exposed reports whether a file at a path without links is readable by everybody, or writable
// by others than its owner. In a container everybody is this server alone.
func exposed(mode fs.FileMode, real string) bool {
	return mode.Perm()&0o022 != 0 || mode.Perm()&0o004 != 0 && !strings.HasPrefix(filepath.ToSlash(real), containerSecrets)
}
