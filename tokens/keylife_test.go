package tokens_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/sqldb"
	"github.com/signet-issuer/signet/tokens"
	"github.com/signet-issuer/signet/tokens/sqlstore"
)

func TestI26_DropActiveKey(t *testing.T) {
	clock := newClock()
	cfg := newConfig(t, clock.Now)
	db := openDB(t)
	cfg.Store = sqlstore.New(db)
	keys, other := openKeys(t, cfg), openKeys(t, cfg)
	active, prepared := inState(t, keys, tokens.Active), inState(t, keys, tokens.Prepared)
	if err := keys.Drop(t.Context(), root, active.KID); err != nil {
		t.Fatal(err)
	}
	tick(t, other)
	for _, replica := range []*tokens.Keys{keys, other} {
		if _, _, ok := replica.PublicKey(active.KID); ok || slices.Contains(published(t, replica), active.KID) {
			t.Error("a dropped key is still published")
		}
		if got := inState(t, replica, tokens.Active); got.KID != prepared.KID {
			t.Error("the prepared key did not take over")
		}
		if next := inState(t, replica, tokens.Prepared); next.KID == active.KID || !next.RipeAt.After(clock.Now()) {
			t.Errorf("the new prepared key is %+v", next)
		}
		if age := replica.JWKS().MaxAge; age != 30*time.Second {
			t.Errorf("max-age %s after an unripe key took over", age)
		}
	}
	if err := keys.Drop(t.Context(), root, active.KID); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("dropping it again answers %v", err)
	}
	var sealed int
	err := db.Read(t.Context(), func(tx *sqldb.Tx) error {
		return tx.QueryRowContext(t.Context(), "SELECT count(*) FROM signing_keys WHERE kid = $1 AND sealed IS NOT NULL", active.KID).Scan(&sealed)
	})
	if err != nil || sealed != 0 {
		t.Errorf("the private part of a removed key is still stored (%v)", err)
	}
}

func TestI25_DropLeavesOneAuditRow(t *testing.T) {
	for _, state := range []tokens.State{tokens.Active, tokens.Prepared, tokens.Retired} {
		t.Run(string(state), func(t *testing.T) {
			cfg := newConfig(t, newClock().Now)
			db := openDB(t)
			cfg.Store = sqlstore.New(db)
			keys := openKeys(t, cfg)
			if err := keys.Rotate(t.Context(), root, tokens.RotateRequest{Force: true}); err != nil {
				t.Fatal(err)
			}
			before := keyEvents(t, db)
			if err := keys.Drop(t.Context(), root, inState(t, keys, state).KID); err != nil {
				t.Fatal(err)
			}
			after := keyEvents(t, db)
			if diff := cmp.Diff(append(before, "keys.dropped by sa:system:root"), after); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDropPreparedAndRetiredKeys(t *testing.T) {
	clock := newClock()
	keys := openKeys(t, newConfig(t, clock.Now))
	active, prepared := inState(t, keys, tokens.Active), inState(t, keys, tokens.Prepared)
	if err := keys.Drop(t.Context(), root, prepared.KID); err != nil {
		t.Fatal(err)
	}
	next := inState(t, keys, tokens.Prepared)
	if next.KID == prepared.KID || inState(t, keys, tokens.Active).KID != active.KID {
		t.Error("dropping the prepared key must replace it and leave the active one")
	}
	if err := keys.Rotate(t.Context(), root, tokens.RotateRequest{Force: true}); err != nil {
		t.Fatal(err)
	}
	if err := keys.Drop(t.Context(), root, active.KID); err != nil {
		t.Fatal(err)
	}
	if listed := list(t, keys); len(listed) != 2 || inState(t, keys, tokens.Active).KID != next.KID {
		t.Errorf("after dropping the retired key: %+v", listed)
	}
	if err := keys.Drop(t.Context(), root, "no such key"); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("an unknown key answers %v", err)
	}
}

func TestAlgorithmChange(t *testing.T) {
	clock := newClock()
	cfg := newConfig(t, clock.Now)
	old := openKeys(t, cfg)
	es256 := inState(t, old, tokens.Active)

	cfg.Algorithm = tokens.Ed25519
	changed := openKeys(t, cfg)
	prepared := inState(t, changed, tokens.Prepared)
	if prepared.Alg != tokens.Ed25519 || inState(t, changed, tokens.Active).KID != es256.KID {
		t.Fatal("the old key must sign until a key of the new algorithm is ripe")
	}
	// A replica that still has the old configuration must not undo the change.
	tick(t, old)
	if got := inState(t, old, tokens.Prepared); got.KID != prepared.KID {
		t.Fatal("two configurations fight")
	}
	clock.advance(prepared.RipeAt.Sub(clock.Now()) - time.Second)
	tick(t, changed)
	if inState(t, changed, tokens.Active).KID != es256.KID {
		t.Fatal("I24: the new algorithm signs before its key is ripe")
	}
	clock.advance(time.Second)
	tick(t, old)
	if got := inState(t, old, tokens.Active); got.KID != prepared.KID {
		t.Fatal("the new algorithm does not sign though its key is ripe")
	}
	if next := inState(t, old, tokens.Prepared); next.Alg != tokens.Ed25519 {
		t.Errorf("the next key is for %s", next.Alg)
	}
	if retired := inState(t, old, tokens.Retired); retired.KID != es256.KID {
		t.Errorf("retired is %s", retired.KID)
	}
}

func TestReplace(t *testing.T) {
	clock := newClock()
	keys := openKeys(t, newConfig(t, clock.Now))
	before := published(t, keys)
	if err := keys.Replace(t.Context(), authz.Operator("signet:restored")); err != nil {
		t.Fatal(err)
	}
	after := published(t, keys)
	if len(after) != 2 || slices.ContainsFunc(after, func(kid string) bool { return slices.Contains(before, kid) }) {
		t.Errorf("I28: %v was replaced by %v", before, after)
	}
	if age := keys.JWKS().MaxAge; age != 30*time.Second {
		t.Errorf("max-age %s", age)
	}
}

func TestLongerLifetimeIsNotedAndNeverForgotten(t *testing.T) {
	clock := newClock()
	cfg := newConfig(t, clock.Now)
	openKeys(t, cfg)
	cfg.MaxLifetime = 3 * time.Hour
	openKeys(t, cfg)
	cfg.MaxLifetime = time.Minute
	keys := openKeys(t, cfg)
	clock.advance(cfg.Rotation)
	tick(t, keys)
	retired := inState(t, keys, tokens.Retired)
	if want := clock.Now().Add(3*time.Hour + tokens.Skew); !retired.RemoveAt.Equal(want) {
		t.Errorf("the retired key goes at %s, want %s", retired.RemoveAt, want)
	}
}

func TestLowerMaxAgeWaitsForOldCaches(t *testing.T) {
	clock := newClock()
	cfg := newConfig(t, clock.Now)
	cfg.JWKSMaxAge = 5 * time.Hour
	openKeys(t, cfg)
	cfg.JWKSMaxAge = time.Minute
	keys := openKeys(t, cfg)
	if age := keys.JWKS().MaxAge; age != time.Minute {
		t.Errorf("max-age %s, want the configured one", age)
	}
	if err := keys.Rotate(t.Context(), root, tokens.RotateRequest{Force: true}); err != nil {
		t.Fatal(err)
	}
	// Until now sets were cached for five hours that lack the newest key.
	if want, got := clock.Now().Add(5*time.Hour+tokens.Poll+tokens.Skew), inState(t, keys, tokens.Prepared).RipeAt; !got.Equal(want) {
		t.Errorf("the next key is ripe at %s, want %s", got, want)
	}
}
