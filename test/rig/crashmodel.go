package main

import (
	"slices"
	"time"
)

// The roles that accounts are switched between both allow what every token here asks for.
// The group adds a scope of its own.
const (
	roleReader = "reader"
	roleWriter = "writer"
	groupScope = "crash:audit"
	askedScope = "crash:read"
)

var crashRoles = map[string][]string{
	roleReader: {"crash:read"}, roleWriter: {"crash:read", "crash:write"}, "auditor": {groupScope},
}

// heldSecret is a secret that the server has shown.
type heldSecret struct {
	login
	id   string // "" for one that came with its account or by a rotation
	dead bool
}

// heldCredential is a credential of an account.
type heldCredential struct {
	id, clientID   string
	primary        bool
	disabled, gone bool
	secrets        []*heldSecret
	unseen         int // secrets that may have been added without an answer
}

func (c *heldCredential) live() []*heldSecret {
	return slices.DeleteFunc(slices.Clone(c.secrets), func(h *heldSecret) bool { return h.dead })
}

// heldToken is a token that the server has issued.
type heldToken struct {
	value, jti string
	credential *heldCredential
	by         *heldSecret
	expires    time.Time
	dead       bool
}

// subject is what must be true of one account.
type subject struct {
	slug, path       string
	name, role       string
	inGroup          bool
	absent, disabled bool
	credentials      []*heldCredential
	tokens           []*heldToken
	touched          int // the cycle of the last change
}

// scope is what a token may do that asks for nothing in particular.
func (s *subject) scope() []string {
	scope := slices.Clone(crashRoles[s.role])
	if s.inGroup {
		scope = append(scope, groupScope)
	}
	slices.Sort(scope)
	return scope
}

// works tells whether a secret must be good for a token.
func (s *subject) works(c *heldCredential, h *heldSecret) bool {
	return !s.absent && !s.disabled && !c.gone && !c.disabled && !h.dead
}

// endTokens notes that tokens have ended.
func (s *subject) endTokens(which func(*heldToken) bool) {
	for _, token := range s.tokens {
		token.dead = token.dead || which(token)
	}
}

func (s *subject) endAllTokens() { s.endTokens(func(*heldToken) bool { return true }) }

func (s *subject) endTokensOf(c *heldCredential) {
	s.endTokens(func(t *heldToken) bool { return t.credential == c })
}

// rotated notes that the older secrets of a credential and their tokens are gone.
func (s *subject) rotated(c *heldCredential) {
	s.endTokensOf(c)
	for _, secret := range c.secrets {
		secret.dead = true
	}
	c.unseen = 0
}

// kept is how many dead secrets of a credential, dead credentials of an account, and tokens
// of a dead account stay under watch.
const kept = 1

// forget drops the oldest of the dead, so that a long run does not ask about ever more.
func forget[T any](list []T, dead func(T) bool) []T {
	surplus := -kept
	for _, one := range list {
		if dead(one) {
			surplus++
		}
	}
	return slices.DeleteFunc(list, func(one T) bool {
		drop := surplus > 0 && dead(one)
		if drop {
			surplus--
		}
		return drop
	})
}

func (c *heldCredential) add(secret *heldSecret) {
	c.secrets = append(forget(c.secrets, func(h *heldSecret) bool { return h.dead }), secret)
}

func (s *subject) add(c *heldCredential) {
	s.credentials = append(forget(s.credentials, func(c *heldCredential) bool { return c.gone }), c)
}

func (s *subject) removed() {
	s.absent = true
	s.endAllTokens()
	s.tokens = forget(s.tokens, func(*heldToken) bool { return true })
	for _, c := range s.credentials {
		c.secrets = forget(c.secrets, func(*heldSecret) bool { return true })
	}
}

func (s *subject) removedCredential(c *heldCredential) {
	c.gone = true
	s.endTokensOf(c)
}

// existing counts the credentials that are not gone.
func (s *subject) existing() int {
	return len(slices.DeleteFunc(slices.Clone(s.credentials), func(c *heldCredential) bool { return c.gone }))
}

// primary is the account's first credential, nil when its answer was never seen.
func (s *subject) primary() *heldCredential {
	at := slices.IndexFunc(s.credentials, func(c *heldCredential) bool { return c.primary })
	if at < 0 {
		return nil
	}
	return s.credentials[at]
}

// usable lists the credentials that exist and are enabled.
func (s *subject) usable() []*heldCredential {
	return slices.DeleteFunc(slices.Clone(s.credentials), func(c *heldCredential) bool { return c.gone || c.disabled })
}

// forgetToken makes room for a token: expired ones go first, then one that has ended.
func (s *subject) forgetToken(now time.Time, most int) bool {
	s.tokens = slices.DeleteFunc(s.tokens, func(t *heldToken) bool { return !now.Before(t.expires) })
	if len(s.tokens) < most {
		return true
	}
	at := slices.IndexFunc(s.tokens, func(t *heldToken) bool { return t.dead })
	if at < 0 {
		return false
	}
	s.tokens = slices.Delete(s.tokens, at, at+1)
	return true
}
