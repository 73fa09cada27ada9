package e2e_test

import (
	"testing"
	"time"
)

// usedAt reads when the account, its credential and its only secret were last used, "" for never.
func usedAt(t testing.TB, admin *api, m machine) (account, credential, secret string) {
	t.Helper()
	var used struct{ LastUsedAt string }
	admin.get(m.path).into(t, &used)
	account, used.LastUsedAt = used.LastUsedAt, ""
	admin.get(m.path+"/credentials/"+m.credential).into(t, &used)
	credential = used.LastUsedAt
	var list struct{ Results []struct{ LastUsedAt string } }
	admin.get(m.path+"/credentials/"+m.credential+"/secrets").into(t, &list)
	if len(list.Results) != 1 {
		t.Fatalf("%d secrets, want 1", len(list.Results))
	}
	return account, credential, list.Results[0].LastUsedAt
}

// TestI46_LastUsedAt follows a use from the answer to the database.
func TestI46_LastUsedAt(t *testing.T) {
	p := newPlace(t)
	root := p.bootstrap(t)
	s := p.serve(t)
	admin := s.api(t).as(root)
	admin.makeAcme()
	m := admin.machine("billing")
	idle := admin.machine("idle")

	before := time.Now().Add(-time.Second)
	admin.token(m.login)
	account, credential, secret := usedAt(t, admin, m)
	if account == "" || account != credential || account != secret {
		t.Fatalf("at once after the token: account %q, credential %q, secret %q", account, credential, secret)
	}
	if at, err := time.Parse(time.RFC3339Nano, account); err != nil || at.Before(before) || at.After(time.Now()) {
		t.Errorf("lastUsedAt is %s, the token was asked for after %s: %v", account, before, err)
	}
	if never, _, _ := usedAt(t, admin, idle); never != "" {
		t.Errorf("an account that nobody used has lastUsedAt %s", never)
	}
	s.stop(t)
	if n := savedUses(t, p); n < 2 {
		t.Errorf("%d uses are in SQL after a stop, want the machine's and the administrator's", n)
	}

	s = p.serve(t)
	admin = s.api(t).as(root)
	if again, _, _ := usedAt(t, admin, m); again != account {
		t.Errorf("after a stop lastUsedAt is %s, want %s", again, account)
	}
	time.Sleep(1100 * time.Millisecond) // a later second than before
	admin.token(m.login)
	latest, _, _ := usedAt(t, admin, m)
	if latest <= account {
		t.Fatalf("lastUsedAt went from %s to %s", account, latest)
	}
	// What is not in SQL yet is in the state, which is written within a fraction of a second.
	time.Sleep(500 * time.Millisecond)
	s.kill()
	s = p.serve(t)
	if survived, _, _ := usedAt(t, s.api(t).as(root), m); survived != latest {
		t.Errorf("after kill -9 lastUsedAt is %s, want %s", survived, latest)
	}
}

// TestLosingTheStateLosesNoTruth: without state.db the server serves the same accounts and
// refuses what was revoked.
func TestLosingTheStateLosesNoTruth(t *testing.T) {
	p := newPlace(t)
	root := p.bootstrap(t)
	s := p.serve(t)
	admin := s.api(t).as(root)
	admin.makeAcme()
	m := admin.machine("billing")
	kept, revoked := admin.token(m.login), admin.token(m.login)
	admin.delete(m.path + "/tokens/" + inside(t, revoked, 1, "jti"))
	s.kill()
	removeState(t, p)

	admin = p.serve(t).api(t).as(root)
	if !admin.active(kept) {
		t.Error("a token that was not revoked is inactive")
	}
	if admin.active(revoked) {
		t.Error("the revoked token is active again")
	}
	admin.token(m.login)
}
