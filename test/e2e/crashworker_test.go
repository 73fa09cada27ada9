package e2e_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// crashRoles are switched between. Both allow what every token here asks for.
var crashRoles = map[string][]string{"reader": {"crash:read"}, "writer": {"crash:read", "crash:write"}}

const (
	maxCrashAccounts = 25 // of one worker
	maxCrashSecrets  = 4  // live, of one account
	maxCrashTokens   = 4  // of one account, the dead included
)

// heldSecret is a secret that the server has shown.
type heldSecret struct {
	login
	id   string // "" for the one that came with the account
	dead bool
}

type heldToken struct {
	value, jti string
	by         *heldSecret
	dead       bool
}

// subject is what is known of one account.
type subject struct {
	path, credential string
	name, role       string
	absent, disabled bool
	secrets          []*heldSecret
	tokens           []*heldToken
}

// end notes that all tokens have ended.
func (s *subject) end() {
	for _, token := range s.tokens {
		token.dead = true
	}
}

func (s *subject) endSecrets() {
	s.end()
	for _, secret := range s.secrets {
		secret.dead = true
	}
}

func (s *subject) live() []*heldSecret {
	return slices.DeleteFunc(slices.Clone(s.secrets), func(h *heldSecret) bool { return h.dead })
}

// worker changes accounts of its own, one at a time.
type worker struct {
	t        *testing.T
	number   int
	made     int
	journal  *journal
	random   *rand.Rand
	api      *api
	subjects []*subject
	pending  func() // finds out what became of the write whose answer did not come
}

// write sends one administrative write. When its answer does not come, settle finds out after
// the restart which of two states the server is in.
func (w *worker) write(operation, method, path, body string, settle func()) (answer, outcome) {
	id := w.journal.intend(operation, path)
	got, err := w.api.try(method, path, body, header("X-Correlation-Id", id))
	result := acknowledged
	switch {
	case err != nil || got.status >= http.StatusInternalServerError:
		result, w.pending = unknown, settle
	case got.status >= http.StatusBadRequest:
		result = denied
	}
	w.journal.note(id, result)
	if result == denied && operation != "refused" {
		w.t.Errorf("%s of %s: status %d: %s", operation, path, got.status, got.body)
	}
	return got, result
}

// change does one random thing.
func (w *worker) change() {
	live := slices.DeleteFunc(slices.Clone(w.subjects), func(s *subject) bool { return s.absent })
	if len(live) == 0 || (len(w.subjects) < maxCrashAccounts && w.random.IntN(4) == 0) {
		w.create()
		return
	}
	s := live[w.random.IntN(len(live))]
	switch w.random.IntN(14) {
	case 0, 1, 2:
		w.token(s)
	case 3:
		w.rename(s)
	case 4:
		w.switchRole(s)
	case 5:
		w.toggle(s)
	case 6:
		w.addSecret(s)
	case 7:
		w.retireSecret(s)
	case 8:
		w.rotate(s)
	case 9:
		w.revoke(s)
	case 10:
		w.revokeAll(s)
	case 11:
		w.refused()
	case 12:
		if len(w.subjects) > maxCrashAccounts/2 {
			w.remove(s)
		}
	case 13:
		if w.random.IntN(4) == 0 {
			w.write("rotateKeys", http.MethodPost, "/v2/keys/rotate", `{"force":true}`, func() {})
		}
	}
}

func (w *worker) newSubject() *subject {
	slug := fmt.Sprintf("w%d-%d", w.number, w.made)
	w.made++
	return &subject{path: "/v2/orgs/acme/service-accounts/" + slug, name: slug, role: "writer"}
}

func (w *worker) create() {
	s := w.newSubject()
	body := fmt.Sprintf(`{"slug":"%s","name":"%s","roleSlug":"%s"}`, s.name, s.name, s.role)
	got, result := w.write("create", http.MethodPost, "/v2/orgs/acme/service-accounts", body, func() {
		s.absent = w.fetch(s).status == http.StatusNotFound // its secret, if there is one, was never seen
		w.subjects = append(w.subjects, s)
	})
	if result != acknowledged {
		return
	}
	s.credential = got.field(w.t, "credentialId")
	s.secrets = []*heldSecret{{login: login{got.field(w.t, "clientId"), got.field(w.t, "clientSecret")}}}
	w.subjects = append(w.subjects, s)
}

// refused makes nothing: the role does not exist.
func (w *worker) refused() {
	s := w.newSubject()
	s.absent = true
	body := fmt.Sprintf(`{"slug":"%s","name":"%s","roleSlug":"nobody"}`, s.name, s.name)
	if _, result := w.write("refused", http.MethodPost, "/v2/orgs/acme/service-accounts", body, func() {}); result == acknowledged {
		w.t.Errorf("an account with an unknown role is created: %s", s.path)
	}
	w.subjects = append(w.subjects, s)
}

func (w *worker) patch(operation string, s *subject, body string, done func()) {
	before := *s
	_, result := w.write(operation, http.MethodPatch, s.path, body, func() {
		now := w.read(s)
		done()
		if now.Name != s.name || now.RoleSlug != s.role || now.Disabled != s.disabled {
			s.name, s.role, s.disabled = before.name, before.role, before.disabled
		}
	})
	if result == acknowledged {
		done()
	}
}

func (w *worker) rename(s *subject) {
	name := fmt.Sprintf("renamed %d", w.random.IntN(1_000_000))
	w.patch("rename", s, `{"name":"`+name+`"}`, func() { s.name = name })
}

func (w *worker) switchRole(s *subject) {
	role := "reader"
	if s.role == role {
		role = "writer"
	}
	w.patch("switchRole", s, `{"roleSlug":"`+role+`"}`, func() { s.role = role })
}

// toggle disables or enables. What a disabling ended stays ended.
func (w *worker) toggle(s *subject) {
	if s.disabled {
		w.patch("enable", s, `{"disabled":false}`, func() { s.disabled = false })
		return
	}
	_, result := w.write("disable", http.MethodPatch, s.path, `{"disabled":true}`, func() {
		if s.disabled = w.read(s).Disabled; s.disabled {
			s.end()
		}
	})
	if result == acknowledged {
		s.disabled = true
		s.end()
	}
}

func (w *worker) remove(s *subject) {
	gone := func() {
		s.absent = true
		s.endSecrets()
	}
	_, result := w.write("delete", http.MethodDelete, s.path, "", func() {
		if w.fetch(s).status == http.StatusNotFound {
			gone()
		}
	})
	if result == acknowledged {
		gone()
	}
}

func (w *worker) addSecret(s *subject) {
	if s.credential == "" || len(s.live()) >= maxCrashSecrets {
		return
	}
	got, result := w.write("addSecret", http.MethodPost, s.path+"/credentials/"+s.credential+"/secrets", "{}", func() {})
	if result == acknowledged {
		s.secrets = append(s.secrets, &heldSecret{
			login: login{s.secrets[0].ID, got.field(w.t, "clientSecret")}, id: got.field(w.t, "id"),
		})
	}
}

func (w *worker) retireSecret(s *subject) {
	at := slices.IndexFunc(s.secrets, func(h *heldSecret) bool { return !h.dead && h.id != "" })
	if at < 0 {
		return
	}
	secret := s.secrets[at]
	retire := func() {
		secret.dead = true
		for _, token := range s.tokens {
			token.dead = token.dead || token.by == secret
		}
	}
	path := s.path + "/credentials/" + s.credential + "/secrets/"
	_, result := w.write("retireSecret", http.MethodDelete, path+secret.id, "", func() {
		if !w.listed(strings.TrimSuffix(path, "/"), secret.id) {
			retire()
		}
	})
	if result == acknowledged {
		retire()
	}
}

// rotate replaces all secrets of the account's one credential.
func (w *worker) rotate(s *subject) {
	if s.credential == "" || len(s.live()) == 0 {
		return
	}
	probe := s.live()[0]
	got, result := w.write("rotate", http.MethodPost, s.path+"/rotate", "", func() {
		// While the account is disabled nothing tells whether its secret is still the old one.
		if s.disabled && w.enabled(s) {
			s.disabled = false
		}
		if !w.works(probe) {
			s.endSecrets()
		}
	})
	if result == acknowledged {
		s.endSecrets()
		s.secrets = append(s.secrets, &heldSecret{login: login{got.field(w.t, "clientId"), got.field(w.t, "clientSecret")}})
	}
}

func (w *worker) token(s *subject) {
	live := s.live()
	if s.disabled || len(live) == 0 || len(s.tokens) >= maxCrashTokens {
		return
	}
	by := live[w.random.IntN(len(live))]
	got, err := w.api.ask(by.login, "scope", "crash:read")
	if err != nil {
		w.pending = func() {} // no write: it tells only that the server is gone
		return
	}
	if got.status != http.StatusOK {
		w.t.Errorf("a live secret of %s got status %d: %s", s.path, got.status, got.body)
		return
	}
	value := got.field(w.t, "access_token")
	s.tokens = append(s.tokens, &heldToken{value: value, jti: jtiOf(w.t, value), by: by})
}

func (w *worker) revoke(s *subject) {
	at := slices.IndexFunc(s.tokens, func(h *heldToken) bool { return !h.dead })
	if at < 0 {
		return
	}
	token := s.tokens[at]
	_, result := w.write("revoke", http.MethodDelete, s.path+"/tokens/"+url.PathEscape(token.jti), "", func() {
		token.dead = !w.active(token)
	})
	token.dead = token.dead || result == acknowledged
}

func (w *worker) revokeAll(s *subject) {
	_, result := w.write("revokeAll", http.MethodDelete, s.path+"/tokens", "", func() {
		at := slices.IndexFunc(s.tokens, func(h *heldToken) bool { return !h.dead })
		if at >= 0 && !w.active(s.tokens[at]) {
			s.end() // all at once, or check finds it
		}
	})
	if result == acknowledged {
		s.end()
	}
}

func jtiOf(t testing.TB, token string) string {
	t.Helper()
	var claims struct{ JTI string }
	if err := json.Unmarshal(payload(t, token), &claims); err != nil {
		t.Error(err)
	}
	return claims.JTI
}
