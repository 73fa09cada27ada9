package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/audit"
	"github.com/signet-issuer/signet/tokens"
)

// newKey has no zero field, whatever its state.
func newKey(kid string, state tokens.State) tokens.StoredKey {
	return tokens.StoredKey{
		KID: kid, Purpose: tokens.AccessTokens, Alg: "ES256", State: state,
		Public: []byte("public of " + kid), Sealed: []byte("sealed of " + kid),
		PreparedAt: epoch, RipeAt: epoch.Add(time.Minute), ActivatedAt: epoch.Add(2 * time.Minute),
		RetiredAt: epoch.Add(3 * time.Minute), RemoveAt: epoch.Add(4 * time.Minute),
		Longest: time.Hour + time.Microsecond, MaxAge: 5*time.Minute + time.Microsecond,
	}
}

// put stores keys as they are.
func put(t *testing.T, b Backend, keys ...tokens.StoredKey) tokens.KeySet {
	t.Helper()
	return must[tokens.KeySet](t)(tryPut(t, b, keys...))
}

func tryPut(t *testing.T, b Backend, keys ...tokens.StoredKey) (tokens.KeySet, error) {
	t.Helper()
	return b.Store.ChangeKeys(t.Context(), actor, audit.Receipt{}, func(tokens.KeySet) ([]tokens.StoredKey, audit.Event, error) {
		return keys, newEvent("keys.rotated"), nil
	})
}

func keySetStartsEmpty(t *testing.T, b Backend) {
	set := must[tokens.KeySet](t)(b.Store.KeySet(t.Context()))
	if set.Version != 0 || len(set.Keys) != 0 {
		t.Fatalf("a fresh store has %+v", set)
	}
}

func keysRoundTrip(t *testing.T, b Backend) {
	active, prepared, retired := newKey("KA", tokens.Active), newKey("KP", tokens.Prepared), newKey("KR", tokens.Retired)
	prepared.PreparedAt = epoch.Add(time.Second)
	for _, key := range []tokens.StoredKey{active, prepared, retired} {
		requireFull(t, key)
	}
	returned := put(t, b, prepared, active, retired)
	want := tokens.KeySet{Version: 1, Keys: []tokens.StoredKey{active, retired, prepared}}
	if diff := cmp.Diff(want, returned); diff != "" {
		t.Fatal("ChangeKeys returns another set:", diff)
	}
	if diff := cmp.Diff(want, must[tokens.KeySet](t)(b.Store.KeySet(t.Context()))); diff != "" {
		t.Fatal("KeySet returns another set:", diff)
	}

	prepared.ActivatedAt, prepared.RetiredAt, prepared.RemoveAt = time.Time{}, time.Time{}, time.Time{}
	active.Longest, active.MaxAge = 2*time.Hour, 3*time.Hour
	retired.RetiredAt, retired.RemoveAt = epoch.Add(5*time.Hour), epoch.Add(6*time.Hour)
	want = tokens.KeySet{Version: 2, Keys: []tokens.StoredKey{active, retired, prepared}}
	if diff := cmp.Diff(want, put(t, b, active, prepared, retired)); diff != "" {
		t.Fatal("a changed key is not stored as it is:", diff)
	}
}

func changeKeysWithoutChange(t *testing.T, b Backend) {
	before := put(t, b, newKey("K1", tokens.Active))
	set, err := tryPut(t, b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, set); diff != "" {
		t.Fatal("nothing to change changes the set:", diff)
	}
	if n := len(b.Events(t)); n != 1 {
		t.Fatalf("%d events for one change", n)
	}
}

func changeKeysWithError(t *testing.T, b Backend) {
	before := put(t, b, newKey("K1", tokens.Active))
	refused := errors.New("refused")
	_, err := b.Store.ChangeKeys(t.Context(), actor, audit.Receipt{Actor: actor.AccountID, Key: "k"},
		func(set tokens.KeySet) ([]tokens.StoredKey, audit.Event, error) {
			if diff := cmp.Diff(before, set); diff != "" {
				t.Error("fn gets another set:", diff)
			}
			return []tokens.StoredKey{newKey("K2", tokens.Prepared)}, newEvent("keys.rotated"), refused
		})
	if !errors.Is(err, refused) {
		t.Fatalf("the error of fn comes back as %v", err)
	}
	if diff := cmp.Diff(before, must[tokens.KeySet](t)(b.Store.KeySet(t.Context()))); diff != "" {
		t.Fatal("a refused change was stored:", diff)
	}
	if _, err := b.Store.Receipt(t.Context(), actor.AccountID, "k"); !errors.Is(err, accounts.ErrNotFound) {
		t.Fatalf("a refused change left a receipt: %v", err)
	}
}

func changeKeysLeavesEvidence(t *testing.T, b Backend) {
	event := newEvent("keys.rotated")
	receipt := audit.Receipt{
		Actor: actor.AccountID, Key: "once", Fingerprint: "f", OrgID: event.OrgID, Target: "K1", Time: epoch,
	}
	requireFull(t, receipt)
	_, err := b.Store.ChangeKeys(t.Context(), actor, receipt, func(tokens.KeySet) ([]tokens.StoredKey, audit.Event, error) {
		return []tokens.StoredKey{newKey("K1", tokens.Active)}, event, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	kept := must[audit.Receipt](t)(b.Store.Receipt(t.Context(), actor.AccountID, "once"))
	if diff := cmp.Diff(receipt, kept); diff != "" {
		t.Error("the receipt comes back as another:", diff)
	}
	event.Actor, event.CorrelationID, event.Source = actor.Subject, actor.CorrelationID, actor.Source
	requireFull(t, event)
	if diff := cmp.Diff([]audit.Event{event}, b.Events(t)); diff != "" {
		t.Error("I44: not exactly the event of the change:", diff)
	}
}

func oneActiveKey(t *testing.T, b Backend) {
	old := newKey("K1", tokens.Active)
	before := put(t, b, old)
	if _, err := tryPut(t, b, newKey("K2", tokens.Active)); err == nil {
		t.Fatal("a second active key was stored")
	}
	if diff := cmp.Diff(before, must[tokens.KeySet](t)(b.Store.KeySet(t.Context()))); diff != "" {
		t.Fatal("a failed change was stored:", diff)
	}
	old.State = tokens.Retired
	set := put(t, b, newKey("K2", tokens.Active), old)
	if len(set.Keys) != 2 || set.Keys[0].State != tokens.Retired || set.Keys[1].State != tokens.Active {
		t.Fatalf("the hand-over gave %+v", set.Keys)
	}
}

func kidNeverComesBack(t *testing.T, b Backend) {
	key := newKey("K1", tokens.Retired)
	put(t, b, key)
	key.State, key.Sealed = tokens.Removed, nil
	if set := put(t, b, key); len(set.Keys) != 0 {
		t.Fatalf("a removed key is in the set: %+v", set.Keys)
	}
	if _, err := tryPut(t, b, newKey("K1", tokens.Prepared)); !errors.Is(err, accounts.ErrExists) {
		t.Fatalf("a kid came back: %v", err)
	}
}

func kidBoundToAlgorithm(t *testing.T, b Backend) {
	key := newKey("K1", tokens.Active)
	put(t, b, key)
	changed := key
	changed.Alg, changed.Purpose, changed.Public = "RS256", "other", []byte("other")
	set := put(t, b, changed)
	if diff := cmp.Diff([]tokens.StoredKey{key}, set.Keys); diff != "" {
		t.Fatal("a kid changed what it is bound to:", diff)
	}
}

func concurrentChangesLoseNothing(t *testing.T, b Backend) {
	const workers, rounds = 4, 5
	var done sync.WaitGroup
	for range workers {
		done.Go(func() {
			for range rounds {
				if err := addNumbered(t.Context(), b); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	done.Wait()
	set := must[tokens.KeySet](t)(b.Store.KeySet(t.Context()))
	if len(set.Keys) != workers*rounds || set.Version != workers*rounds {
		t.Fatalf("%d changes gave %d keys at version %d", workers*rounds, len(set.Keys), set.Version)
	}
}

// addNumbered stores a key whose kid is the number of keys that there were: the same number
// twice is an error of the store's isolation.
func addNumbered(ctx context.Context, b Backend) error {
	_, err := b.Store.ChangeKeys(ctx, actor, audit.Receipt{}, func(set tokens.KeySet) ([]tokens.StoredKey, audit.Event, error) {
		key := newKey(fmt.Sprintf("K%03d", len(set.Keys)), tokens.Retired)
		return []tokens.StoredKey{key}, newEvent("keys.prepared"), nil
	})
	return err
}

func receiptOfNobody(t *testing.T, b Backend) {
	if _, err := b.Store.Receipt(t.Context(), uuid.New(), "never"); !errors.Is(err, accounts.ErrNotFound) {
		t.Fatalf("an unknown receipt is %v", err)
	}
}

func endedContext(t *testing.T, b Backend) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Store.KeySet(ctx); err == nil {
		t.Error("KeySet answers after the end of its context")
	}
	if _, err := b.Store.Revoked(ctx, "J", b.Accounts[0]); err == nil {
		t.Error("I11: Revoked answers after the end of its context")
	}
	if err := b.Store.Revoke(ctx, actor, newRevocation("J", b.Accounts[0]), audit.Event{}); err == nil {
		t.Error("Revoke answers after the end of its context")
	}
}
