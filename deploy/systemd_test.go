package deploy_test

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/signet-issuer/signet/config"
)

// unit is a unit file: section, then directive, then its values in order.
type unit map[string]map[string][]string

func readUnit(t *testing.T, name string) unit {
	t.Helper()
	parsed := unit{}
	var section string
	for line := range strings.Lines(read(t, name)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if header := regexp.MustCompile(`^\[(\w+)\]$`).FindStringSubmatch(line); header != nil {
			section = header[1]
			parsed[section] = map[string][]string{}
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || section == "" {
			t.Fatalf("%s: %q is no directive", name, line)
		}
		parsed[section][name] = append(parsed[section][name], value)
	}
	return parsed
}

func (u unit) is(t *testing.T, name, want string) {
	t.Helper()
	if got := u["Service"][name]; !slices.Equal(got, []string{want}) {
		t.Errorf("%s is %q, want %q", name, got, want)
	}
}

func TestSystemdUnitIsHardened(t *testing.T) {
	service := readUnit(t, "systemd/signet.service")
	if len(service["Unit"]) == 0 || len(service["Install"]) == 0 {
		t.Fatal("a section is missing")
	}
	for name, want := range map[string]string{
		"Type": "exec", "ExecStart": "/usr/local/bin/signet serve", "Restart": "on-failure", "TimeoutStopSec": "15s",
		"ProtectSystem": "strict", "NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "MemoryDenyWriteExecute": "yes",
		"PrivateTmp": "yes", "ProtectHome": "yes", "StateDirectory": "signet", "StateDirectoryMode": "0700", "LimitCORE": "0", "UMask": "0077",
	} {
		service.is(t, name, want)
	}
	// The user that sysusers makes.
	if user := service["Service"]["User"]; len(user) != 1 || !strings.Contains(read(t, "systemd/sysusers.conf"), "\nu "+user[0]+" ") {
		t.Errorf("nobody makes the user %q", user)
	}
}

// What the unit and its drop-in set is a configuration that Signet takes.
func TestSystemdConfiguresSignet(t *testing.T) {
	folder := t.TempDir()
	credentials := map[string]string{
		"master.key": masterKey(t), "database-url": "postgres://signet:x@127.0.0.1/signet", "redis-url": "redis://127.0.0.1",
	}
	set := strings.Fields(strings.Join(envFile(t), "\n"))
	for _, name := range []string{"systemd/signet.service", "systemd/production.conf"} {
		service := readUnit(t, name)["Service"]
		for _, credential := range service["LoadCredential"] {
			id, _, _ := strings.Cut(credential, ":")
			if err := os.WriteFile(filepath.Join(folder, id), []byte(credentials[id]), 0o440); err != nil {
				t.Fatal(err)
			}
		}
		for _, variable := range service["Environment"] {
			set = append(set, strings.NewReplacer("%d", folder, "%S", folder).Replace(variable))
		}
		loaded, err := config.Load(config.Sources{Environ: set})
		if err != nil {
			t.Fatalf("with %s: %v", name, err)
		}
		if production := name != "systemd/signet.service"; loaded.DatabaseURL.IsZero() == production || loaded.RedisURL.IsZero() == production {
			t.Errorf("with %s the databases are not what they should be", name)
		}
	}
}

// envFile lists the settings of signet.env.
func envFile(t *testing.T) []string {
	t.Helper()
	return regexp.MustCompile(`(?m)^\w+=\S+$`).FindAllString(read(t, "systemd/signet.env"), -1)
}

func TestSystemdVerifies(t *testing.T) {
	analyze := installed(t, "systemd-analyze")
	folder := t.TempDir()
	text := strings.Replace(read(t, "systemd/signet.service"), "/usr/local/bin/signet", "/bin/true", 1)
	path := filepath.Join(folder, "signet.service")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	verdict, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", path).CombinedOutput()
	if err != nil || len(verdict) > 0 {
		t.Errorf("%v\n%s", err, verdict)
	}
	// 2.0 of 10, where 10 is a service without any protection.
	verdict, err = exec.CommandContext(t.Context(), analyze, "security", "--offline=yes", "--threshold=20", path).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, verdict)
	}
}

// signet-admin makes the first administrator as the service's user, with its files.
func TestSystemdAdmin(t *testing.T) {
	installed(t, "setpriv")
	if os.Geteuid() != 0 {
		t.Skip("only root may become the service's user")
	}
	etc, data := t.TempDir(), filepath.Join(built.folder, "admin")
	script := strings.NewReplacer("etc=/etc/signet", "etc="+etc, "user=signet", "user=nobody", "--regid=\"$user\"", "--regid=nogroup",
		"/var/lib/signet", data).Replace(read(t, "systemd/signet-admin"))
	for path, content := range map[string]string{
		filepath.Join(etc, "signet-admin"): script, filepath.Join(etc, "signet.env"): read(t, "systemd/signet.env"),
		filepath.Join(etc, "master.key"): masterKey(t),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skip(err)
	}
	uid, err := strconv.Atoi(nobody.Uid)
	if err != nil {
		t.Fatal(err)
	}
	binary := program(t)
	// The way to the binary is open to that user, as /usr/local/bin is.
	if err := errors.Join(os.Chmod(built.folder, 0o711), os.Mkdir(data, 0o700), os.Chown(data, uid, -1)); err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), "sh", filepath.Join(etc, "signet-admin"), "bootstrap")
	run.Env = []string{"PATH=" + filepath.Dir(binary) + ":" + os.Getenv("PATH")}
	if made := output(t, run); !strings.Contains(made, `"issuer":"https://id.example.com"`) {
		t.Errorf("it made %s", made)
	}
	info, err := os.Stat(filepath.Join(data, "signet.db"))
	if err != nil {
		t.Fatal(err)
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; int(owner) != uid {
		t.Errorf("the database belongs to user %d", owner)
	}
}
