package main

import (
	"errors"
	"math/rand/v2"
	"net"
	"testing"
	"time"
)

// known is an account that is all right, with one secret and one token, and how a replica that
// lost nothing sees it.
func known() (*worker, *subject, sight) {
	secret := &heldSecret{login: login{"client", "secret"}}
	credential := &heldCredential{id: "c", clientID: "client", primary: true, secrets: []*heldSecret{secret}}
	token := &heldToken{value: "t", jti: "j", credential: credential, by: secret, expires: time.Now().Add(time.Hour)}
	s := &subject{
		path: "/a", name: "a", role: roleWriter, inGroup: true,
		credentials: []*heldCredential{credential}, tokens: []*heldToken{token},
	}
	w := &worker{group: "g"}
	return w, s, sight{
		replica: "replica 1", found: true, state: accountState{Name: "a", RoleSlug: roleWriter, Groups: []string{"g"}},
		secrets: map[*heldSecret]seenSecret{secret: {true, s.scope()}},
		tokens:  map[*heldToken]seenToken{token: {active: true, signed: true}},
	}
}

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*subject)
		seen   func(*subject, *sight)
		want   string
	}{
		{"all is well", nil, nil, ""},
		{"the account is gone", nil, func(_ *subject, seen *sight) { seen.found = false }, string(lostWrite)},
		{"a new name is lost", func(s *subject) { s.name = "b" }, nil, string(lostWrite)},
		{"a group is lost", nil, func(_ *subject, seen *sight) { seen.state.Groups = nil }, string(lostWrite)},
		{"a deleted account is back", (*subject).removed, sawNothingWork, string(revivedOne)},
		{"a disabling is lost", func(s *subject) { s.disabled = true; s.endAllTokens() }, nil, "lost write, revoked but active, revoked but active"},
		{"a disabling holds", func(s *subject) { s.disabled = true; s.endAllTokens() }, func(s *subject, seen *sight) {
			seen.state.Disabled = true
			sawNothingWork(s, seen)
		}, ""},
		{"a secret is lost", nil, func(s *subject, seen *sight) {
			seen.secrets[s.credentials[0].secrets[0]] = seenSecret{}
		}, string(lostWrite)},
		{"a rotation is lost", func(s *subject) { s.rotated(s.credentials[0]) }, nil, "revoked but active, revoked but active"},
		{"a revocation is lost", func(s *subject) { s.tokens[0].dead = true }, nil, string(revivedOne)},
		{"a good token is refused", nil, func(s *subject, seen *sight) {
			seen.tokens[s.tokens[0]] = seenToken{signed: true}
		}, string(lostWrite)},
		{"a key is not published", nil, func(s *subject, seen *sight) {
			seen.tokens[s.tokens[0]] = seenToken{active: true}
		}, string(brokenRule)},
		{"a change of role is lost", nil, func(s *subject, seen *sight) {
			seen.secrets[s.credentials[0].secrets[0]] = seenSecret{true, []string{"crash:read"}}
		}, string(lostWrite)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, s, seen := known()
			if tt.change != nil {
				tt.change(s)
			}
			if tt.seen != nil {
				tt.seen(s, &seen)
			}
			if found := w.judge(s, seen); offences(found) != tt.want {
				t.Errorf("found %v, want %q", found, tt.want)
			}
		})
	}
}

// sawNothingWork is how a replica sees the credentials and tokens of an account that has ended.
func sawNothingWork(s *subject, seen *sight) {
	for _, c := range s.credentials {
		for _, secret := range c.secrets {
			seen.secrets[secret] = seenSecret{}
		}
	}
	for _, token := range s.tokens {
		seen.tokens[token] = seenToken{signed: true}
	}
}

func TestJudgeWrite(t *testing.T) {
	dial := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	read := &net.OpError{Op: "read", Err: errors.New("connection reset")}
	for _, tt := range []struct {
		name   string
		status int
		err    error
		want   outcome
	}{
		{"made", 201, nil, acknowledged},
		{"refused", 409, nil, denied},
		{"unavailable", 503, nil, unknown},
		{"failed", 500, nil, unknown},
		{"nobody listened", 0, dial, denied},
		{"the answer did not come", 0, read, unknown},
		{"the body did not come whole", 201, read, unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := judgeWrite(tt.status, tt.err); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

func TestForgetKeepsTheNewestDeadAndAllTheLiving(t *testing.T) {
	c := &heldCredential{}
	for n := range 6 {
		c.add(&heldSecret{id: string(rune('a' + n)), dead: n%2 == 0})
	}
	var got string
	for _, secret := range c.secrets {
		got += secret.id
	}
	if got != "bdef" {
		t.Errorf("%s are kept, want b, d and f, which live, and e", got)
	}
}

func TestChooseCasualty(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var servers, redis, postgres int
	for cycle := range 1000 {
		hit := chooseCasualty(random, cycle, 3, true)
		switch {
		case (cycle+1)%allEach == 0:
			if len(hit.servers) != 3 || !hit.redis || !hit.postgres {
				t.Fatalf("cycle %d kills %s, want everything", cycle, hit)
			}
		case hit.redis:
			redis++
		case hit.postgres:
			postgres++
		default:
			servers += len(hit.servers)
		}
	}
	// Of 900 cycles; the bounds are five standard deviations away.
	if servers < 466 || servers > 614 || redis < 120 || redis > 240 || postgres < 120 || postgres > 240 {
		t.Errorf("servers %d, Redis %d, PostgreSQL %d of 900", servers, redis, postgres)
	}
	if hit := chooseCasualty(random, allEach-1, 1, false); len(hit.servers) != 1 || hit.redis || hit.postgres {
		t.Errorf("without engines %s is killed", hit)
	}
}
