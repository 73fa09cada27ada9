package tokens_test

import (
	"cmp"
	"crypto/rand"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signet-issuer/signet/tokens"
)

// TestI23_I24_I28_AnyRotationSchedule walks random histories of replicas that rotate, restart
// with another configuration and issue, while verifiers cache what they were served for as
// long as they were told (hazards, row 55). No operation here is forced: that is the promise.
func TestI23_I24_I28_AnyRotationSchedule(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, rt)
		rt.Repeat(map[string]func(*rapid.T){
			"wait": w.wait, "wait for a key": w.waitForKey, "issue": w.issue, "fetch": w.fetch,
			"restart": w.restart, "rotate": w.rotate, "": w.check,
		})
	})
}

// world is some replicas, and all that verifiers and machines hold of them.
type world struct {
	t        *testing.T
	clock    *clock
	base     tokens.KeysConfig
	replicas []*replica
	caches   map[string]*cachedSet // by entity tag
	tokens   []heldToken
	bound    map[string]string // kid to its key
}

type replica struct {
	keys   *tokens.Keys
	issuer *tokens.Issuer
	offset time.Duration // of its clock
}

type cachedSet struct {
	kids  map[string]bool
	until time.Time
}

type heldToken struct {
	kid string
	exp time.Time
}

func newWorld(t *testing.T, rt *rapid.T) *world {
	w := &world{t: t, clock: newClock(), caches: map[string]*cachedSet{}, bound: map[string]string{}}
	w.base = tokens.KeysConfig{Store: &memoryStore{}, Master: newMaster(t), Random: rand.Reader, Log: silent}
	w.replicas = make([]*replica, rapid.IntRange(1, 3).Draw(rt, "replicas"))
	for i := range w.replicas {
		w.start(rt, i)
	}
	w.pass(rt, 0)
	return w
}

// start opens a replica with a random configuration that CheckSchedule accepts.
func (w *world) start(rt *rapid.T, i int) {
	seconds := func(from, to int, name string) time.Duration {
		return time.Duration(rapid.IntRange(from, to).Draw(rt, name)) * time.Second
	}
	offset := seconds(-10, 10, "clock offset")
	cfg := w.base
	cfg.Now = func() time.Time { return w.clock.Now().Add(offset) }
	cfg.Algorithm = rapid.SampledFrom([]string{tokens.ES256, tokens.Ed25519}).Draw(rt, "algorithm")
	cfg.JWKSMaxAge = seconds(1, 2000, "max-age")
	cfg.Rotation = cfg.JWKSMaxAge + tokens.Poll + tokens.Skew + seconds(1, 4000, "rotation")
	cfg.MaxLifetime = seconds(1, 7200, "longest lifetime")
	keys := openKeys(w.t, cfg)
	issuing, _ := newIssuerConfig(keys, cfg.Now)
	issuing.MaxLifetime, issuing.DefaultLifetime = cfg.MaxLifetime, cfg.MaxLifetime
	w.replicas[i] = &replica{keys: keys, issuer: newIssuer(w.t, issuing), offset: offset}
}

func (w *world) any(rt *rapid.T) *replica { return rapid.SampledFrom(w.replicas).Draw(rt, "replica") }

// pass lets time pass, at the end of which every replica polls until none of them changed
// anything. Verifiers fetch right before and after each poll.
func (w *world) pass(rt *rapid.T, d time.Duration) {
	w.clock.advance(max(d, 0))
	for before := int64(-1); before != w.version(); {
		before = w.version()
		w.fetchAll()
		for _, i := range rapid.Permutation(indexes(len(w.replicas))).Draw(rt, "order") {
			tick(w.t, w.replicas[i].keys)
			w.clock.advance(100 * time.Millisecond)
			w.fetchAll()
		}
	}
}

// version is the newest: whoever changes the set is the first to have it.
func (w *world) version() (newest int64) {
	for _, r := range w.replicas {
		newest = max(newest, r.keys.Version())
	}
	return newest
}

func indexes(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func (w *world) wait(rt *rapid.T) {
	w.pass(rt, time.Duration(rapid.IntRange(0, 3000).Draw(rt, "seconds"))*time.Second)
}

// waitForKey goes to about the moment when something happens to a key.
func (w *world) waitForKey(rt *rapid.T) {
	var next time.Time
	for _, key := range list(w.t, w.replicas[0].keys) {
		at := key.RipeAt
		if key.State == tokens.Retired {
			at = key.RemoveAt
		}
		if at.After(w.clock.Now()) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	if next.IsZero() {
		rt.Skip("nothing to wait for")
	}
	w.pass(rt, next.Sub(w.clock.Now())-2*time.Second)
	w.pass(rt, time.Duration(rapid.IntRange(0, 4000).Draw(rt, "milliseconds"))*time.Millisecond)
}

func (w *world) issue(rt *rapid.T) {
	standing := newStanding()
	standing.KeySetVersion = w.version()
	r := w.any(rt)
	lifetime := time.Duration(rapid.IntRange(0, 8000).Draw(rt, "lifetime")) * time.Second
	token, err := r.issuer.Issue(w.t.Context(), newClient(w.t, standing, w.clock.Now), tokens.Request{Lifetime: lifetime})
	if err != nil {
		rt.Fatal(err)
	}
	header, _ := parts(w.t, token.Value.Reveal())
	w.tokens = append(w.tokens, heldToken{kid: header["kid"].(string), exp: token.Claims.ExpiresAt})
}

func (w *world) fetch(rt *rapid.T) { w.fetchFrom(w.any(rt)) }

func (w *world) fetchAll() {
	for _, r := range w.replicas {
		w.fetchFrom(r)
	}
}

func (w *world) fetchFrom(r *replica) {
	served := r.keys.JWKS()
	cached := w.caches[served.ETag]
	if cached == nil {
		cached = &cachedSet{kids: w.read(served.Body)}
		w.caches[served.ETag] = cached
	}
	if until := w.clock.Now().Add(served.MaxAge); until.After(cached.until) {
		cached.until = until
	}
}

func (w *world) read(body []byte) map[string]bool {
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	unmarshal(w.t, body, &set)
	kids := map[string]bool{}
	for _, key := range set.Keys {
		kid, material := key["kid"], key["alg"]+key["crv"]+key["x"]
		if known := cmp.Or(w.bound[kid], material); known != material {
			w.t.Fatalf("I28: kid %s names two keys", kid)
		}
		w.bound[kid] = material
		kids[kid] = true
	}
	return kids
}

func (w *world) restart(rt *rapid.T) {
	w.start(rt, rapid.IntRange(0, len(w.replicas)-1).Draw(rt, "replica"))
	w.pass(rt, 0)
}

func (w *world) rotate(rt *rapid.T) {
	err := w.any(rt).keys.Rotate(w.t.Context(), root, tokens.RotateRequest{})
	if _, unripe := errors.AsType[*tokens.NotRipeError](err); err != nil && !unripe {
		rt.Fatal(err)
	}
	w.pass(rt, 0)
}

// check is the promise: every unexpired token verifies with every set that may still be cached.
func (w *world) check(rt *rapid.T) {
	now := w.clock.Now()
	maps.DeleteFunc(w.caches, func(_ string, c *cachedSet) bool { return now.After(c.until) })
	w.tokens = slices.DeleteFunc(w.tokens, func(token heldToken) bool { return !now.Before(token.exp) })
	for _, token := range w.tokens {
		for _, cached := range w.caches {
			if !cached.kids[token.kid] {
				rt.Fatalf("a token until %s was signed by %s, which a set cached until %s lacks", token.exp, token.kid, cached.until)
			}
		}
	}
}
