package redisstate_test

import (
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/internal/engines"
)

// documented are the rights that the package comment names.
type documented struct{ data, database, cluster, sentinel []string }

func rights(t *testing.T) (d documented) {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "# Rights")
	section, _, ends := strings.Cut(section, "\npackage ")
	if !found || !ends {
		t.Fatal("the package comment names no rights")
	}
	plain := regexp.MustCompile(`(?m)^// ?`).ReplaceAllString(section, "")
	var blocks [][]string
	for block := range strings.SplitSeq(plain, "\n\n") {
		words := strings.Fields(block)
		if strings.HasPrefix(block, "\t") {
			blocks = append(blocks, slices.DeleteFunc(words, func(w string) bool { return w == "ACL" || w == "SETUSER" || w == "signet" }))
		}
	}
	if len(blocks) != 3 || !strings.Contains(plain, " takes +select.") {
		t.Fatalf("the package comment has changed: %q", blocks)
	}
	return documented{data: blocks[0], database: []string{"+select"}, cluster: blocks[1], sentinel: blocks[2]}
}

const (
	aclUser     = "machine"
	aclPassword = "p@ss/word:?#"
)

// grant gives the user of the tests the documented rights, for keys like the pattern.
func grant(t *testing.T, r *engines.Redis, pattern string, given ...[]string) {
	t.Helper()
	command := []string{"ACL", "SETUSER", aclUser, "reset"}
	for _, right := range slices.Concat(given...) {
		switch right {
		case ">PASSWORD":
			right = ">" + aclPassword
		case "~signet:*":
			right = pattern
		}
		command = append(command, right)
	}
	do(t, r, command...)
	do(t, r, "ACL", "LOG", "RESET")
}

// withUser puts user and password into a URL.
func withUser(text string) string {
	return strings.Replace(text, "://", "://"+url.UserPassword(aclUser, aclPassword).String()+"@", 1)
}

func wantNoDenials(t *testing.T, nodes ...*engines.Redis) {
	t.Helper()
	for _, node := range nodes {
		if log := do(t, node, "ACL", "LOG"); log != "" {
			t.Errorf("something was denied: %s", log)
		}
	}
}

// Every documented right is needed, and no other command is sent.
func TestRightsAreNeeded(t *testing.T) {
	d := rights(t)
	r := ownRedis(t)
	grant(t, r, "~signet:*", d.data, d.database)
	do(t, r, "CONFIG", "RESETSTAT")
	s, _ := openAt(t, withUser("redis://"+r.Addr()+"/3"), patient, prefix("signet"))
	account := uuid.New()
	for n := range 2100 {
		s.Add(token(account, n))
		s.Touch(use(account, uuid.Nil, time.Now()))
	}
	for range 3 {
		s.Allow(t.Context(), "key", 10, time.Minute)
	}
	written(t, s)
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Forget(t.Context(), account, "j02099"); err != nil {
		t.Error(err)
	}
	if err := s.Erase(t.Context(), []uuid.UUID{account}); err != nil {
		t.Error(err)
	}
	// After an outage with nothing to write, it asks whether Redis is back.
	if err := r.Pause(); err != nil {
		t.Fatal(err)
	}
	s.Add(token(account, 1))
	eventually(t, "the outage is noticed", func() bool { return s.Report() != "ok" })
	forgotten := make(chan error)
	go func() { forgotten <- s.Forget(t.Context(), account, "j00001") }()
	time.Sleep(20 * time.Millisecond)
	if err := r.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := <-forgotten; err != nil {
		t.Error(err)
	}
	eventually(t, "the report is ok", func() bool { return s.Report() == "ok" })
	wantNoDenials(t, r)
	sent := do(t, r, "INFO", "commandstats")
	for _, right := range slices.Concat(d.data, d.database) {
		command, isCommand := strings.CutPrefix(right, "+")
		if isCommand && command != "ping" && !strings.Contains(sent, "cmdstat_"+command+":") {
			t.Errorf("%s is documented and not needed", right)
		}
	}
}

func TestRightsWithSentinel(t *testing.T) {
	d := rights(t)
	s, err := engines.StartSentinel(t.Context(), "")
	engines.Check(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, node := range s.Nodes {
		grant(t, node, "~signet:*", d.data)
	}
	for _, node := range s.Sentinels {
		grant(t, node, "", d.sentinel)
		do(t, node, "ACL", "LOG", "RESET")
	}
	credentials := "?sentinel_username=" + aclUser + "&sentinel_password=" + url.QueryEscape(aclPassword)
	state, _ := openAt(t, withUser("redis+sentinel://"+strings.Join(s.Addrs(), ",")+"/signet"+credentials), patient, prefix("signet"))
	account := uuid.New()
	state.Add(token(account, 1))
	written(t, state)
	master, err := s.Master(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := master.Kill(); err != nil {
		t.Fatal(err)
	}
	state.Add(token(account, 2))
	written(t, state)
	wantNoDenials(t, s.Sentinels...)
}

// I29: who is refused learns why, and nobody learns the password.
func TestI29_RefusedUsers(t *testing.T) {
	r := ownRedis(t)
	do(t, r, "ACL", "SETUSER", "weak", "on", ">hunter2", "~signet:*", "+info")
	do(t, r, "ACL", "SETUSER", "blind", "on", ">hunter2", "~signet:*", "+@all", "-info")
	do(t, r, "ACL", "SETUSER", "default", ">demanded")
	tests := []struct{ user, words string }{
		{"", "demands a user and a password"},
		{"weak:hunter2x@", "refuses the user or the password"},
		{"nobody:hunter2@", "refuses the user or the password"},
		{"weak:hunter2@", "rights that are needed"},
		{"blind:hunter2@", "may not run INFO"},
	}
	for _, tt := range tests {
		s, log := openAt(t, "redis://"+tt.user+r.Addr(), patient, prefix("signet"))
		s.Add(token(uuid.New(), 1))
		eventually(t, "it is reported: "+tt.words, func() bool { return strings.Contains(s.Report(), tt.words) })
		_, err := s.List(t.Context(), uuid.New())
		told := s.Report() + log.String()
		if err != nil {
			told += err.Error()
		}
		if strings.Contains(told, "hunter2") {
			t.Errorf("the password is told: %s", told)
		}
	}
}
