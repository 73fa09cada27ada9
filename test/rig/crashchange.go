package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

func (w *worker) newSubject() *subject {
	slug := fmt.Sprintf("w%d-%d", w.number, w.made)
	w.made++
	return &subject{slug: slug, path: accountsOf + "/" + slug, name: slug, role: roleWriter, touched: w.cycle}
}

func (s *subject) newBody(role string) string {
	return fmt.Sprintf(`{"slug":%q,"name":%q,"roleSlug":%q}`, s.slug, s.name, role)
}

func (w *worker) create(ctx context.Context) {
	s := w.newSubject()
	in := call{method: http.MethodPost, path: accountsOf, body: s.newBody(s.role)}
	got, result := w.write(ctx, "create", in, func(ctx context.Context, at *caller) {
		s.absent = w.gone(ctx, at, s.path) // its secret, if there is one, was never seen
		w.subjects = append(w.subjects, s)
	})
	if result != acknowledged {
		return
	}
	s.credentials = []*heldCredential{{
		id: got.text("credentialId"), clientID: got.text("clientId"), primary: true,
		secrets: []*heldSecret{{login: login{got.text("clientId"), got.text("clientSecret")}}},
	}}
	w.subjects = append(w.subjects, s)
}

// refused makes nothing: the role does not exist.
func (w *worker) refused(ctx context.Context) {
	s := w.newSubject()
	s.absent = true
	in := call{method: http.MethodPost, path: accountsOf, body: s.newBody("nobody")}
	if _, result := w.write(ctx, "refused", in, func(context.Context, *caller) {}); result == acknowledged {
		w.found.add(wrong("an account with an unknown role is created: %s", s.path))
	}
	w.subjects = append(w.subjects, s)
}

// patch changes an account; undo brings the model back when the change turns out not to have happened.
func (w *worker) patch(ctx context.Context, operation string, s *subject, body string, do, undo func()) {
	in := call{method: http.MethodPatch, path: s.path, body: body}
	_, result := w.write(ctx, operation, in, func(ctx context.Context, at *caller) {
		do()
		if now, _ := w.read(ctx, at, s); !w.matches(s, now) {
			undo()
		}
	})
	if result == acknowledged {
		do()
	}
}

// matches compares an account with what is known of it.
func (w *worker) matches(s *subject, now accountState) bool {
	return now.Name == s.name && now.RoleSlug == s.role && now.Disabled == s.disabled &&
		slices.Equal(now.Groups, w.groupsOf(s))
}

func (w *worker) groupsOf(s *subject) []string {
	if s.inGroup {
		return []string{w.group}
	}
	return []string{}
}

func (w *worker) rename(ctx context.Context, s *subject) {
	name, before := fmt.Sprintf("renamed %d", w.random.IntN(1_000_000)), s.name
	w.patch(ctx, "rename", s, fmt.Sprintf(`{"name":%q}`, name), func() { s.name = name }, func() { s.name = before })
}

func (w *worker) switchRole(ctx context.Context, s *subject) {
	role, before := roleReader, s.role
	if before == role {
		role = roleWriter
	}
	w.patch(ctx, "switchRole", s, fmt.Sprintf(`{"roleSlug":%q}`, role), func() { s.role = role }, func() { s.role = before })
}

func (w *worker) switchGroup(ctx context.Context, s *subject) {
	before, groups := s.inGroup, "[]"
	if !before {
		groups = fmt.Sprintf("[%q]", w.group)
	}
	w.patch(ctx, "switchGroup", s, `{"groups":`+groups+`}`, func() { s.inGroup = !before }, func() { s.inGroup = before })
}

// toggle disables or enables. What a disabling ended stays ended.
func (w *worker) toggle(ctx context.Context, s *subject) {
	if s.disabled {
		w.patch(ctx, "enable", s, `{"disabled":false}`, func() { s.disabled = false }, func() { s.disabled = true })
		return
	}
	disabled := func() {
		s.disabled = true
		s.endAllTokens()
	}
	in := call{method: http.MethodPatch, path: s.path, body: `{"disabled":true}`}
	_, result := w.write(ctx, "disable", in, func(ctx context.Context, at *caller) {
		if now, _ := w.read(ctx, at, s); now.Disabled {
			disabled()
		}
	})
	if result == acknowledged {
		disabled()
	}
}

// removeAt deletes the object at a path and notes it.
func (w *worker) removeAt(ctx context.Context, operation, path string, removed func()) {
	_, result := w.write(ctx, operation, call{method: http.MethodDelete, path: path}, func(ctx context.Context, at *caller) {
		if w.gone(ctx, at, path) {
			removed()
		}
	})
	if result == acknowledged {
		removed()
	}
}

func (w *worker) remove(ctx context.Context, s *subject) {
	w.removeAt(ctx, "delete", s.path, s.removed)
}

func (w *worker) token(ctx context.Context, s *subject) {
	usable := slices.DeleteFunc(s.usable(), func(c *heldCredential) bool { return len(c.live()) == 0 })
	if s.disabled || len(usable) == 0 || !s.forgetToken(time.Now(), maxTokens) {
		return
	}
	credential := usable[w.random.IntN(len(usable))]
	live := credential.live()
	by := live[w.random.IntN(len(live))]
	got, err := w.someone().ask(ctx, by.login, "scope", askedScope)
	if err != nil || got.status >= http.StatusInternalServerError {
		pause(ctx, refusedPause)
		return // no write: nothing has changed
	}
	if got.status != http.StatusOK {
		w.found.add(lost("a live secret of %s got status %d: %s", s.path, got.status, got.body))
		return
	}
	token := &heldToken{value: got.text("access_token"), credential: credential, by: by}
	if token.jti, token.expires, err = claimsOf(token.value); err != nil {
		w.found.add(wrong("%s: %v", s.path, err))
		return
	}
	s.tokens = append(s.tokens, token)
}

func (w *worker) revoke(ctx context.Context, s *subject) {
	at := slices.IndexFunc(s.tokens, func(h *heldToken) bool { return !h.dead })
	if at < 0 {
		return
	}
	token := s.tokens[at]
	in := call{method: http.MethodDelete, path: s.path + "/tokens/" + url.PathEscape(token.jti)}
	_, result := w.write(ctx, "revoke", in, func(ctx context.Context, at *caller) {
		token.dead = !w.isActive(ctx, at, token)
	})
	token.dead = token.dead || result == acknowledged
}

func (w *worker) revokeAll(ctx context.Context, s *subject) {
	in := call{method: http.MethodDelete, path: s.path + "/tokens"}
	_, result := w.write(ctx, "revokeAll", in, func(ctx context.Context, at *caller) {
		live := slices.IndexFunc(s.tokens, func(h *heldToken) bool { return !h.dead })
		if live >= 0 && !w.isActive(ctx, at, s.tokens[live]) {
			s.endAllTokens() // all at once, or the check finds it
		}
	})
	if result == acknowledged {
		s.endAllTokens()
	}
}
