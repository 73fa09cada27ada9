package tokens_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/sqlstore"
)

func TestPurposesLiveSideBySide(t *testing.T) {
	clock := newClock()
	cfg := newConfig(t, clock.Now)
	db := openDB(t)
	cfg.Store = sqlstore.New(db)
	other := cfg
	other.Purpose, other.Algorithm = "other", tokens.Ed25519

	access := openKeys(t, cfg)
	others := openKeys(t, other)
	for name, keys := range map[string]*tokens.Keys{"the first purpose": access, "the second purpose": others} {
		if active := inState(t, keys, tokens.Active); !active.RipeAt.Equal(clock.Now()) {
			t.Errorf("the first key of %s is not ripe at once: %+v", name, active)
		}
		inState(t, keys, tokens.Prepared)
	}
	accessKeys, otherKeys := published(t, access), published(t, others)
	if len(accessKeys) != 2 || len(otherKeys) != 2 {
		t.Fatalf("published are %v and %v", accessKeys, otherKeys)
	}
	for _, kid := range otherKeys {
		if _, _, known := access.PublicKey(kid); known || slices.Contains(accessKeys, kid) {
			t.Errorf("%s serves both purposes", kid)
		}
	}

	// Whatever happens to the one leaves the other alone, over restarts too.
	before := list(t, others)
	if err := access.Rotate(t.Context(), root, tokens.RotateRequest{Force: true}); err != nil {
		t.Fatal(err)
	}
	if err := access.Replace(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	clock.advance(tokens.Poll)
	tick(t, others)
	again := openKeys(t, other)
	if diff := cmp.Diff(before, list(t, again)); diff != "" {
		t.Error("the keys of the other purpose changed:", diff)
	}
	if diff := cmp.Diff(otherKeys, published(t, others)); diff != "" {
		t.Error("the other key set changed:", diff)
	}
	if want := []string{"keys.created", "keys.created", "keys.rotated", "keys.replaced"}; len(keyEvents(t, db)) != len(want) {
		t.Errorf("events are %v, want %v", keyEvents(t, db), want)
	}
}
