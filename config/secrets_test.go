package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMasterKeyProblems(t *testing.T) {
	good := write(t, "good.key", goodKey, 0o600)
	directory := t.TempDir()
	for _, tc := range []struct {
		name    string
		environ []string
		want    string
	}{
		{"both forms", []string{"SIGNET_MASTER_KEY=" + goodKey, "SIGNET_MASTER_KEY_FILE=" + good}, "SIGNET_MASTER_KEY (master_key): is set beside master_key_file; set one of them"},
		{"short", []string{"SIGNET_MASTER_KEY=Q0FOQVJZ"}, "SIGNET_MASTER_KEY (master_key): is not the base64 of 32 bytes, or of several keys, one a line; " + keyHint},
		{"not base64", []string{"SIGNET_MASTER_KEY=CANARY!"}, "SIGNET_MASTER_KEY (master_key): is not the base64 of 32 bytes, or of several keys, one a line; " + keyHint},
		{"short file", []string{"SIGNET_MASTER_KEY_FILE=" + write(t, "short.key", "CANARY", 0o600)}, "SIGNET_MASTER_KEY_FILE (master_key_file): is not the base64 of 32 bytes, or of several keys, one a line; " + keyHint},
		{"empty file", []string{"SIGNET_MASTER_KEY_FILE=" + write(t, "empty.key", "", 0o600)}, "SIGNET_MASTER_KEY_FILE (master_key_file): is the path of an empty file"},
		{"a key that is not one in the middle", []string{"SIGNET_MASTER_KEY_FILE=" + write(t, "ring.key", goodKey+"\nCANARY\n"+goodKey, 0o600)}, "SIGNET_MASTER_KEY_FILE (master_key_file): is not the base64 of 32 bytes, or of several keys, one a line; " + keyHint},
		{"all may read", []string{"SIGNET_MASTER_KEY_FILE=" + write(t, "all.key", goodKey, 0o644)}, openKeyFile},
		{"group may write", []string{"SIGNET_MASTER_KEY_FILE=" + write(t, "group.key", goodKey, 0o660)}, openKeyFile},
		// Somebody puts the key where its path belongs: the message must not repeat it.
		{"key as path", []string{"SIGNET_MASTER_KEY_FILE=" + goodKey}, "SIGNET_MASTER_KEY_FILE (master_key_file): does not exist; it must be the path of a file"},
		{"folder", []string{"SIGNET_MASTER_KEY_FILE=" + directory}, "SIGNET_MASTER_KEY_FILE (master_key_file): is not a regular file; it must be the path of a file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Load(Sources{Environ: tc.environ})
			if err == nil || err.Error() != tc.want {
				t.Errorf("\n got %v\nwant %s", err, tc.want)
			}
			if err != nil && (strings.Contains(err.Error(), "CANARY") || strings.Contains(err.Error(), goodKey)) {
				t.Error("the error quotes the key")
			}
		})
	}
	ring := write(t, "ring.key", goodKey+"\n"+goodKey+"\n", 0o640)
	for _, path := range []string{good, ring} {
		if _, err := Load(Sources{Environ: []string{"SIGNET_MASTER_KEY_FILE=" + path}}); err != nil {
			t.Error(err)
		}
	}
	for flag, value := range map[string]string{"master-key": goodKey, "database-url": goodPostgres, "redis-url": goodRedis} {
		_, err := Load(Sources{Flags: map[string]string{flag: value}})
		if err == nil || !strings.Contains(err.Error(), "must not be a flag") || strings.Contains(err.Error(), value) {
			t.Errorf("flag: %v", err)
		}
	}
}

const openKeyFile = "SIGNET_MASTER_KEY_FILE (master_key_file): can be read or changed by others than its owner and group; chmod 600 the file, or 640 with a group of its own"

// Where a container engine puts secrets everybody may read them, and nobody else is there.
func TestExposed(t *testing.T) {
	for _, tc := range []struct {
		mode fs.FileMode
		path string
		want bool
	}{
		{0o600, "/etc/signet/master.key", false},
		{0o400, "/etc/signet/master.key", false},
		{0o640, "/etc/signet/master.key", false},
		{0o440, "/secrets/..2026_11_22/master.key", false}, // Kubernetes with fsGroup
		{0o444, "/etc/signet/master.key", true},
		{0o444, "/run/secrets/master_key", false},
		{0o644, "/run/secrets/kubernetes.io/..2026_11_22/master.key", false},
		{0o664, "/run/secrets/master_key", true},
		{0o646, "/run/secrets/master_key", true},
		{0o620, "/etc/signet/master.key", true},
		{0o444, "/run/secrets-of-others/key", true},
	} {
		if got := exposed(tc.mode, tc.path); got != tc.want {
			t.Errorf("%v %s: %v, want %v", tc.mode, tc.path, got, tc.want)
		}
	}
}

func TestURLFiles(t *testing.T) {
	path := write(t, "database.url", goodPostgres+"\n", 0o400)
	config, err := Load(Sources{Environ: []string{"SIGNET_DATABASE_URL_FILE=" + path, "SIGNET_MASTER_KEY=" + goodKey}})
	if err != nil || config.DatabaseURL.Reveal() != goodPostgres {
		t.Errorf("the URL is not the file's: %v", err)
	}
	bad := write(t, "bad.url", "CANARY", 0o400)
	for _, tc := range []struct {
		name    string
		environ []string
		want    string
	}{
		{"both forms", []string{"SIGNET_REDIS_URL=" + goodRedis, "SIGNET_REDIS_URL_FILE=" + bad}, "SIGNET_REDIS_URL (redis_url): is set beside redis_url_file; set one of them"},
		{"not a URL", []string{"SIGNET_REDIS_URL_FILE=" + bad}, "SIGNET_REDIS_URL_FILE (redis_url_file): is not a Redis URL; " + redisHint},
		{"URL as path", []string{"SIGNET_DATABASE_URL_FILE=" + goodPostgres}, "SIGNET_DATABASE_URL_FILE (database_url_file): does not exist; it must be the path of a file"},
		{"empty", []string{"SIGNET_DATABASE_URL_FILE=" + write(t, "empty.url", "\n", 0o400)}, "SIGNET_DATABASE_URL_FILE (database_url_file): is the path of an empty file"},
		{"all may read", []string{"SIGNET_DATABASE_URL_FILE=" + write(t, "open.url", goodPostgres, 0o444)}, "SIGNET_DATABASE_URL_FILE (database_url_file): can be read or changed by others than its owner and group; chmod 600 the file, or 640 with a group of its own"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Load(Sources{Environ: tc.environ})
			if err == nil || err.Error() != tc.want {
				t.Errorf("\n got %v\nwant %s", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "CANARY") {
				t.Error("the error quotes the URL")
			}
		})
	}
}

func TestFileProblems(t *testing.T) {
	for _, tc := range []struct{ name, content, want string }{
		{"unknown key", "CANARY: 1\nlisten_: x\n", "SIGNET_LISTEN_ (listen_): is not a setting; did you mean SIGNET_LISTEN (listen)?"},
		{"upper case", "LISTEN: 127.0.0.1:1", "SIGNET_LISTEN (LISTEN): is not a setting"},
		{"nested", "listen: {host: CANARY}", "SIGNET_LISTEN (listen): must be a single value"},
		{"list", "listen: [a]", "SIGNET_LISTEN (listen): must be a single value"},
		{"list in a list", "trusted_proxies: [[10.0.0.0/8]]", "SIGNET_TRUSTED_PROXIES (trusted_proxies): must be a single value"},
		{"date", "data_dir: 2026-01-02", "SIGNET_DATA_DIR (data_dir): must be a single value"},
		{"no value", "issuer:", "SIGNET_ISSUER (issuer): is empty"},
		{"YAML 1.1 boolean", "strict_scopes: on", "SIGNET_STRICT_SCOPES (strict_scopes): must be true or false"},
		{"number as duration", "token_lifetime: 900", "SIGNET_TOKEN_LIFETIME (token_lifetime): is not a duration"},
		{"duplicate", "listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\n", "the configuration file is not a YAML mapping with each key once line 2"},
		{"not a mapping", "CANARYCANARYCANARY", "the configuration file is not a YAML mapping with each key once line 1"},
		{"malformed", "a: [", "the configuration file is not a YAML mapping with each key once line 1"},
		{"two documents", "log_level: info\n---\nlog_level: debug\n", "the configuration file has more than one YAML document"},
		{"too large", strings.Repeat("# x\n", maxFileBytes/4+1), "the configuration file is too large"},
		{"open file with a key", "master_key: " + goodKey, "SIGNET_MASTER_KEY (master_key): stands in a file that others than its owner and group can read; chmod 600"},
		{"open file with a password", "redis_url: " + goodRedis, "SIGNET_REDIS_URL (redis_url): stands in a file that others than its owner and group can read; chmod 600"},
		{"open file with a password in a parameter", "database_url: postgres://h/d?password=CANARY", "SIGNET_DATABASE_URL (database_url): stands in a file that others than its owner and group can read; chmod 600"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Load(Sources{File: write(t, "signet.yaml", tc.content, 0o644)})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("\n got %v\nwant %s", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), goodKey) {
				t.Error("the error quotes the key")
			}
		})
	}
	for _, content := range []string{"", "# nothing\n", "---\nlog_level: info\n", "redis_url: rediss://redis.example.com:6379\n"} {
		if _, err := Load(Sources{File: write(t, "signet.yaml", content, 0o644)}); err != nil {
			t.Errorf("%q: %v", content, err)
		}
	}
	if _, err := Load(Sources{File: write(t, "signet.yaml", "master_key: "+goodKey, 0o600)}); err != nil {
		t.Error(err)
	}
	if _, err := Load(Sources{File: filepath.Join(t.TempDir(), "none")}); err == nil || err.Error() != "the configuration file does not exist" {
		t.Errorf("missing file: %v", err)
	}
}

func FuzzConfig(f *testing.F) {
	for _, seed := range [][2]string{
		{"", "LISTEN=127.0.0.1:0"},
		{"listen: 127.0.0.1:1\ntrusted_proxies: [10.0.0.0/8]\n", "ISSUER=https://id.example.com"},
		{"a: &a [*a, *a]", "MASTER_KEY=" + goodKey},
		{"? [x]\n: y", "TOKEN_LIFETIME=9999999999h"},
		{"<<: {listen: x}", "=x"},
		{"listen: !!binary CANARY", "JWKS_MAX_AGE=1m"},
		{"\xff", "PORT=tcp://x"},
		{"redis_prefix: a\ndatabase_max_conns: 9\n", "DATABASE_URL=" + goodPostgres},
		{"redis_url: redis+sentinel://a:1,[::1]:2/m/0\n", "REDIS_URL=rediss+cluster://u:p@h:1,i:2?ca_file=x"},
		{"migrate_at_start: false\n", "DATABASE_URL=postgres://%2Frun/x?host=/run&host=h"},
	} {
		f.Add(seed[0], seed[1])
	}
	path := filepath.Join(f.TempDir(), "signet.yaml")
	f.Fuzz(func(t *testing.T, file, variable string) {
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		sources := Sources{File: path, Environ: []string{prefix + variable, prefix + "MASTER_KEY=" + goodKey}}
		config, err := Load(sources)
		if err != nil {
			if strings.Contains(err.Error(), goodKey) && !strings.Contains(file+variable, goodKey) {
				t.Fatal("the error quotes the key")
			}
			return
		}
		if err := config.Validate(); err != nil {
			t.Fatalf("loaded, then: %v", err)
		}
		if config.TokenLifetime > config.TokenMaxLifetime || config.TokenMaxLifetime > longestLifetime {
			t.Fatalf("lifetimes %v and %v", config.TokenLifetime, config.TokenMaxLifetime)
		}
	})
}
