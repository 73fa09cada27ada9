package deploy_test

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// instruction is a line of a Dockerfile with its continuations.
type instruction struct{ name, rest string }

// stage is what follows a FROM.
type stage struct {
	base, name   string
	instructions []instruction
}

func dockerfile(t *testing.T) []stage {
	t.Helper()
	var stages []stage
	var line string
	for text := range strings.Lines(read(t, "../Dockerfile")) {
		text = strings.TrimSpace(text)
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		rest, continued := strings.CutSuffix(text, `\`)
		line += rest
		if continued {
			continue
		}
		name, rest, _ := strings.Cut(line, " ")
		line = ""
		rest = strings.TrimSpace(rest)
		if name != "FROM" {
			if len(stages) == 0 {
				t.Fatalf("%s before FROM", name)
			}
			last := &stages[len(stages)-1]
			last.instructions = append(last.instructions, instruction{name, rest})
			continue
		}
		fields := strings.Fields(strings.TrimPrefix(rest, "--platform=$BUILDPLATFORM "))
		next := stage{base: fields[0]}
		if len(fields) == 3 && fields[1] == "AS" {
			next.name = fields[2]
		}
		stages = append(stages, next)
	}
	return stages
}

// all returns what stands behind each instruction of a name.
func (s stage) all(name string) []string {
	var list []string
	for _, i := range s.instructions {
		if i.name == name {
			list = append(list, i.rest)
		}
	}
	return list
}

func (s stage) one(t *testing.T, name string) string {
	t.Helper()
	list := s.all(name)
	if len(list) != 1 {
		t.Fatalf("the image has %d %s", len(list), name)
	}
	return list[0]
}

// env is what the image sets.
func (s stage) env(t *testing.T) map[string]string {
	t.Helper()
	set := map[string]string{}
	for _, line := range s.all("ENV") {
		for pair := range strings.FieldsSeq(line) {
			name, value, ok := strings.Cut(pair, "=")
			if !ok {
				t.Fatalf("ENV %s", line)
			}
			set[name] = value
		}
	}
	return set
}

// execForm reads a command in its exec form, which needs no shell.
func execForm(t *testing.T, text string) []string {
	t.Helper()
	var command []string
	if err := json.Unmarshal([]byte(text), &command); err != nil || len(command) == 0 {
		t.Fatalf("%s is not in exec form: %v", text, err)
	}
	return command
}

func TestDockerfileIsWhatItShouldBe(t *testing.T) {
	stages := dockerfile(t)
	if len(stages) != 2 || stages[0].name != "build" || stages[1].base != "scratch" {
		t.Fatalf("stages %+v", stages)
	}
	if !regexp.MustCompile(`^golang:1\.26\.\d+-\w+$`).MatchString(stages[0].base) {
		t.Errorf("the builder %s has no exact version", stages[0].base)
	}
	image := stages[1]
	if user := image.one(t, "USER"); !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(user) {
		t.Errorf("USER %s is not a number above 0", user)
	}
	if len(image.all("RUN"))+len(image.all("VOLUME"))+len(image.all("ADD")) > 0 {
		t.Error("the image runs, adds or declares a volume")
	}
	_, port, err := net.SplitHostPort(image.env(t)["SIGNET_LISTEN"])
	if err != nil || image.one(t, "EXPOSE") != port {
		t.Errorf("EXPOSE %s, listening on %s: %v", image.one(t, "EXPOSE"), port, err)
	}
	for _, label := range []string{"title", "description", "source", "licenses", "version", "revision"} {
		if !strings.Contains(image.one(t, "LABEL"), "org.opencontainers.image."+label+"=") {
			t.Errorf("the label %s is missing", label)
		}
	}
}

// The build stage runs here as it is written, in a scratch folder that has nothing but what
// .dockerignore lets through, and what comes out is started with the image's own commands.
func TestDockerfileBuildsAndRuns(t *testing.T) {
	root, image := imageRoot(t), dockerfile(t)[1]
	binary := program(t)
	if got := output(t, exec.CommandContext(t.Context(), binary, "version")); got != "9.8.7\n" {
		t.Errorf("version says %q", got)
	}
	checkStatic(t, binary)
	runImage(t, image, root)
}

// built is the image's files, made once for all tests.
var built struct {
	once         sync.Once
	folder, root string
}

// imageRoot is the folder that stands for the root of the image.
func imageRoot(t *testing.T) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the image is for Linux")
	}
	built.once.Do(func() {
		stages := dockerfile(t)
		if err := os.MkdirAll(filepath.Join(built.folder, "image"), 0o755); err != nil {
			t.Fatal(err)
		}
		runBuild(t, stages[0], filepath.Join(built.folder, "build"))
		assemble(t, stages[1], filepath.Join(built.folder, "build"), filepath.Join(built.folder, "image"))
		built.root = filepath.Join(built.folder, "image")
	})
	if built.root == "" {
		t.Fatal("the image could not be built")
	}
	return built.root
}

// program is the path of the image's signet.
func program(t *testing.T) string {
	t.Helper()
	return filepath.Join(imageRoot(t), execForm(t, dockerfile(t)[1].one(t, "ENTRYPOINT"))[0])
}

func runBuild(t *testing.T, build stage, root string) {
	t.Helper()
	folder := root
	set := []string{"VERSION=9.8.7", "TARGETOS=linux", "TARGETARCH="}
	for _, i := range build.instructions {
		switch i.name {
		case "WORKDIR":
			folder = filepath.Join(root, i.rest)
			if err := os.MkdirAll(folder, 0o755); err != nil {
				t.Fatal(err)
			}
		case "COPY":
			copyContext(t, folder, strings.Fields(i.rest))
		case "RUN":
			run := exec.CommandContext(t.Context(), "sh", "-c", i.rest)
			run.Dir = folder
			run.Env = append(os.Environ(), set...)
			output(t, run)
		case "ARG":
			name, _, _ := strings.Cut(i.rest, "=")
			if !slices.ContainsFunc(set, func(pair string) bool { return strings.HasPrefix(pair, name+"=") }) {
				t.Errorf("the test gives no %s", name)
			}
		default:
			t.Errorf("the build stage has %s, which this test does not know", i.name)
		}
	}
}

// copyContext does COPY of the build context: single files, or all of it.
func copyContext(t *testing.T, folder string, operands []string) {
	t.Helper()
	from := operands[:len(operands)-1]
	for _, name := range buildContext(t) {
		if from[0] != "." && !slices.Contains(from, name) {
			continue
		}
		content, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(folder, filepath.FromSlash(name))
		err = errors.Join(os.MkdirAll(filepath.Dir(target), 0o755), os.WriteFile(target, content, 0o600))
		if err != nil {
			t.Fatal(err)
		}
	}
}

// buildContext lists the files that git has or would take and .dockerignore lets through.
func buildContext(t *testing.T) []string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = ".."
	allowed := dockerignore(t)
	var names []string
	for name := range strings.SplitSeq(strings.TrimSuffix(output(t, list), "\x00"), "\x00") {
		if _, err := os.Stat(filepath.Join("..", name)); err == nil && allowed(name) {
			names = append(names, name)
		}
	}
	return names
}

// dockerignore knows the patterns that the file uses: "*", "!folder" and "**/name". The last
// one that matches decides.
func dockerignore(t *testing.T) func(name string) bool {
	t.Helper()
	var patterns []string
	for line := range strings.Lines(read(t, "../.dockerignore")) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			patterns = append(patterns, line)
		}
	}
	return func(name string) bool {
		parts := strings.Split(name, "/")
		allowed := true
		for _, pattern := range patterns {
			bare, negated := strings.CutPrefix(pattern, "!")
			if anywhere, ok := strings.CutPrefix(bare, "**/"); ok {
				for _, part := range parts {
					if match, err := path.Match(anywhere, part); err != nil || match {
						allowed = negated
					}
				}
			} else if match, err := path.Match(bare, parts[0]); err != nil || match {
				allowed = negated
			}
		}
		return allowed
	}
}

func TestDockerignoreKeepsSecretsOut(t *testing.T) {
	allowed := dockerignore(t)
	for name, want := range map[string]bool{
		"go.mod": true, "cmd/signet/main.go": true, "internal/sqldb/migrations/0001_accounts.sql": true,
		"signet-data/master.key": false, "deploy/secrets/master.key": false, ".git/config": false,
		"cmd/signet/main_test.go": false, "admin.json": false, "server/admin/openapi.yaml": true,
	} {
		if allowed(name) != want {
			t.Errorf("%s reaches the builder: %v", name, !want)
		}
	}
}

// assemble does the COPY instructions of the image.
func assemble(t *testing.T, image stage, build, root string) {
	t.Helper()
	for _, line := range image.all("COPY") {
		operands := slices.DeleteFunc(strings.Fields(line), func(word string) bool { return strings.HasPrefix(word, "--") })
		from, to := operands[0], filepath.Join(root, operands[1])
		if from == "/etc/ssl/certs/ca-certificates.crt" {
			continue // from the system of the builder's image
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(build, from), to); err != nil {
			t.Fatal(err)
		}
	}
}

// checkStatic demands what an image without a C library needs.
func checkStatic(t *testing.T, binary string) {
	t.Helper()
	file, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for _, part := range file.Progs {
		if part.Type == elf.PT_INTERP || part.Type == elf.PT_DYNAMIC {
			t.Errorf("the binary is not static: it has %v", part.Type)
		}
	}
	if file.Section(".symtab") != nil || file.Section(".debug_info") != nil {
		t.Error("the binary is not stripped")
	}
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	if megabytes := info.Size() >> 20; megabytes > 40 {
		t.Errorf("the binary has %d MiB, want 40 at most", megabytes)
	}
}

// runImage runs the image's commands with its variables and /data.
func runImage(t *testing.T, image stage, root string) {
	t.Helper()
	command := func(env map[string]string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), filepath.Join(root, args[0]), args[1:]...)
		cmd.Dir, cmd.Env = root, []string{}
		for _, set := range []map[string]string{image.env(t), env} {
			for name, value := range set {
				if strings.HasPrefix(value, "/data") {
					value = filepath.Join(root, value)
				}
				cmd.Env = append(cmd.Env, name+"="+value)
			}
		}
		return cmd
	}
	entry := execForm(t, image.one(t, "ENTRYPOINT"))
	serve := append(slices.Clone(entry), execForm(t, image.one(t, "CMD"))...)
	_, health, _ := strings.Cut(image.one(t, "HEALTHCHECK"), "CMD ")

	// With nothing said it names all that is missing, and listens to nobody.
	refusal, err := command(nil, serve...).CombinedOutput()
	for _, name := range []string{"SIGNET_ISSUER", "SIGNET_TRUSTED_PROXIES", "SIGNET_TLS_CERT_FILE"} {
		if err == nil || !bytes.Contains(refusal, []byte(name)) {
			t.Errorf("without configuration: %v, no word of %s in %s", err, name, refusal)
		}
	}

	here := map[string]string{"SIGNET_LISTEN": freeAddress(t)}
	output(t, command(here, append(slices.Clone(entry), "bootstrap")...))
	server := launch(t, command(here, serve...))
	eventually(t, func() bool { return answers("http://" + here["SIGNET_LISTEN"] + "/readyz") })
	output(t, command(here, execForm(t, health)...))
	server.stop(t)
	if err := command(here, execForm(t, health)...).Run(); err == nil {
		t.Error("the health check passes without a server")
	}
}
