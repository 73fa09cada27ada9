package tokens_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/tokens"
)

func TestI27_KeySetHasPublicMembersOnly(t *testing.T) {
	allowed := map[string][]string{
		"EC": {"kty", "crv", "x", "y"}, "RSA": {"kty", "n", "e"}, "OKP": {"kty", "crv", "x"},
	}
	for _, alg := range tokens.Algorithms() {
		t.Run(alg, func(t *testing.T) {
			cfg := newConfig(t, newClock().Now)
			cfg.Algorithm = alg
			body := openKeys(t, cfg).JWKS().Body
			for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
				if bytes.Contains(body, []byte(`"`+private+`"`)) {
					t.Errorf("the bytes contain the member %q", private)
				}
			}
			var set struct {
				Keys []map[string]string `json:"keys"`
			}
			if err := json.Unmarshal(body, &set); err != nil || len(set.Keys) != 2 {
				t.Fatalf("%d keys, %v", len(set.Keys), err)
			}
			for _, key := range set.Keys {
				if key["use"] != "sig" || key["alg"] != alg || !tokens.ValidID(key["kid"]) {
					t.Errorf("use %q, alg %q, kid %q", key["use"], key["alg"], key["kid"])
				}
				for member := range key {
					if !slices.Contains(append(allowed[key["kty"]], "use", "alg", "kid"), member) {
						t.Errorf("unexpected member %q", member)
					}
				}
			}
		})
	}
}

func TestCheckSchedule(t *testing.T) {
	good := tokens.Schedule{JWKSMaxAge: 5 * time.Minute, Rotation: 720 * time.Hour, MaxLifetime: time.Hour}
	for _, test := range []struct {
		name   string
		change func(*tokens.Schedule)
		want   []string // in the error; none: accepted
	}{
		{"default", func(*tokens.Schedule) {}, nil},
		{"rotation just longer than ripening", func(s *tokens.Schedule) { s.Rotation = 6*time.Minute + 2*time.Second }, nil},
		{"rotation as long as ripening", func(s *tokens.Schedule) { s.Rotation = 6*time.Minute + time.Second }, []string{"6m1s", "5m0s"}},
		{"max-age longer than rotation", func(s *tokens.Schedule) { s.JWKSMaxAge = 800 * time.Hour }, []string{"720h0m0s", "800h0m0s"}},
		{"no max-age", func(s *tokens.Schedule) { s.JWKSMaxAge = 0 }, []string{"key set max-age 0s"}},
		{"negative lifetime", func(s *tokens.Schedule) { s.MaxLifetime = -1 }, []string{"longest token lifetime -1ns"}},
		{"endless lifetime", func(s *tokens.Schedule) { s.MaxLifetime = 1<<63 - 1 }, []string{"longest token lifetime"}},
		{"max-age that overflows", func(s *tokens.Schedule) { s.JWKSMaxAge = 1<<63 - 1 }, []string{"key set max-age"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			schedule := good
			test.change(&schedule)
			err := tokens.CheckSchedule(schedule)
			if (err == nil) != (test.want == nil) {
				t.Fatalf("got %v", err)
			}
			for _, text := range test.want {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("the error does not name %q: %v", text, err)
				}
			}
		})
	}
	cfg := newConfig(t, newClock().Now)
	cfg.Rotation = time.Minute
	if _, err := tokens.OpenKeys(t.Context(), cfg); err == nil {
		t.Error("I24: OpenKeys accepts a rotation shorter than the ripening")
	}
	cfg = newConfig(t, newClock().Now)
	cfg.Algorithm = "HS256"
	if _, err := tokens.OpenKeys(t.Context(), cfg); err == nil {
		t.Error("OpenKeys accepts a symmetric algorithm")
	}
}

// brittleStore fails while broken is set.
type brittleStore struct {
	tokens.Store
	broken bool
}

func (s *brittleStore) KeySet(ctx context.Context) (tokens.KeySet, error) {
	if s.broken {
		return tokens.KeySet{}, accounts.ErrUnavailable
	}
	return s.Store.KeySet(ctx)
}

func TestMaxAgeShrinksOutOfTouch(t *testing.T) {
	clock := newClock()
	cfg := newConfig(t, clock.Now)
	store := &brittleStore{Store: cfg.Store}
	cfg.Store = store
	keys := openKeys(t, cfg)
	store.broken = true
	for _, step := range []struct{ after, want time.Duration }{
		{5 * time.Second, 5 * time.Minute}, {time.Minute, 4 * time.Minute}, {time.Hour, 30 * time.Second},
	} {
		clock.advance(step.after)
		if err := keys.Tick(t.Context()); !errors.Is(err, accounts.ErrUnavailable) {
			t.Fatalf("tick: %v", err)
		}
		if age := keys.JWKS().MaxAge; age != step.want {
			t.Errorf("max-age %s, want %s", age, step.want)
		}
	}
	store.broken = false
	tick(t, keys)
	if age := keys.JWKS().MaxAge; age != 5*time.Minute {
		t.Errorf("max-age %s once in touch again", age)
	}
}

func TestRefresh(t *testing.T) {
	cfg := newConfig(t, newClock().Now)
	store := &brittleStore{Store: cfg.Store}
	behind := cfg
	behind.Store = store
	ahead, keys := openKeys(t, cfg), openKeys(t, behind)
	if err := ahead.Rotate(t.Context(), root, tokens.RotateRequest{Force: true}); err != nil {
		t.Fatal(err)
	}
	store.broken = true
	if err := keys.Refresh(t.Context(), keys.Version()); err != nil {
		t.Errorf("a set that is new enough needs no storage, but: %v", err)
	}
	if err := keys.Refresh(t.Context(), ahead.Version()); !errors.Is(err, accounts.ErrUnavailable) {
		t.Errorf("storage down: %v", err)
	}
	store.broken = false
	if err := keys.Refresh(t.Context(), ahead.Version()); err != nil || keys.Version() != ahead.Version() {
		t.Errorf("version %d, want %d: %v", keys.Version(), ahead.Version(), err)
	}
	if diff := cmp.Diff(published(t, ahead), published(t, keys)); diff != "" {
		t.Error("a refresh gives another set:", diff)
	}
	if err := keys.Refresh(t.Context(), ahead.Version()+1); !errors.Is(err, accounts.ErrUnavailable) {
		t.Errorf("a version that is not there yet: %v", err)
	}
}

func TestRunRefreshesEachSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		store := &memoryStore{}
		cfg := tokens.KeysConfig{Store: store, Master: newMaster(t), Algorithm: tokens.ES256, JWKSMaxAge: time.Minute}
		cfg.Rotation, cfg.MaxLifetime, cfg.Now, cfg.Random, cfg.Log = time.Hour, time.Minute, time.Now, rand.Reader, slog.New(slog.NewTextHandler(&log, nil))
		keys := openKeys(t, cfg)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { keys.Run(ctx); close(ended) }()
		time.Sleep(time.Hour + tokens.Poll + time.Millisecond)
		synctest.Wait()
		if kids := published(t, keys); len(kids) != 3 {
			t.Errorf("%d keys after the time of a rotation, want 3", len(kids))
		}
		log.Reset()
		store.down.Store(true)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		store.down.Store(false)
		time.Sleep(10 * time.Second)
		cancel()
		<-ended
		if lines := strings.Count(log.String(), "\n"); lines != 2 {
			t.Errorf("an outage is %d lines in the log, want 2:\n%s", lines, log.String())
		}
	})
}
