package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signet-issuer/signet/client/verify"
)

// grantedScope is what the role of every account of the rig allows.
var grantedScope = []string{"llm:*", "tools:*"}

// oracle knows what must be true of a fleet, whatever is broken.
type oracle struct {
	stage     *stage
	verifiers []*verify.Verifier // by the keys of each replica
	turn      atomic.Uint64

	mu    sync.Mutex
	ended []ended
}

// ended is what an acknowledged write has cut off.
type ended struct {
	how   string
	token string // never active again
	login *login // never good for a token again; nil when only the token has ended
}

func newOracle(st *stage) *oracle {
	o := &oracle{stage: st}
	for _, r := range st.replicas {
		o.verifiers = append(o.verifiers, &verify.Verifier{
			Issuer: st.issuer, Audience: st.issuer + "/orgs/" + org, Org: org,
			// A forced rotation makes a key sign that verifiers have not read yet.
			Keys: &verify.RemoteKeySet{URL: r.url + "/.well-known/jwks.json", MinInterval: 100 * time.Millisecond},
		})
	}
	return o
}

// judge checks a token that a client got by the keys of one replica, each in turn, and
// returns what is wrong with it.
func (o *oracle) judge(ctx context.Context, c *client, got answer) string {
	by := int(o.turn.Add(1) % uint64(len(o.verifiers)))
	token, err := o.verifiers[by].Verify(ctx, got.text("access_token"))
	if _, unknown := errors.AsType[*verify.UnavailableError](err); unknown {
		err = nil // that replica does not answer, which its own row judges
	}
	if err != nil {
		return fmt.Sprintf("its token does not verify by the keys of replica %d: %v", by, err)
	}
	if token != nil && (!slices.Equal(token.Scopes, grantedScope) || token.Subject != "sa:"+org+":"+c.slug || token.ClientID != c.ID) {
		return fmt.Sprintf("%s got a token of %s for %v", c.slug, token.Subject, token.Scopes)
	}
	c.used(got.began)
	return ""
}

// end remembers that an acknowledged write has cut something off.
func (o *oracle) end(what ended) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = append(o.ended, what)
}

func (o *oracle) all() []ended {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.ended)
}

// refused makes sure that a door treats as ended what has ended. While SQL is gone it may say
// that it does not know. Who asks for much that is inactive is put off after it was found so.
func (o *oracle) refused(ctx context.Context, row string, d *door, what ended, sqlGone bool) {
	report := o.stage.session.report
	active, got, err := d.introspect(ctx, what.token)
	switch {
	case active:
		report.count(func(s *summary) { s.RevokedButActive++ })
		report.violate(row, "%s: its token is active at %s", what.how, d.name)
	case !sqlGone && (err != nil || got.status != http.StatusOK && got.status != http.StatusTooManyRequests):
		report.violate(row, "%s: introspection at %s: %s %v", what.how, d.name, got, err)
	}
	if what.login == nil {
		return
	}
	got, err = d.ask(ctx, *what.login)
	switch {
	case got.status == http.StatusOK:
		report.count(func(s *summary) { s.RevokedButActive++ })
		report.violate(row, "%s: it got a token at %s", what.how, d.name)
	case !sqlGone && (err != nil || got.status >= http.StatusInternalServerError):
		report.violate(row, "%s: its token request at %s: %s %v", what.how, d.name, got, err)
	}
}

// watch asks every replica again and again about what has ended, until stop is called.
func (o *oracle) watch(ctx context.Context, row string, sqlGone bool) (stop func()) {
	const pause = 20 * time.Millisecond
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	for at, d := range o.stage.direct {
		done.Go(func() {
			for n := at; ctx.Err() == nil; n++ {
				if all := o.all(); len(all) > 0 {
					o.refused(context.WithoutCancel(ctx), row, d, all[n%len(all)], sqlGone)
				}
				sleep(ctx, pause)
			}
		})
	}
	return func() {
		cancel()
		done.Wait()
	}
}

// everywhere asks every replica once about everything that has ended.
func (o *oracle) everywhere(ctx context.Context, row string) {
	var done sync.WaitGroup
	for _, d := range o.stage.direct {
		done.Go(func() {
			for _, what := range o.all() {
				o.refused(ctx, row, d, what, false)
			}
		})
	}
	done.Wait()
}

// sleep waits, unless ctx ends before.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
