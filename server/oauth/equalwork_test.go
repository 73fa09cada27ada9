package oauth_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/testenv"
)

// countingStore notes what is asked of the truth.
type countingStore struct {
	accounts.Store
	mu    sync.Mutex
	calls []string
}

func (s *countingStore) note(call string, err error, remembered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case remembered:
		call += ": remembered"
	case errors.Is(err, accounts.ErrNotFound):
		call += ": nothing"
	case err != nil:
		call += ": " + err.Error()
	}
	s.calls = append(s.calls, call)
}

// take returns the calls since the last time.
func (s *countingStore) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

func (s *countingStore) StandingBySecret(ctx context.Context, hashes []accounts.Hash) (accounts.Standing, error) {
	standing, err := s.Store.StandingBySecret(ctx, hashes)
	s.note("by secret", err, standing.Remembered)
	return standing, err
}

func (s *countingStore) StandingByClient(ctx context.Context, clientID string, seq int64) (accounts.Standing, error) {
	standing, err := s.Store.StandingByClient(ctx, clientID, seq)
	s.note("by client", err, standing.Remembered)
	return standing, err
}

func (s *countingStore) Read(ctx context.Context, fn func(accounts.Reader) error) error {
	err := s.Store.Read(ctx, fn)
	s.note("read", err, false)
	return err
}

func (s *countingStore) Write(ctx context.Context, actor authz.Principal, fn func(accounts.Tx) error) error {
	err := s.Store.Write(ctx, actor, fn)
	s.note("write", err, false)
	return err
}

// A refusal costs one look-up, whatever its cause and whatever is remembered: the time tells
// no more than the answer, also to who has a right secret.
func TestStandard23_I32_SameStoreCalls(t *testing.T) {
	for name, cache := range map[string]bool{"looked up": false, "remembered": true} {
		t.Run(name, func(t *testing.T) {
			store := &countingStore{}
			env, bot := start(t, func(c *testenv.Config) {
				c.Limiter, c.Cache = generous{}, cache
				c.Store = func(real accounts.Store) accounts.Store { store.Store = real; return store }
			})
			for name, login := range refusals(t, env) {
				for range 2 { // the second time a right secret is remembered
					store.take()
					// In the body an id has one reading; in the header one with a colon has two.
					answer := env.Post(t, "/token", grant("client_id", login.ID, "client_secret", login.Secret))
					wantError(t, answer, http.StatusUnauthorized, "invalid_client")
					if calls := store.take(); lookUps(calls) != 1 {
						t.Errorf("%s: %q, want one look-up", name, calls)
					}
				}
			}
			wantToken(t, env.Post(t, "/token", grant(), bot.Basic()))
			store.take()
			wantToken(t, env.Post(t, "/token", grant(), bot.Basic()))
			if calls := store.take(); (lookUps(calls) == 0) != cache {
				t.Errorf("a good client: %q", calls)
			}
		})
	}
}

// lookUps counts the searches for a credential that were not answered from memory. What is read
// once a second for all requests, whatever they ask, does not count.
func lookUps(calls []string) int {
	n := 0
	for _, call := range calls {
		if strings.HasPrefix(call, "by ") && !strings.HasSuffix(call, "remembered") {
			n++
		}
	}
	return n
}

// The same work is done whoever is named. It takes an extra look-up or a slow hash on one
// way to fail this; what is finer needs many samples on a quiet machine.
func TestStandard23_EqualWork(t *testing.T) {
	env, bot := start(t, func(c *testenv.Config) { c.Limiter = generous{} })
	logins := []testenv.Login{{ID: "abcdefghijklmnopqrstuvwxyz", Secret: "sas_acme_wrong"}, {ID: bot.ID, Secret: "sas_acme_wrong"}}
	var ratio float64
	for range 5 {
		var took [2][]time.Duration
		for range 150 {
			for i, login := range logins {
				began := time.Now()
				env.Post(t, "/token", grant(), login.Basic())
				took[i] = append(took[i], time.Since(began))
			}
		}
		for i := range took {
			slices.Sort(took[i])
		}
		if ratio = float64(took[0][50]) / float64(took[1][50]); 0.7 < ratio && ratio < 1.4 {
			return
		}
	}
	t.Errorf("unknown client takes %.2f times as long as a wrong secret", ratio)
}
