package tokens_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/sqlstore"
)

func list(t testing.TB, keys *tokens.Keys) []tokens.Key {
	t.Helper()
	listed, err := keys.List(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	return listed
}

// inState returns the only key in a state.
func inState(t testing.TB, keys *tokens.Keys, state tokens.State) tokens.Key {
	t.Helper()
	listed := slices.DeleteFunc(list(t, keys), func(k tokens.Key) bool { return k.State != state })
	if len(listed) != 1 {
		t.Fatalf("%d keys are %s", len(listed), state)
	}
	return listed[0]
}

func tick(t testing.TB, keys *tokens.Keys) {
	t.Helper()
	if err := keys.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func published(t testing.TB, keys *tokens.Keys) []string {
	t.Helper()
	var set struct {
		Keys []struct {
			KID string `json:"kid"`
		} `json:"keys"`
	}
	unmarshal(t, keys.JWKS().Body, &set)
	kids := []string{}
	for _, key := range set.Keys {
		kids = append(kids, key.KID)
	}
	return kids
}

func TestFirstKeySignsAtOnce(t *testing.T) {
	clock := newClock()
	keys := openKeys(t, newConfig(t, clock.Now))
	active, prepared := inState(t, keys, tokens.Active), inState(t, keys, tokens.Prepared)
	if !active.RipeAt.Equal(clock.Now()) || !active.ActivatedAt.Equal(clock.Now()) {
		t.Errorf("the first key of the installation is not active at once: %+v", active)
	}
	if want := clock.Now().Add(5*time.Minute + tokens.Poll + tokens.Skew); !prepared.RipeAt.Equal(want) {
		t.Errorf("the prepared key is ripe at %s, want %s", prepared.RipeAt, want)
	}
	if age := keys.JWKS().MaxAge; age != 5*time.Minute {
		t.Errorf("max-age %s", age)
	}
	if kids := published(t, keys); len(kids) != 2 || !slices.Contains(kids, active.KID) || !slices.Contains(kids, prepared.KID) {
		t.Errorf("published are %v", kids)
	}
}

func TestRestartKeepsKeys(t *testing.T) {
	clock := newClock()
	cfg := newConfig(t, clock.Now)
	first := openKeys(t, cfg)
	second := openKeys(t, cfg)
	if diff := cmp.Diff(list(t, first), list(t, second)); diff != "" {
		t.Error("a restart changed the keys:", diff)
	}
	if first.Version() != second.Version() || !bytes.Equal(first.JWKS().Body, second.JWKS().Body) || first.JWKS().ETag != second.JWKS().ETag {
		t.Error("two replicas publish different sets")
	}
}

func TestWrongMasterKey(t *testing.T) {
	cfg := newConfig(t, newClock().Now)
	openKeys(t, cfg)
	cfg.Master = newMaster(t)
	_, err := tokens.OpenKeys(t.Context(), cfg)
	if !errors.Is(err, secret.ErrSealed) || !strings.Contains(err.Error(), "master key") {
		t.Errorf("opening with another master key: %v", err)
	}
}

func TestScheduledRotation(t *testing.T) {
	clock := newClock()
	cfg := newConfig(t, clock.Now)
	db := openDB(t)
	cfg.Store = sqlstore.New(db)
	keys := openKeys(t, cfg)
	first, second := inState(t, keys, tokens.Active), inState(t, keys, tokens.Prepared)

	clock.advance(cfg.Rotation - time.Second)
	tick(t, keys)
	if got := inState(t, keys, tokens.Active); got.KID != first.KID {
		t.Fatal("rotated too early")
	}
	clock.advance(time.Second)
	tick(t, keys)
	retired := inState(t, keys, tokens.Retired)
	if got := inState(t, keys, tokens.Active); got.KID != second.KID || retired.KID != first.KID {
		t.Fatalf("after the rotation %s is active and %s retired", got.KID, retired.KID)
	}
	if want := clock.Now().Add(cfg.MaxLifetime + tokens.Skew); !retired.RemoveAt.Equal(want) {
		t.Errorf("the retired key goes at %s, want %s", retired.RemoveAt, want)
	}
	clock.advance(cfg.MaxLifetime + tokens.Skew - time.Second)
	tick(t, keys)
	if !slices.Contains(published(t, keys), first.KID) {
		t.Error("I25: a key was removed that a token may still need")
	}
	clock.advance(time.Second)
	tick(t, keys)
	if _, _, ok := keys.PublicKey(first.KID); ok || slices.Contains(published(t, keys), first.KID) {
		t.Error("a removed key is still published")
	}
	want := []string{"keys.created by signet:rotation", "keys.rotated by signet:rotation", "keys.removed by signet:rotation"}
	if diff := cmp.Diff(want, keyEvents(t, db)); diff != "" {
		t.Error("I44: events:", diff)
	}
}

func TestRotateOnDemand(t *testing.T) {
	clock := newClock()
	keys := openKeys(t, newConfig(t, clock.Now))
	prepared := inState(t, keys, tokens.Prepared)
	err := keys.Rotate(t.Context(), root, tokens.RotateRequest{})
	if unripe, ok := errors.AsType[*tokens.NotRipeError](err); !ok || !unripe.RipeAt.Equal(prepared.RipeAt) {
		t.Fatalf("I24: rotating to an unripe key answers %v", err)
	}
	if err := keys.Rotate(t.Context(), root, tokens.RotateRequest{Force: true}); err != nil {
		t.Fatal(err)
	}
	if got := inState(t, keys, tokens.Active); got.KID != prepared.KID {
		t.Fatal("the prepared key did not take over")
	}
	if age := keys.JWKS().MaxAge; age != 30*time.Second {
		t.Errorf("max-age %s while the active key is unripe", age)
	}
	clock.advance(prepared.RipeAt.Sub(clock.Now()))
	tick(t, keys)
	if age := keys.JWKS().MaxAge; age != 5*time.Minute {
		t.Errorf("max-age %s once the active key is ripe", age)
	}
}

func TestI18_RotateOnce(t *testing.T) {
	clock := newClock()
	keys := openKeys(t, newConfig(t, clock.Now))
	req := tokens.RotateRequest{Force: true, Once: accounts.Once{Key: "k", Fingerprint: "f"}}
	prepared := inState(t, keys, tokens.Prepared)
	if err := keys.Rotate(t.Context(), root, req); err != nil {
		t.Fatal(err)
	}
	err := keys.Rotate(t.Context(), root, req)
	if again, ok := errors.AsType[*accounts.RepeatedError](err); !ok || again.Target != prepared.KID {
		t.Errorf("a repetition answers %v", err)
	}
	other := req
	other.Once.Fingerprint = "g"
	if err := keys.Rotate(t.Context(), root, other); !errors.Is(err, accounts.ErrKeyReused) {
		t.Errorf("another request under the same key answers %v", err)
	}
	if got := inState(t, keys, tokens.Active); got.KID != prepared.KID {
		t.Error("a repetition rotated again")
	}
	clock.advance(accounts.ReceiptLifetime)
	if err := keys.Rotate(t.Context(), root, req); err != nil {
		t.Errorf("after a day the key is free again, but: %v", err)
	}
}

func TestI18_RotateOnceAmongReplicas(t *testing.T) {
	cfg := newConfig(t, newClock().Now)
	replicas := []*tokens.Keys{openKeys(t, cfg), openKeys(t, cfg)}
	req := tokens.RotateRequest{Force: true, Once: accounts.Once{Key: "k", Fingerprint: "f"}}
	rotated := race(t, replicas, func(keys *tokens.Keys) error { return keys.Rotate(t.Context(), root, req) },
		func(err error) bool { _, ok := errors.AsType[*accounts.RepeatedError](err); return ok })
	if retired := len(list(t, replicas[0])) - 2; rotated != 1 || retired != 1 {
		t.Errorf("%d requests rotated and %d keys are retired, want 1", rotated, retired)
	}
}

// race calls fn four times on each replica at once and counts the calls that succeed.
func race(t *testing.T, replicas []*tokens.Keys, fn func(*tokens.Keys) error, expected func(error) bool) int {
	t.Helper()
	var mu sync.Mutex
	var done sync.WaitGroup
	succeeded := 0
	for _, keys := range slices.Repeat(replicas, 4) {
		done.Go(func() {
			err := fn(keys)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				succeeded++
			case !expected(err):
				t.Error(err)
			}
		})
	}
	done.Wait()
	return succeeded
}

func TestTwoReplicasRotateOnce(t *testing.T) {
	clock := newClock()
	cfg := newConfig(t, clock.Now)
	replicas := []*tokens.Keys{openKeys(t, cfg), openKeys(t, cfg)}
	clock.advance(cfg.Rotation)
	race(t, replicas, func(keys *tokens.Keys) error { return keys.Tick(t.Context()) }, func(error) bool { return false })
	if listed := list(t, replicas[0]); len(listed) != 3 {
		t.Errorf("a scheduled rotation left %d keys, want 3", len(listed))
	}
	clock.advance(cfg.JWKSMaxAge + tokens.Poll + tokens.Skew)
	rotated := race(t, replicas, func(keys *tokens.Keys) error { return keys.Rotate(t.Context(), root, tokens.RotateRequest{}) },
		func(err error) bool { _, ok := errors.AsType[*tokens.NotRipeError](err); return ok })
	if rotated != 1 {
		t.Errorf("%d rotations on demand, want 1", rotated)
	}
}

func TestKeysDemandSystemPermission(t *testing.T) {
	keys := openKeys(t, newConfig(t, newClock().Now))
	calls := map[authz.Action]func(authz.Principal) error{
		authz.Read:   func(p authz.Principal) error { _, err := keys.List(t.Context(), p); return err },
		authz.Update: func(p authz.Principal) error { return keys.Rotate(t.Context(), p, tokens.RotateRequest{Force: true}) },
		authz.Delete: func(p authz.Principal) error { return keys.Drop(t.Context(), p, "K") },
	}
	for action, call := range calls {
		outsider := authz.Principal{Permissions: authz.MustSet("*"), Holds: authz.MustSet("*")}
		if _, ok := errors.AsType[*authz.DeniedError](call(outsider)); !ok {
			t.Errorf("%s: an account outside the system org is not denied", action)
		}
		viewer := authz.Principal{System: true, Permissions: authz.MustSet("orgs:roles:*")}
		if _, ok := errors.AsType[*authz.DeniedError](call(viewer)); !ok {
			t.Errorf("%s: a system account without the permission is not denied", action)
		}
		holder := authz.Principal{System: true, Permissions: authz.MustSet("orgs:settings:" + string(action))}
		if err := call(holder); err != nil && !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("%s: the holder of the permission gets %v", action, err)
		}
	}
	if err := keys.Replace(t.Context(), authz.Principal{Permissions: authz.MustSet("*")}); err == nil {
		t.Error("Replace demands nothing")
	}
}
