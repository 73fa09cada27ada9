package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/audit"
	"github.com/signet-issuer/signet/tokens"
)

func newRevocation(jti string, accountID uuid.UUID) tokens.Revocation {
	return tokens.Revocation{JTI: jti, AccountID: accountID, ExpiresAt: epoch.Add(time.Hour), At: epoch}
}

func revoke(t *testing.T, b Backend, r tokens.Revocation) {
	t.Helper()
	requireFull(t, r)
	if err := b.Store.Revoke(t.Context(), actor, r, audit.Event{}); err != nil {
		t.Fatal(err)
	}
}

func requireRevoked(t *testing.T, b Backend, jti string, accountID uuid.UUID, want bool) {
	t.Helper()
	if got := must[bool](t)(b.Store.Revoked(t.Context(), jti, accountID)); got != want {
		t.Errorf("Revoked(%s) = %v, want %v", jti, got, want)
	}
}

func revokeIsIdempotent(t *testing.T, b Backend) {
	account := b.Accounts[0]
	requireRevoked(t, b, "J1", account, false)
	first := newRevocation("J1", account)
	revoke(t, b, first)
	revoke(t, b, first)
	requireRevoked(t, b, "J1", account, true)

	// A repetition that believes in an earlier end must not let the token live again.
	earlier := first
	earlier.ExpiresAt = epoch.Add(time.Minute)
	revoke(t, b, earlier)
	if n := must[int](t)(b.Store.Sweep(t.Context(), epoch.Add(30*time.Minute))); n != 0 {
		t.Errorf("a repetition shortened the revocation: %d swept", n)
	}
	requireRevoked(t, b, "J1", account, true)

	later := first
	later.ExpiresAt = epoch.Add(2 * time.Hour)
	revoke(t, b, later)
	if n := must[int](t)(b.Store.Sweep(t.Context(), epoch.Add(90*time.Minute))); n != 0 {
		t.Errorf("a repetition did not extend the revocation: %d swept", n)
	}
	requireRevoked(t, b, "J1", account, true)
}

func revokeReachesOneAccount(t *testing.T, b Backend) {
	revoke(t, b, newRevocation("J1", b.Accounts[0]))
	requireRevoked(t, b, "J1", b.Accounts[0], true)
	requireRevoked(t, b, "J1", b.Accounts[1], false)
	requireRevoked(t, b, "J2", b.Accounts[0], false)
	if list := must[[]string](t)(b.Store.RevokedOf(t.Context(), b.Accounts[1], epoch)); len(list) != 0 {
		t.Errorf("another account has revocations: %v", list)
	}
}

func revokeLeavesEvidence(t *testing.T, b Backend) {
	revoke(t, b, newRevocation("J1", b.Accounts[0]))
	if events := b.Events(t); len(events) != 0 {
		t.Fatalf("a revocation without an event recorded %+v", events)
	}
	event := newEvent("organizations.tokens.revoked")
	if err := b.Store.Revoke(t.Context(), actor, newRevocation("J1", b.Accounts[0]), event); err != nil {
		t.Fatal(err)
	}
	event.Actor, event.CorrelationID, event.Source = actor.Subject, actor.CorrelationID, actor.Source
	requireFull(t, event)
	if diff := cmp.Diff([]audit.Event{event}, b.Events(t)); diff != "" {
		t.Error("I44: not exactly the event of the revocation:", diff)
	}
}

func revokeOfUnknownAccount(t *testing.T, b Backend) {
	err := b.Store.Revoke(t.Context(), actor, newRevocation("J1", uuid.New()), newEvent("organizations.tokens.revoked"))
	if !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("revoking for an account that does not exist is %v", err)
	}
	if events := b.Events(t); len(events) != 0 {
		t.Errorf("it left evidence: %+v", events)
	}
}

func revokedOfAndSweep(t *testing.T, b Backend) {
	account := b.Accounts[0]
	for jti, end := range map[string]time.Duration{"JA": time.Minute, "JB": time.Hour, "JC": 2 * time.Hour} {
		r := newRevocation(jti, account)
		r.ExpiresAt = epoch.Add(end)
		revoke(t, b, r)
	}
	list := must[[]string](t)(b.Store.RevokedOf(t.Context(), account, epoch.Add(time.Minute)))
	if diff := cmp.Diff([]string{"JB", "JC"}, list); diff != "" {
		t.Error("RevokedOf:", diff)
	}
	if n := must[int](t)(b.Store.Sweep(t.Context(), epoch.Add(time.Minute+time.Microsecond))); n != 1 {
		t.Errorf("Sweep removed %d, want 1", n)
	}
	requireRevoked(t, b, "JA", account, false)
	requireRevoked(t, b, "JB", account, true)
}
