package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// graceOfRotation is longer than any run: a secret in its grace works all the time.
const graceOfRotation = 24 * time.Hour

// some picks a credential of which ok is true, nil when there is none.
func (w *worker) some(s *subject, ok func(*heldCredential) bool) *heldCredential {
	fit := slices.DeleteFunc(slices.Clone(s.credentials), func(c *heldCredential) bool { return c.gone || !ok(c) })
	if len(fit) == 0 {
		return nil
	}
	return fit[w.random.IntN(len(fit))]
}

func (c *heldCredential) hasRoom() bool { return len(c.live())+c.unseen < maxSecrets }

func (s *subject) credentialPath(c *heldCredential) string { return s.path + "/credentials/" + c.id }

func (w *worker) addSecret(ctx context.Context, s *subject) {
	c := w.some(s, (*heldCredential).hasRoom)
	if c == nil {
		return
	}
	in := call{method: http.MethodPost, path: s.credentialPath(c) + "/secrets", body: "{}"}
	got, result := w.write(ctx, "addSecret", in, func(context.Context, *caller) { c.unseen++ })
	if result == acknowledged {
		c.add(&heldSecret{login: login{c.clientID, got.text("clientSecret")}, id: got.text("id")})
	}
}

// retireSecret ends a secret that was added, with the tokens that it was traded for.
func (w *worker) retireSecret(ctx context.Context, s *subject) {
	named := func(h *heldSecret) bool { return !h.dead && h.id != "" }
	c := w.some(s, func(c *heldCredential) bool { return slices.ContainsFunc(c.secrets, named) })
	if c == nil {
		return
	}
	secret := c.secrets[slices.IndexFunc(c.secrets, named)]
	retired := func() {
		secret.dead = true
		s.endTokens(func(t *heldToken) bool { return t.by == secret })
	}
	list := s.credentialPath(c) + "/secrets"
	in := call{method: http.MethodDelete, path: list + "/" + secret.id}
	_, result := w.write(ctx, "retireSecret", in, func(ctx context.Context, at *caller) {
		if !w.has(ctx, at, list, secret.id) {
			retired()
		}
	})
	if result == acknowledged {
		retired()
	}
}

// rotatable is the primary credential if its secret can be tried.
func (s *subject) rotatable() *heldCredential {
	c := s.primary()
	if c == nil || s.disabled || c.gone || c.disabled || len(c.live()) == 0 {
		return nil
	}
	return c
}

func (w *worker) rotate(ctx context.Context, s *subject) {
	c := s.rotatable()
	if c == nil {
		return
	}
	probe := c.live()[0]
	in := call{method: http.MethodPost, path: s.path + "/rotate"}
	got, result := w.write(ctx, "rotate", in, func(ctx context.Context, at *caller) {
		if works, _ := w.granted(ctx, at, probe); !works {
			s.rotated(c)
		}
	})
	if result == acknowledged {
		s.rotated(c)
		c.add(&heldSecret{login: login{got.text("clientId"), got.text("clientSecret")}})
	}
}

// rotateWithOverlap gives the primary credential a new secret beside the older ones.
func (w *worker) rotateWithOverlap(ctx context.Context, s *subject) {
	c := s.rotatable()
	if c == nil || !c.hasRoom() {
		return
	}
	in := call{
		method: http.MethodPost, path: s.path + "/rotate",
		body: fmt.Sprintf(`{"overlapSeconds":%d}`, int(graceOfRotation.Seconds())),
	}
	got, result := w.write(ctx, "rotateWithOverlap", in, func(context.Context, *caller) { c.unseen++ })
	if result == acknowledged {
		c.add(&heldSecret{login: login{got.text("clientId"), got.text("clientSecret")}})
	}
}

func (w *worker) addCredential(ctx context.Context, s *subject) {
	if s.existing() >= maxCreds {
		return
	}
	in := call{method: http.MethodPost, path: s.path + "/credentials", body: `{"kind":"secret","name":"another"}`}
	got, result := w.write(ctx, "addCredential", in, func(context.Context, *caller) {})
	if result == acknowledged {
		id := got.text("clientId")
		s.add(&heldCredential{
			id: got.text("id"), clientID: id, secrets: []*heldSecret{{login: login{id, got.text("clientSecret")}}},
		})
	}
}

func (w *worker) removeCredential(ctx context.Context, s *subject) {
	if c := w.some(s, func(c *heldCredential) bool { return !c.primary }); c != nil {
		w.removeAt(ctx, "deleteCredential", s.credentialPath(c), func() { s.removedCredential(c) })
	}
}

// toggleCredential disables or enables one credential of the account.
func (w *worker) toggleCredential(ctx context.Context, s *subject) {
	c := w.some(s, func(*heldCredential) bool { return true })
	if c == nil {
		return
	}
	want := !c.disabled
	changed := func() {
		if c.disabled = want; want {
			s.endTokensOf(c)
		}
	}
	path := s.credentialPath(c)
	in := call{method: http.MethodPatch, path: path, body: fmt.Sprintf(`{"disabled":%v}`, want)}
	_, result := w.write(ctx, "toggleCredential", in, func(ctx context.Context, at *caller) {
		var now struct{ Disabled bool }
		got, err := at.see(ctx, path)
		if err != nil || json.Unmarshal(got.body, &now) != nil || got.status != http.StatusOK {
			w.found.add(lost("%v", unexpected(path+" at "+at.name, got, err)))
		}
		if now.Disabled == want {
			changed()
		}
	})
	if result == acknowledged {
		changed()
	}
}
