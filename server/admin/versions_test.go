package admin_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
)

// versioned is an object with a version, and a patch for it.
type versioned struct{ name, path, patch string }

func versionedObjects(t *testing.T, s *server) []versioned {
	t.Helper()
	s.Org(t, "acme")
	bot := s.Machine(t, "acme", "bot", "api")
	group := s.sys(t, "POST", "/v2/orgs/acme/groups", `{"name":"g"}`).wants(t, 201).text(t, "id")
	s.sys(t, "POST", "/v2/orgs/acme/roles", `{"slug":"r","name":"r"}`).wants(t, 201)
	const account = "/v2/orgs/acme/service-accounts/bot"
	return []versioned{
		{"role", "/v2/orgs/acme/roles/r", `{"name":"new"}`},
		{"group", "/v2/orgs/acme/groups/" + group, `{"name":"new"}`},
		{"credential", account + "/credentials/" + bot.Credential.ID.String(), `{"name":"new"}`},
		{"service account", account, `{"name":"new"}`},
		{"org", "/v2/orgs/acme", `{"name":"new"}`},
	}
}

func TestI19_ChangesAreConditional(t *testing.T) {
	s := start(t)
	for _, o := range versionedObjects(t, s) {
		t.Run(o.name, func(t *testing.T) {
			read := s.sys(t, "GET", o.path, "").wants(t, 200)
			tag := read.header.Get("ETag")
			changed := s.sys(t, "PATCH", o.path, o.patch, ifMatch(tag)).wants(t, 200)
			if changed.header.Get("ETag") == tag {
				t.Errorf("the entity tag is still %s", tag)
			}
			if again := s.sys(t, "GET", o.path, "").wants(t, 200); again.header.Get("ETag") != changed.header.Get("ETag") || again.body != changed.body {
				t.Errorf("PATCH answered %s %s, GET says %s %s", changed.header.Get("ETag"), changed.body, again.header.Get("ETag"), again.body)
			}
			for _, stale := range []string{tag, `"999"`, `"x"`, `""`, `W/` + changed.header.Get("ETag"), `"01"`, `"-1"`} {
				s.sys(t, "PATCH", o.path, o.patch, ifMatch(stale)).refused(t, 412, "PreconditionFailed")
				s.sys(t, "DELETE", o.path, "", ifMatch(stale)).refused(t, 412, "PreconditionFailed")
			}
			for _, malformed := range []string{"3", `"3`, "", `"1", "2"`, `"a"b"`} {
				s.sys(t, "PATCH", o.path, o.patch, ifMatch(malformed)).refused(t, 400, "BadParameters")
				s.sys(t, "DELETE", o.path, "", ifMatch(malformed)).refused(t, 400, "BadParameters")
			}
			s.sys(t, "PATCH", o.path, o.patch, ifMatch(`"1"`), ifMatch(`"2"`)).refused(t, 400, "BadParameters")
			s.sys(t, "PATCH", o.path, o.patch, ifMatch("*")).wants(t, 200)
			if last := s.sys(t, "GET", o.path, "").header.Get("ETag"); o.name != "service account" {
				s.sys(t, "DELETE", o.path, "", ifMatch(last)).wants(t, 200)
				s.sys(t, "GET", o.path, "").refused(t, 404, "ObjectNotFound")
			}
		})
	}
}

func TestI19_OneOfManyConditionalWritersWins(t *testing.T) {
	s := start(t)
	for _, o := range versionedObjects(t, s) {
		t.Run(o.name, func(t *testing.T) {
			tag := s.sys(t, "GET", o.path, "").header.Get("ETag")
			const writers = 8
			statuses := make([]int, writers)
			var group sync.WaitGroup
			for i := range writers {
				group.Go(func() { statuses[i] = s.sys(t, "PATCH", o.path, o.patch, ifMatch(tag)).status })
			}
			group.Wait()
			won := 0
			for _, status := range statuses {
				switch status {
				case http.StatusOK:
					won++
				case http.StatusPreconditionFailed, http.StatusConflict:
				default:
					t.Errorf("status %d", status)
				}
			}
			if won != 1 {
				t.Errorf("%d writers won", won)
			}
		})
	}
}

// Two administrators who change different members at the same time lose nothing.
func TestI19_UnconditionalPatchesOfDifferentMembersBothCount(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	s.issued(t, "bot", "api")
	const at = "/v2/orgs/acme/service-accounts/bot"
	for range 5 {
		s.sys(t, "PATCH", at, `{"name":"old","description":"old"}`).wants(t, 200)
		var group sync.WaitGroup
		for _, patch := range []string{`{"name":"new"}`, `{"description":"new"}`} {
			group.Go(func() {
				for s.sys(t, "PATCH", at, patch).status == http.StatusConflict {
				}
			})
		}
		group.Wait()
		if got := s.sys(t, "GET", at, "").body; !strings.Contains(got, `"name":"new"`) || !strings.Contains(got, `"description":"new"`) {
			t.Fatalf("a change is lost: %s", got)
		}
	}
}

func TestI18_IdempotencyKey(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	bot := s.Machine(t, "acme", "bot", "api")
	const account = "/v2/orgs/acme/service-accounts/bot"
	credential := account + "/credentials/" + bot.Credential.ID.String()
	for _, tc := range []struct {
		name, path, body, other string
		status                  int
		secret                  bool
	}{
		{"org", "/v2/orgs", `{"slug":"beta","name":"b"}`, `{"slug":"gamma","name":"b"}`, 201, false},
		{"role", "/v2/orgs/acme/roles", `{"slug":"r","name":"r"}`, `{"slug":"q","name":"r"}`, 201, false},
		{"group", "/v2/orgs/acme/groups", `{"name":"g"}`, `{"name":"h"}`, 201, false},
		{"account", "/v2/orgs/acme/service-accounts", `{"slug":"x","name":"x"}`, `{"slug":"y","name":"x"}`, 201, true},
		{"credential", account + "/credentials", `{"kind":"secret","name":"c"}`, `{"kind":"secret","name":"d"}`, 201, true},
		{"secret", credential + "/secrets", "", `{"expiresAt":"2099-01-01T00:00:00Z"}`, 201, true},
		{"rotation", account + "/rotate", `{"overlapSeconds":60}`, `{"overlapSeconds":61}`, 200, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			key := idempotencyKey("key-of-" + tc.name)
			first := s.sys(t, "POST", tc.path, tc.body, key).wants(t, tc.status)
			events := s.events(t, "acme") + s.events(t, "system")
			again := s.sys(t, "POST", tc.path, tc.body, key).wants(t, tc.status)
			if first.header.Get("Idempotent-Replayed") != "" || again.header.Get("Idempotent-Replayed") != "true" {
				t.Error("the repetition is not marked")
			}
			if first.text(t, "id") != again.text(t, "id") {
				t.Error("the repetition is about another object")
			}
			if _, shown := again.object(t)["clientSecret"]; shown || (again.object(t)["secretAlreadyShown"] == true) != tc.secret {
				t.Errorf("the repetition says %s", again.body)
			}
			if _, shown := first.object(t)["clientSecret"]; shown != tc.secret {
				t.Errorf("the first answer says %s", first.body)
			}
			if got := s.events(t, "acme") + s.events(t, "system"); got != events {
				t.Errorf("%d events after the repetition, want %d", got, events)
			}
			s.sys(t, "POST", tc.path, tc.other, key).refused(t, 409, "IdempotencyKeyReused")
		})
	}
	const path = "/v2/orgs/acme/roles"
	for _, bad := range []string{"", strings.Repeat("x", 256), "a b", "é"} {
		s.sys(t, "POST", path, `{"slug":"z","name":"z"}`, idempotencyKey(bad)).refused(t, 400, "BadParameters")
	}
	s.sys(t, "POST", path, `{"slug":"z","name":"z"}`, idempotencyKey("a"), idempotencyKey("b")).refused(t, 400, "BadParameters")
}

// The key belongs to one caller, and a refused request does not take it.
func TestI18_IdempotencyKeyOfOthersAndOfRefusals(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	admin := s.administrator(t, "acme", "admin", "owner")
	const path = "/v2/orgs/acme/roles"
	key := idempotencyKey("same")
	s.sys(t, "POST", path, `{"slug":"A","name":"x"}`, key).refused(t, 400, "BadParameters")
	s.sys(t, "POST", path, `{"slug":"one","name":"x"}`, key).wants(t, 201)
	s.call(t, "POST", path, `{"slug":"two","name":"x"}`, as(admin), key).wants(t, 201)
}

func TestI18_ConcurrentRepetitionsActOnce(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	const repetitions = 8
	ids := make([]string, repetitions)
	var group sync.WaitGroup
	for i := range repetitions {
		group.Go(func() {
			got := s.sys(t, "POST", "/v2/orgs/acme/service-accounts", `{"slug":"bot","name":"b"}`, idempotencyKey("k"))
			if got.status == http.StatusCreated {
				ids[i] = got.text(t, "id")
			}
		})
	}
	group.Wait()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Fatalf("ids %v", ids)
		}
	}
}
