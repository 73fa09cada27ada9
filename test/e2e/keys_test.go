package e2e_test

import (
	"net/http"
	"testing"

	"github.com/signet-issuer/signet/client/verify"
)

type signingKey struct{ KID, State string }

// keysOf lists the keys, and the kids by their state.
func keysOf(t testing.TB, a *api) (all []signingKey, by map[string]string) {
	t.Helper()
	var list struct{ Results []signingKey }
	a.get("/v2/keys").into(t, &list)
	by = map[string]string{}
	for _, key := range list.Results {
		by[key.State] = key.KID
	}
	return list.Results, by
}

// TestI23_RotationBreaksNoVerifier rotates and drops keys under a verifier that keeps what
// it has read, as all of them do.
func TestI23_RotationBreaksNoVerifier(t *testing.T) {
	p := newPlace(t)
	root := p.bootstrap(t)
	s := p.serve(t)
	admin := s.api(t).as(root)
	caching := &verify.Verifier{
		Issuer: s.url, Audience: s.url, Org: "system",
		Keys: &verify.RemoteKeySet{URL: s.url + "/.well-known/jwks.json"},
	}
	accept := func(token, what string) {
		t.Helper()
		if _, err := caching.Verify(t.Context(), token); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, before := keysOf(t, admin)
	old := admin.token(root)
	if kid := joseVerify(t, admin, old, "ES256"); kid != before["active"] {
		t.Errorf("key %s signs, the active one is %s", kid, before["active"])
	}
	accept(old, "before the rotation") // the verifier has read the keys now, and reads no more

	if refused := admin.do(http.MethodPost, "/v2/keys/rotate", ""); refused.status != http.StatusConflict {
		t.Errorf("rotation to a key that nobody can have yet: status %d, want 409", refused.status)
	}
	admin.post(http.StatusOK, "/v2/keys/rotate", `{"force":true}`)
	_, after := keysOf(t, admin)
	if after["active"] != before["prepared"] || after["retired"] != before["active"] || after["prepared"] == "" {
		t.Fatalf("states %v became %v", before, after)
	}
	fresh := admin.token(root)
	if kid := joseVerify(t, admin, fresh, "ES256"); kid != after["active"] {
		t.Errorf("key %s signs, the active one is %s", kid, after["active"])
	}
	accept(fresh, "a token of the key that was prepared")
	accept(old, "a token of the retired key")
	if !admin.active(old) {
		t.Error("introspection refuses a token of the retired key")
	}

	dropActive(t, admin, root, after)
}

// dropActive drops the key that signs: its tokens end and the prepared key signs at once.
func dropActive(t *testing.T, admin *api, root login, by map[string]string) {
	t.Helper()
	lost := admin.token(root)
	// The caller's own token is of an older key, or the answer would be its last.
	admin.delete("/v2/keys/" + by["active"])
	next := admin.token(root)
	if kid := joseVerify(t, admin, next, "ES256"); kid != by["prepared"] {
		t.Errorf("after the drop key %s signs, want the prepared %s", kid, by["prepared"])
	}
	if set := jwks(t, admin); len(set.Key(by["active"])) != 0 {
		t.Error("the dropped key is still published")
	}
	again := *admin
	again.bearer = next
	if again.active(lost) {
		t.Error("a token of the dropped key is still active")
	}
	keys, _ := keysOf(t, &again)
	for _, key := range keys {
		if key.KID == by["active"] {
			t.Errorf("the dropped key is listed as %s", key.State)
		}
	}
}
