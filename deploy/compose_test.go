package deploy_test

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/config"
)

// A service has what is at its anchors too, since the parser merges them.
func TestComposeServicesAreHardened(t *testing.T) {
	services := document(t, "compose.yaml").at("services")
	for _, name := range services.keys() {
		service := services.at(name)
		service.at("read_only").is("true")
		service.at("restart").is("unless-stopped")
		if got := service.at("cap_drop").texts(); !slices.Equal(got, []string{"ALL"}) {
			t.Errorf("%s drops %v", name, got)
		}
		if !slices.Contains(service.at("security_opt").texts(), "no-new-privileges:true") {
			t.Errorf("%s may gain privileges", name)
		}
		for _, dangerous := range []string{"privileged", "cap_add", "network_mode", "pid", "ipc"} {
			if service.has(dangerous) {
				t.Errorf("%s has %s", name, dangerous)
			}
		}
		if image := service.at("image").text(); !regexp.MustCompile(`^(signet:\$\{VERSION:-dev\}|\w+:\d[\w.-]*)$`).MatchString(image) {
			t.Errorf("%s runs %s, which names no version", name, image)
		}
	}
}

func TestComposeNamesExist(t *testing.T) {
	file := document(t, "compose.yaml")
	services := file.at("services")
	for _, name := range services.keys() {
		service := services.at(name)
		for _, kind := range []string{"secrets", "networks"} {
			if !service.has(kind) {
				continue
			}
			for _, used := range namesOf(service.at(kind)) {
				if !file.at(kind).has(used) {
					t.Errorf("%s names %s of %s, which is not declared", name, used, kind)
				}
			}
		}
		if service.has("depends_on") {
			for _, used := range namesOf(service.at("depends_on")) {
				services.at(used)
			}
		}
		if service.has("volumes") {
			checkVolumes(t, file, service)
		}
	}
}

// namesOf are the entries of a list, or the keys of a mapping.
func namesOf(n node) []string {
	if _, isMap := n.value.(map[string]any); isMap {
		return n.keys()
	}
	return n.texts()
}

func checkVolumes(t *testing.T, file, service node) {
	t.Helper()
	for _, volume := range service.at("volumes").texts() {
		from, _, _ := strings.Cut(volume, ":")
		if path, isFile := strings.CutPrefix(from, "./"); isFile {
			read(t, path)
			if !strings.HasSuffix(volume, ":ro") {
				t.Errorf("%s may write to %s", service.path, from)
			}
		} else if !file.at("volumes").has(from) {
			t.Errorf("the volume %s is not declared", from)
		}
	}
}

// Only a balancer whose address is known is believed, and nobody else may have it.
func TestComposeTrustsItsBalancer(t *testing.T) {
	file := document(t, "compose.yaml")
	balancer := file.at("services", "balancer", "networks", "edge", "ipv4_address").text()
	file.at("services", "signet-a", "environment", "SIGNET_TRUSTED_PROXIES").is(balancer + "/32")
	address, err := netip.ParseAddr(balancer)
	if err != nil {
		t.Fatal(err)
	}
	network := file.at("networks", "edge", "ipam", "config").list()[0]
	subnet, err := netip.ParsePrefix(network.at("subnet").text())
	if err != nil || !subnet.Contains(address) {
		t.Errorf("%s is not in %s: %v", address, subnet, err)
	}
	// Else a replica, which starts before the balancer, could get its address.
	given, err := netip.ParsePrefix(network.at("ip_range").text())
	if err != nil || given.Contains(address) || !subnet.Contains(given.Addr()) {
		t.Errorf("others get their addresses from %s: %v", given, err)
	}
	file.at("networks", "data", "internal").is("true")
	for _, name := range []string{"postgres", "redis"} {
		if file.at("services", name).has("ports") {
			t.Errorf("%s is published", name)
		}
	}
}

func TestComposeWaitsLongerThanSignetDrains(t *testing.T) {
	file := document(t, "compose.yaml")
	file.at("services", "signet-a", "stop_grace_period").is("10s")
	file.at("services", "signet-a", "depends_on", "postgres", "condition").is("service_healthy")
	file.at("services", "postgres").at("healthcheck", "test")
}

// setUp runs setup.sh in a copy of this folder.
func setUp(t *testing.T) (folder string) {
	t.Helper()
	installed(t, "openssl")
	folder = t.TempDir()
	for _, name := range files(t) {
		if strings.HasPrefix(name, "../") {
			continue
		}
		target := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(target, []byte(read(t, name)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	output(t, exec.CommandContext(t.Context(), "sh", filepath.Join(folder, "setup.sh")))
	return folder
}

func TestSetupMakesEverySecret(t *testing.T) {
	folder := setUp(t)
	secrets := document(t, "compose.yaml").at("secrets")
	for _, name := range secrets.keys() {
		path := filepath.Join(folder, secrets.at(name, "file").text())
		info, err := os.Stat(path)
		if err != nil || info.Size() == 0 {
			t.Errorf("setup.sh makes no %s: %v", name, err)
		}
	}
	info, err := os.Stat(filepath.Join(folder, "secrets"))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("others on the machine get at the secrets: %v %v", info.Mode(), err)
	}
	// A second run would lock everybody out of the database that the first one's secrets open.
	again := exec.CommandContext(t.Context(), "sh", filepath.Join(folder, "setup.sh"))
	if text, err := again.CombinedOutput(); err == nil || !strings.Contains(string(text), "already") {
		t.Errorf("a second run: %v\n%s", err, text)
	}
}

// The environment of the container is a configuration that Signet takes.
func TestComposeConfiguresSignet(t *testing.T) {
	folder := setUp(t)
	file := document(t, "compose.yaml")
	service := file.at("services", "signet-a")
	environ := []string{"SIGNET_LISTEN=" + dockerfile(t)[1].env(t)["SIGNET_LISTEN"]}
	for _, name := range service.at("environment").keys() {
		value := service.at("environment", name).text()
		if secret, ok := strings.CutPrefix(value, "/run/secrets/"); ok {
			if !slices.Contains(service.at("secrets").texts(), secret) {
				t.Errorf("%s names %s, which is not mounted", name, secret)
			}
			value = filepath.Join(folder, file.at("secrets", secret, "file").text())
			// In a container everybody may read what is in /run/secrets.
			if err := os.Chmod(value, 0o400); err != nil {
				t.Fatal(err)
			}
		}
		environ = append(environ, name+"="+interpolate(value))
	}
	loaded, err := config.Load(config.Sources{Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	if loaded.DatabaseURL.IsZero() || loaded.RedisURL.IsZero() || loaded.MasterKey.IsZero() {
		t.Error("the database, Redis or the master key is not configured")
	}
}

// interpolate does what Compose does with variables that are not set.
func interpolate(value string) string {
	return regexp.MustCompile(`\$\{\w+:-([^}]*)\}`).ReplaceAllString(value, "$1")
}
