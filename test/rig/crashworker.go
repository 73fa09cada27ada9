package main

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	crashOrg    = "/v2/orgs/crash"
	accountsOf  = crashOrg + "/service-accounts"
	maxAccounts = 8 // alive, of one worker
	maxSecrets  = 3 // live, of one credential
	maxCreds    = 3 // of one account
	maxTokens   = 3 // of one account, the dead included
)

// worker changes accounts of its own, one at a time, through replicas chosen at random.
type worker struct {
	number, made int
	cycle        int
	group        string // id
	journal      *journal
	random       *rand.Rand
	callers      []*caller
	found        *findings
	subjects     []*subject
	keys         *keyring // of the one worker that also rotates keys
	// pending finds out at a replica what became of the write whose answer did not come.
	pending func(context.Context, *caller)
}

func (w *worker) someone() *caller { return w.callers[w.random.IntN(len(w.callers))] }

// write sends one administrative write. When its answer does not come, settle finds out later
// which of two states the servers are in.
func (w *worker) write(ctx context.Context, operation string, in call, settle func(context.Context, *caller)) (answer, outcome) {
	id := w.journal.intend(operation, in.path)
	in.correlation = id
	got, err := w.someone().do(ctx, in)
	result := judgeWrite(got.status, err)
	w.journal.note(id, result, causeOf(result, got, err))
	switch {
	case result == unknown:
		w.pending = settle
	case neverSent(err):
		pause(ctx, refusedPause)
	case result == denied && err == nil && operation != "refused":
		w.found.add(wrong("%s of %s (%s): status %d: %s", operation, in.path, id, got.status, got.body))
	}
	return got, result
}

// refusedPause keeps a worker from asking a dead server all the time.
const refusedPause = 10 * time.Millisecond

// judgeWrite says what an answer means.
func judgeWrite(status int, err error) outcome {
	switch {
	case err != nil && neverSent(err):
		return denied
	case err != nil || status >= http.StatusInternalServerError:
		return unknown
	case status >= http.StatusBadRequest:
		return denied
	}
	return acknowledged
}

// run changes things until ctx ends or an answer does not come. Requests outlive ctx.
func (w *worker) run(ctx context.Context, cycle int) {
	w.cycle = cycle
	for ctx.Err() == nil && w.pending == nil {
		w.change(context.WithoutCancel(ctx))
	}
}

// settle finds out what became of the write that nobody has answered.
func (w *worker) settle(ctx context.Context, at *caller) {
	if w.pending != nil {
		w.pending(ctx, at)
		w.pending = nil
	}
}

// rareness keeps down what lasts for ever: every fact about the dead is checked to the end.
const rareness = 4

// change does one random thing.
func (w *worker) change(ctx context.Context) {
	if w.keys != nil && w.keys.due {
		w.keys.due = false
		w.rotateKeys(ctx)
		return
	}
	live := slices.DeleteFunc(slices.Clone(w.subjects), func(s *subject) bool { return s.absent })
	if len(live) == 0 || (len(live) < maxAccounts && w.random.IntN(4) == 0) {
		w.create(ctx)
		return
	}
	s := live[w.random.IntN(len(live))]
	s.touched = w.cycle
	switch n := w.random.IntN(64); {
	case n < 16:
		w.token(ctx, s)
	case n == 16 && w.random.IntN(rareness) == 0:
		w.refused(ctx)
	case n == 17 && w.random.IntN(rareness) == 0:
		w.remove(ctx, s)
	default:
		changes[n%len(changes)](w, ctx, s)
	}
}

var changes = []func(*worker, context.Context, *subject){
	(*worker).rename, (*worker).switchRole, (*worker).switchGroup, (*worker).toggle,
	(*worker).addSecret, (*worker).retireSecret, (*worker).rotate, (*worker).rotateWithOverlap,
	(*worker).addCredential, (*worker).toggleCredential, (*worker).removeCredential,
	(*worker).revoke, (*worker).revokeAll,
}

// accountState is what a replica says of an account.
type accountState struct {
	Name     string   `json:"name"`
	RoleSlug string   `json:"roleSlug"`
	Disabled bool     `json:"disabled"`
	Groups   []string `json:"groups"`
}

// read asks for an account. It is found unless the replica knows nothing of it.
func (w *worker) read(ctx context.Context, at *caller, s *subject) (state accountState, found bool) {
	got, err := at.see(ctx, s.path)
	if err == nil && got.status == http.StatusNotFound {
		return accountState{}, false
	}
	if err != nil || got.status != http.StatusOK || json.Unmarshal(got.body, &state) != nil {
		w.found.add(wrong("%v", unexpected(s.path+" at "+at.name, got, err)))
	}
	return state, true
}

// gone tells whether a replica knows nothing of an object.
func (w *worker) gone(ctx context.Context, at *caller, path string) bool {
	got, err := at.see(ctx, path)
	if err != nil || (got.status != http.StatusOK && got.status != http.StatusNotFound) {
		w.found.add(wrong("%v", unexpected(path+" at "+at.name, got, err)))
	}
	return got.status == http.StatusNotFound
}

// has tells whether a list has an id.
func (w *worker) has(ctx context.Context, at *caller, list, id string) bool {
	got, err := at.see(ctx, list)
	if err != nil || got.status != http.StatusOK {
		w.found.add(wrong("%v", unexpected(list+" at "+at.name, got, err)))
	}
	return strings.Contains(string(got.body), id)
}

// tokenAnswers are the statuses that a secret can meet while everything runs. Past so many
// failures a minute the refusal is 429, which a right secret never gets.
var tokenAnswers = map[int]bool{http.StatusOK: true, http.StatusUnauthorized: true, http.StatusTooManyRequests: true}

// granted tells whether a secret gets a token, and for which scope when it asks for nothing.
func (w *worker) granted(ctx context.Context, at *caller, h *heldSecret) (bool, []string) {
	got, err := at.ask(ctx, h.login)
	if err != nil || !tokenAnswers[got.status] {
		w.found.add(wrong("%v", unexpected("a token request at "+at.name, got, err)))
	}
	scope := strings.Fields(got.text("scope"))
	slices.Sort(scope)
	return got.status == http.StatusOK, scope
}

func (w *worker) isActive(ctx context.Context, at *caller, t *heldToken) bool {
	active, err := at.honours(ctx, t.value)
	if err != nil {
		w.found.add(wrong("%v", err))
	}
	return active
}
