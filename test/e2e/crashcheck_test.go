package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

type accountState struct {
	Name, RoleSlug string
	Disabled       bool
}

// settle finds out what became of the write that nobody has answered.
func (w *worker) settle() {
	if w.pending != nil {
		w.pending()
		w.pending = nil
	}
}

func (w *worker) fetch(s *subject) answer {
	got, err := w.api.try(http.MethodGet, s.path, "")
	if err != nil {
		w.t.Error(err)
	}
	return got
}

func (w *worker) read(s *subject) accountState {
	var state accountState
	if got := w.fetch(s); json.Unmarshal(got.body, &state) != nil || got.status != http.StatusOK {
		w.t.Errorf("%s: status %d: %s", s.path, got.status, got.body)
	}
	return state
}

func (w *worker) listed(list, id string) bool {
	got, err := w.api.try(http.MethodGet, list, "")
	if err != nil || got.status != http.StatusOK {
		w.t.Errorf("%s: status %d: %v", list, got.status, err)
	}
	return strings.Contains(string(got.body), id)
}

func (w *worker) enabled(s *subject) bool {
	got, err := w.api.try(http.MethodPatch, s.path, `{"disabled":false}`)
	if err != nil || got.status != http.StatusOK {
		w.t.Errorf("enable %s: status %d: %v", s.path, got.status, err)
		return false
	}
	return true
}

// works reports whether a secret gets a token. Past so many failures a minute the refusal is
// 429, which a right secret never gets.
func (w *worker) works(h *heldSecret) bool {
	got, err := w.api.ask(h.login, "scope", "crash:read")
	if err != nil {
		w.t.Error(err)
	}
	if got.status != http.StatusOK && got.status != http.StatusUnauthorized && got.status != http.StatusTooManyRequests {
		w.t.Errorf("a token request: status %d: %s", got.status, got.body)
	}
	return got.status == http.StatusOK
}

func (w *worker) active(token *heldToken) bool {
	got, err := w.api.form("/introspect", url.Values{"token": {token.value}}, header("Authorization", "Bearer "+w.api.bearer))
	var said struct{ Active bool }
	if err != nil || got.status != http.StatusOK || json.Unmarshal(got.body, &said) != nil {
		w.t.Errorf("introspection: status %d: %v", got.status, err)
	}
	return said.Active
}

// check compares everything that the worker knows with what the server says.
func (w *worker) check() {
	keys := w.keys()
	for _, s := range w.subjects {
		failed := w.t.Failed()
		w.checkAccount(s)
		w.checkScope(s)
		for _, secret := range s.secrets {
			if want := !secret.dead && !s.disabled && !s.absent; w.works(secret) != want {
				w.t.Errorf("%s: a secret gets a token: %v, want %v", s.path, !want, want)
			}
		}
		for _, token := range s.tokens {
			if active := w.active(token); active == token.dead {
				w.t.Errorf("%s: a token is active: %v, want %v", s.path, active, !token.dead)
			}
			if !signedBy(w.t, keys, token.value) {
				w.t.Errorf("%s: a token does not verify by the published keys (I23)", s.path)
			}
		}
		if w.t.Failed() && !failed {
			w.t.Logf("%s: %s", s.path, w.journal.of(s.path))
		}
	}
}

func (w *worker) checkAccount(s *subject) {
	if s.absent {
		if status := w.fetch(s).status; status != http.StatusNotFound {
			w.t.Errorf("%s: status %d, want 404", s.path, status)
		}
		return
	}
	if now, want := w.read(s), (accountState{s.name, s.role, s.disabled}); now != want {
		w.t.Errorf("%s is %+v, want %+v", s.path, now, want)
	}
}

// checkScope asks for everything that the account may do now.
func (w *worker) checkScope(s *subject) {
	live := s.live()
	if s.absent || s.disabled || len(live) == 0 {
		return
	}
	got, err := w.api.ask(live[0].login)
	if err != nil || got.status != http.StatusOK {
		return // said by works
	}
	if scope := strings.Fields(got.field(w.t, "scope")); !slices.Equal(scope, crashRoles[s.role]) {
		w.t.Errorf("%s: role %s grants %v", s.path, s.role, scope)
	}
}

func (w *worker) keys() jose.JSONWebKeySet {
	var set jose.JSONWebKeySet
	got, err := w.api.try(http.MethodGet, "/.well-known/jwks.json", "")
	if err != nil || json.Unmarshal(got.body, &set) != nil {
		w.t.Errorf("JWKS: status %d: %v", got.status, err)
	}
	return set
}

func signedBy(t testing.TB, keys jose.JSONWebKeySet, token string) bool {
	t.Helper()
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return false
	}
	for _, key := range keys.Key(signed.Signatures[0].Header.KeyID) {
		if _, err := signed.Verify(key); err == nil {
			return true
		}
	}
	return false
}

func payload(t testing.TB, token string) []byte {
	t.Helper()
	segments := strings.Split(token, ".")
	if len(segments) != 3 {
		t.Errorf("a token has %d segments", len(segments))
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(segments[1])
	if err != nil {
		t.Error(err)
	}
	return text
}
