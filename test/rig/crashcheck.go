package main

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/signet-issuer/signet/client/verify"
)

// seenSecret is how one replica answers a secret.
type seenSecret struct {
	granted bool
	scope   []string
}

// seenToken is what one replica makes of a token.
type seenToken struct{ active, signed bool }

// sight is everything that one replica says of a subject.
type sight struct {
	replica string
	found   bool
	state   accountState
	secrets map[*heldSecret]seenSecret
	tokens  map[*heldToken]seenToken
}

// judge compares what a replica says with what must be true (hazards 3.5, points 1 to 4 and 6 to 8).
func (w *worker) judge(s *subject, seen sight) []finding {
	var out []finding
	switch {
	case s.absent && seen.found:
		out = append(out, revived("%s at %s is back", s.path, seen.replica))
	case !s.absent && !seen.found:
		out = append(out, lost("%s at %s is not there", s.path, seen.replica))
	case !s.absent && !w.matches(s, seen.state):
		out = append(out, lost("%s at %s is %+v, want name %q, role %q, disabled %v, groups %v",
			s.path, seen.replica, seen.state, s.name, s.role, s.disabled, w.groupsOf(s)))
	}
	for _, c := range s.credentials {
		for _, secret := range c.secrets {
			out = append(out, s.judgeSecret(c, secret, seen)...)
		}
	}
	for _, token := range s.tokens {
		out = append(out, s.judgeToken(token, seen)...)
	}
	return out
}

func (s *subject) judgeSecret(c *heldCredential, secret *heldSecret, seen sight) []finding {
	said, want := seen.secrets[secret], s.works(c, secret)
	switch {
	case said.granted && !want:
		return []finding{revived("a secret of %s at %s gets a token and must not", s.path, seen.replica)}
	case !said.granted && want:
		return []finding{lost("a secret of %s at %s gets no token", s.path, seen.replica)}
	case want && !slices.Equal(said.scope, s.scope()):
		return []finding{lost("%s at %s is granted %v, want %v", s.path, seen.replica, said.scope, s.scope())}
	}
	return nil
}

func (s *subject) judgeToken(token *heldToken, seen sight) []finding {
	said := seen.tokens[token]
	var out []finding
	if said.active && token.dead {
		out = append(out, revived("token %s of %s at %s is active", token.jti, s.path, seen.replica))
	}
	if !said.active && !token.dead {
		out = append(out, lost("token %s of %s at %s is not active", token.jti, s.path, seen.replica))
	}
	if !said.signed {
		out = append(out, wrong("token %s of %s does not verify by the keys of %s (I23)", token.jti, s.path, seen.replica))
	}
	return out
}

// tokenMargin is how long before its end a token is not asked about any more.
const tokenMargin = time.Minute

// look asks one replica everything about a subject.
func (w *worker) look(ctx context.Context, at *caller, keys verify.StaticKeySet, s *subject) sight {
	seen := sight{replica: at.name, secrets: map[*heldSecret]seenSecret{}, tokens: map[*heldToken]seenToken{}}
	seen.state, seen.found = w.read(ctx, at, s)
	for _, c := range s.credentials {
		for _, secret := range c.secrets {
			ok, scope := w.granted(ctx, at, secret)
			seen.secrets[secret] = seenSecret{ok, scope}
		}
	}
	s.tokens = slices.DeleteFunc(s.tokens, func(t *heldToken) bool { return time.Until(t.expires) < tokenMargin })
	for _, token := range s.tokens {
		_, _, err := verify.VerifySignature(ctx, token.value, keys)
		seen.tokens[token] = seenToken{w.isActive(ctx, at, token), err == nil}
	}
	return seen
}

// check compares what is known of the chosen subjects with what every replica says.
func (w *worker) check(ctx context.Context, at *caller, chosen func(*subject) bool) {
	keys, err := publishedKeys(ctx, at)
	if err != nil {
		w.found.add(wrong("%v", err))
		return
	}
	for _, s := range w.subjects {
		if !chosen(s) {
			continue
		}
		if found := w.judge(s, w.look(ctx, at, keys, s)); len(found) > 0 {
			w.found.add(found...)
			w.found.add(wrong("history of %s: %s", s.path, w.journal.history(s.path)))
		}
	}
}

func publishedKeys(ctx context.Context, at *caller) (verify.StaticKeySet, error) {
	got, err := at.get(ctx, "/.well-known/jwks.json")
	if err != nil || got.status != http.StatusOK {
		return verify.StaticKeySet{}, unexpected("the key set of "+at.name, got, err)
	}
	return verify.ParseJWKS(got.body)
}

// keyring is what must be true of the signing keys.
type keyring struct {
	due    bool   // the next change is a rotation
	active string // kid, "" before the first rotation
}

// publishedKey is a signing key as an administrator sees it.
type publishedKey struct {
	KID   string `json:"kid"`
	State string `json:"state"`
}

func listKeys(ctx context.Context, at *caller) ([]publishedKey, error) {
	got, err := at.see(ctx, "/v2/keys")
	var list struct{ Results []publishedKey }
	if err != nil || got.status != http.StatusOK || json.Unmarshal(got.body, &list) != nil {
		return nil, unexpected("the list of keys at "+at.name, got, err)
	}
	return list.Results, nil
}

// keyIn is the only key in a state, "" when there is none.
func keyIn(keys []publishedKey, state string) string {
	at := slices.IndexFunc(keys, func(k publishedKey) bool { return k.State == state })
	if at < 0 {
		return ""
	}
	return keys[at].KID
}

// rotateKeys lets the prepared key take over at once.
func (w *worker) rotateKeys(ctx context.Context) {
	before, err := listKeys(ctx, w.someone())
	if err != nil {
		return // nothing was written; the next cycle tries again
	}
	next := keyIn(before, "prepared")
	in := call{method: http.MethodPost, path: "/v2/keys/rotate", body: `{"force":true}`}
	_, result := w.write(ctx, "rotateKeys", in, func(ctx context.Context, at *caller) {
		if now, err := listKeys(ctx, at); err == nil && keyIn(now, "active") == next {
			w.keys.active = next
		}
	})
	if result == acknowledged {
		w.keys.active = next
	}
}

// keySetDelay is how old a replica's published key set may be, with room for a busy machine.
const keySetDelay = 3 * time.Second

// checkKeys waits until a replica publishes every key, the active one above all (point 5).
func (w *worker) checkKeys(ctx context.Context, at *caller) {
	if w.keys == nil {
		return
	}
	listed, err := listKeys(ctx, at)
	if err != nil {
		w.found.add(wrong("%v", err))
		return
	}
	if active := keyIn(listed, "active"); w.keys.active != "" && active != w.keys.active {
		w.found.add(lost("the active key at %s is %s, want %s", at.name, active, w.keys.active))
	}
	var missing string
	for until := time.Now().Add(keySetDelay); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		if missing = unpublished(ctx, at, listed); missing == "" {
			return
		}
	}
	w.found.add(wrong("key %s is not in the key set of %s after %v (I23)", missing, at.name, keySetDelay))
}

// unpublished names a key that is not in the replica's key set.
func unpublished(ctx context.Context, at *caller, listed []publishedKey) string {
	keys, err := publishedKeys(ctx, at)
	if err != nil {
		return err.Error()
	}
	for _, key := range listed {
		if _, err := keys.Key(ctx, key.KID, "ES256"); err != nil {
			return key.KID
		}
	}
	return ""
}
