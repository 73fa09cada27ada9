package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// secretMembers are the members of answers that show a secret or a token.
var secretMembers = []string{"clientSecret", "client_secret", "access_token", "accessToken"}

// canary collects every secret that passes by, and everything in which none may be.
type canary struct {
	mu      sync.Mutex
	secrets map[string]string // to what it is
	heaps   map[string][]byte // by name
	leaks   []string          // answers that repeated a secret
}

func newCanary() *canary { return &canary{secrets: map[string]string{}, heaps: map[string][]byte{}} }

// documentPath has answers with secrets in it, as examples.
const documentPath = "/openapi.json"

// add remembers a secret under the spellings in which it could leak.
func (c *canary) add(what, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addLocked(what, value)
}

func (c *canary) addLocked(what, value string) {
	c.secrets[value] = what
	// Only a JWT: raw key bytes may have dots too, and a part of them be so short that it is anywhere.
	if segments := strings.Split(value, "."); len(segments) == 3 && strings.HasPrefix(value, "eyJ") {
		c.secrets[segments[2]] = "signature of " + what
	}
}

// look adds a place to search.
func (c *canary) look(name string, content []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heaps[name] = append(append(c.heaps[name], content...), '\n')
}

// lookAtFiles adds every file of a data directory but the one that may hold a key.
func (c *canary) lookAtFiles(t *testing.T, moment string, p *place) {
	t.Helper()
	entries, err := os.ReadDir(p.data())
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Name() != "master.key" {
			c.look(moment+" "+entry.Name(), readFile(t, filepath.Join(p.data(), entry.Name())))
		}
	}
}

// found lists where any of the secrets is.
func (c *canary) found() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	leaks := slices.Clone(c.leaks)
	for _, name := range slices.Sorted(maps.Keys(c.heaps)) {
		for _, what := range c.within(c.heaps[name]) {
			leaks = append(leaks, fmt.Sprintf("%s is in %s", what, name))
		}
	}
	return leaks
}

func (c *canary) within(heap []byte) []string {
	var found []string
	for value, what := range c.secrets {
		if bytes.Contains(heap, []byte(value)) {
			found = append(found, what)
		}
	}
	return found
}

// watch returns a transport that records.
func (c *canary) watch(base http.RoundTripper) http.RoundTripper {
	return transportFunc(func(r *http.Request) (*http.Response, error) {
		if _, credentials, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok {
			c.add("an Authorization header", credentials)
		}
		r = r.Clone(r.Context())
		r.Header.Set("User-Agent", plantedUserAgent)
		response, err := base.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			return nil, err
		}
		response.Body = io.NopCloser(bytes.NewReader(body))
		c.judge(r, response, body)
		return response, nil
	})
}

// judge: no answer repeats a secret of before, and one that shows a new one is not a GET's.
func (c *canary) judge(r *http.Request, response *http.Response, body []byte) {
	var head bytes.Buffer
	_ = response.Header.Write(&head) // into memory
	c.mu.Lock()
	defer c.mu.Unlock()
	name := r.Method + " " + r.URL.Path
	for _, what := range c.within(append(head.Bytes(), body...)) {
		c.leaks = append(c.leaks, fmt.Sprintf("%s is in the answer of %s", what, name))
	}
	var answer any
	if r.URL.Path != documentPath && json.Unmarshal(body, &answer) == nil {
		for _, value := range secretsIn(answer) {
			c.addLocked("a secret or token that "+name+" showed", value)
			if r.Method == http.MethodGet {
				c.leaks = append(c.leaks, name+" shows a secret")
			}
		}
	}
	if r.Method == http.MethodGet {
		c.heaps["answers of GET"] = append(c.heaps["answers of GET"], body...)
	}
}

func secretsIn(value any) []string {
	var found []string
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			if text, ok := member.(string); ok && slices.Contains(secretMembers, name) {
				found = append(found, text)
			}
			found = append(found, secretsIn(member)...)
		}
	case []any:
		for _, member := range value {
			found = append(found, secretsIn(member)...)
		}
	}
	return found
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// planted are harmless texts that the scenario leaves in each place on purpose. That the
// search finds them there shows that it would find a secret.
const (
	plantedName      = "canary-name-5f0c" // stored as it is, and listed
	plantedID        = "canary-id-77aa"   // a correlation id: logged, and in audit events
	plantedUserAgent = "canary-agent-91e2"
	plantedMetric    = "signet_requests_total"
)

// TestI29_NothingSecretIsEverPrinted runs a server that logs everything through ordinary and
// hostile use, and then searches everything that it printed, answered and stored.
func TestI29_NothingSecretIsEverPrinted(t *testing.T) {
	p := newPlace(t, "SIGNET_LOG_LEVEL=debug")
	c := newCanary()
	root := p.bootstrap(t)
	c.add("the administrator's secret", root.Secret)
	s := p.serve(t)
	admin := s.api(t, c.watch).as(root)
	m := ordinaryUse(t, admin)
	hostileUse(t, admin, m)
	readEverything(t, admin, c)
	c.lookAtFiles(t, "running", p)
	s.stop(t)
	c.lookAtOutput("", s)

	// The second run ends with all its stacks on stderr.
	s = p.serve(t)
	admin = s.api(t, c.watch).as(root)
	admin.token(m.login)
	s.signal(syscall.SIGQUIT, stopWithin)
	c.lookAtOutput(" of a crash", s)
	c.lookAtFiles(t, "crashed", p)
	keep := p.run(t, "keys", "rotate", "--master")
	c.look("keys rotate --master", []byte(keep.stdout+keep.stderr))
	c.look("keys list", []byte(p.must(t, "keys", "list")))
	c.lookAtFiles(t, "stopped", p)
	addSealed(t, p, c, strings.TrimSpace(string(readFile(t, p.data("master.key")))))

	c.judgeAll(t)
	proveSearch(t, c,
		plantedName+" is in stopped signet.db", plantedName+" is in running signet.db-wal",
		plantedID+" is in stopped signet.db", plantedUserAgent+" is in stopped signet.db", plantedUserAgent+" is in running state.db-wal")
}

// judgeAll fails the test for everything that leaked.
func (c *canary) judgeAll(t *testing.T) {
	t.Helper()
	if len(c.secrets) < 25 {
		t.Errorf("only %d secrets were collected", len(c.secrets))
	}
	for _, leak := range c.found() {
		t.Error(leak)
	}
}

func (c *canary) lookAtOutput(moment string, s *server) {
	c.look("stdout"+moment, []byte(s.stdout.String()))
	c.look("stderr"+moment, []byte(s.stderr.String()))
}

// proveSearch looks for what is where it should be.
func proveSearch(t *testing.T, c *canary, stored ...string) {
	t.Helper()
	proof := newCanary()
	proof.heaps = c.heaps
	for _, text := range []string{plantedName, plantedID, plantedUserAgent, plantedMetric, "goroutine "} {
		proof.add(text, text)
	}
	found := proof.found()
	for _, want := range append(stored,
		plantedName+" is in answers of GET", plantedID+" is in stderr", plantedID+" is in audit events",
		plantedMetric+" is in metrics", "goroutine  is in stderr of a crash",
	) {
		if !slices.Contains(found, want) {
			t.Errorf("the search is blind: it does not find that %s", want)
		}
	}
}
