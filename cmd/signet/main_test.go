package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"signet": main})
}

// TestScripts runs command lines as in a terminal; every script has a free address in $ADDR.
func TestScripts(t *testing.T) {
	if scripts, err := filepath.Glob("testdata/*.txtar"); err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			address, err := freeAddress()
			env.Setenv("ADDR", address)
			env.Setenv("SIGNET_LISTEN", address)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready": ready, "member": member, "lines": lines, "kids": kids,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

func freeAddress() (string, error) {
	socket, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		return "", err
	}
	return socket.Addr().String(), socket.Close()
}

// ready waits until the server of the script answers.
func ready(ts *testscript.TestScript, _ bool, _ []string) {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		answer, err := http.Get("http://" + ts.Getenv("ADDR") + "/readyz") //nolint:noctx // bounded by the deadline
		if err != nil {
			continue
		}
		_ = answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return
		}
	}
	ts.Fatalf("the server is not ready")
}

// member takes a text out of the JSON object in a file: member FILE NAME TO,
// where TO is a file or env:VARIABLE.
func member(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: member FILE NAME TO")
	}
	value, err := textMember(ts.ReadFile(args[0]), args[1])
	ts.Check(err)
	if name, isVariable := strings.CutPrefix(args[2], "env:"); isVariable {
		ts.Setenv(name, value)
		return
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(value+"\n"), 0o600))
}

func textMember(object, name string) (string, error) {
	var members map[string]string
	if err := json.Unmarshal([]byte(object), &members); err != nil {
		return "", err
	}
	value, ok := members[name]
	if !ok {
		return "", fmt.Errorf("no member %q", name)
	}
	return value, nil
}

// kids writes the ids of the keys that the server publishes: kids PATH FILE VARIABLE, where the
// variable takes the first.
func kids(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: kids PATH FILE VARIABLE")
	}
	answer, err := http.Get("http://" + ts.Getenv("ADDR") + args[0]) //nolint:noctx // of a server that is ready
	ts.Check(err)
	defer func() { _ = answer.Body.Close() }()
	var set struct{ Keys []struct{ KID string } }
	ts.Check(json.NewDecoder(answer.Body).Decode(&set))
	if len(set.Keys) == 0 {
		ts.Fatalf("%s has no keys", args[0])
	}
	var text strings.Builder
	for _, key := range set.Keys {
		text.WriteString(key.KID + "\n")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text.String()), 0o600))
	ts.Setenv(args[2], set.Keys[0].KID)
}

// lines demands a number of lines of a file: lines FILE N.
func lines(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: lines FILE N")
	}
	if got := fmt.Sprint(strings.Count(ts.ReadFile(args[0]), "\n")); got != args[1] {
		ts.Fatalf("%s has %s lines, want %s", args[0], got, args[1])
	}
}

// TestEveryCommandShowsAnExample: help without one leaves its reader guessing.
func TestEveryCommandShowsAnExample(t *testing.T) {
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		if cmd.Runnable() && !strings.Contains(cmd.Example, "signet ") {
			t.Errorf("%q has no example", cmd.CommandPath())
		}
		if cmd.Short == "" {
			t.Errorf("%q has no short description", cmd.CommandPath())
		}
		for _, child := range cmd.Commands() {
			visit(child)
		}
	}
	visit(newRootCommand(environment{}))
}
