package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
)

// powerStage is how far an account of the power cuts has come. Each one is a write and cannot be
// undone, so that whatever was acknowledged must still be there.
type powerStage int

const (
	planned powerStage = iota
	created
	renamed
	revokedToken
	disabledAccount
)

// milestones is what one server says of an account: a member for each stage.
type milestones [disabledAccount + 1]bool

// powerAccount goes through its stages once.
type powerAccount struct {
	writer     int
	slug, path string

	mu              sync.Mutex
	login           login
	token           string
	intended, acked powerStage
}

// progress is how far an account has come at one moment.
type progress struct {
	account         *powerAccount
	intended, acked powerStage
}

func (a *powerAccount) now() progress {
	a.mu.Lock()
	defer a.mu.Unlock()
	return progress{a, a.intended, a.acked}
}

// powerWriter takes account after account through its stages.
type powerWriter struct {
	number  int
	journal *journal
	at      *caller

	mu       sync.Mutex
	accounts []*powerAccount
}

// state is how far every account has come at this moment.
func (w *powerWriter) state() []progress {
	w.mu.Lock()
	accounts := slices.Clone(w.accounts)
	w.mu.Unlock()
	all := make([]progress, len(accounts))
	for i, a := range accounts {
		all[i] = a.now()
	}
	return all
}

// run writes until ctx ends; then the stages of the last account are gone through to their end.
func (w *powerWriter) run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := w.runAccount(context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
	return nil
}

func (w *powerWriter) runAccount(ctx context.Context) error {
	w.mu.Lock()
	slug := fmt.Sprintf("p%d-%d", w.number, len(w.accounts))
	a := &powerAccount{writer: w.number, slug: slug, path: accountsOf + "/" + slug}
	w.accounts = append(w.accounts, a)
	w.mu.Unlock()
	body := fmt.Sprintf(`{"slug":%q,"name":%q,"roleSlug":%q}`, slug, slug, roleWriter)
	made, err := w.advance(ctx, a, created, call{method: http.MethodPost, path: accountsOf, body: body})
	if err != nil {
		return err
	}
	who := login{made.text("clientId"), made.text("clientSecret")}
	got, err := w.at.ask(ctx, who, "scope", askedScope)
	if err != nil || got.status != http.StatusOK {
		return unexpected("token for "+slug, got, err)
	}
	token := got.text("access_token")
	jti, _, err := claimsOf(token)
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.login, a.token = who, token
	a.mu.Unlock()
	for _, step := range []struct {
		to powerStage
		in call
	}{
		{renamed, call{method: http.MethodPatch, path: a.path, body: `{"name":"renamed"}`}},
		{revokedToken, call{method: http.MethodDelete, path: a.path + "/tokens/" + url.PathEscape(jti)}},
		{disabledAccount, call{method: http.MethodPatch, path: a.path, body: `{"disabled":true}`}},
	} {
		if _, err := w.advance(ctx, a, step.to, step.in); err != nil {
			return err
		}
	}
	return nil
}

// advance sends the write of a stage, which must be acknowledged: nothing of the first server is broken.
func (w *powerWriter) advance(ctx context.Context, a *powerAccount, to powerStage, in call) (answer, error) {
	in.correlation = w.journal.intend(fmt.Sprintf("stage %d", to), a.path)
	a.mu.Lock()
	a.intended = to
	a.mu.Unlock()
	got, err := w.at.do(ctx, in)
	result := judgeWrite(got.status, err)
	w.journal.note(in.correlation, result, causeOf(result, got, err))
	if result != acknowledged {
		return got, unexpected(in.method+" "+in.path, got, err)
	}
	a.mu.Lock()
	a.acked = to
	a.mu.Unlock()
	return got, nil
}

// judgePower compares an account after the cut with what was acknowledged before it began and
// what was intended before it ended.
func judgePower(before, after progress, seen milestones) []finding {
	var out []finding
	for to := created; to <= disabledAccount; to++ {
		switch {
		case seen[to] && to > after.intended:
			out = append(out, wrong("%s has reached stage %d, which was not even asked for", before.account.path, to))
		case !seen[to] && to <= before.acked && to == revokedToken:
			out = append(out, revived("a token of %s is active after a power cut", before.account.path))
		case !seen[to] && to <= before.acked:
			out = append(out, lost("stage %d of %s is gone after a power cut", to, before.account.path))
		}
	}
	return out
}

// lookAfterCut asks a server for the milestones of an account.
func lookAfterCut(ctx context.Context, at *caller, a *powerAccount) (milestones, error) {
	seen := milestones{planned: true}
	got, err := at.see(ctx, a.path)
	if err != nil || (got.status != http.StatusOK && got.status != http.StatusNotFound) {
		return seen, unexpected(a.path, got, err)
	}
	if got.status == http.StatusNotFound {
		return seen, nil
	}
	var state accountState
	if err := json.Unmarshal(got.body, &state); err != nil {
		return seen, err
	}
	seen[created], seen[renamed], seen[disabledAccount] = true, state.Name == "renamed", state.Disabled
	a.mu.Lock()
	who, token := a.login, a.token
	a.mu.Unlock()
	if token == "" {
		return seen, nil
	}
	active, err := at.honours(ctx, token)
	seen[revokedToken] = !active
	if err != nil || state.Disabled {
		return seen, err
	}
	if got, err = at.ask(ctx, who, "scope", askedScope); err == nil && got.status != http.StatusOK {
		err = unexpected("token for "+a.slug, got, nil)
	}
	return seen, err
}
