package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/signet-issuer/signet/client/verify"
)

const (
	jwksPath = "/.well-known/jwks.json"
	// publishedWithin is when a key is in, or out of, every replica's key set (I26).
	publishedWithin = 5 * time.Second
	// rotationsPerTrial: a rotation is over much sooner than a drop.
	rotationsPerTrial = 3
)

// keyStates are the kids by their state; of the retired ones only one is here.
type keyStates struct{ active, prepared string }

func (st *stage) keys(ctx context.Context, d *door) (keyStates, error) {
	got, err := d.must(ctx, http.MethodGet, "/v2/keys", "")
	if err != nil {
		return keyStates{}, err
	}
	var list struct{ Results []struct{ KID, State string } }
	if err := json.Unmarshal(got.body, &list); err != nil {
		return keyStates{}, err
	}
	var states keyStates
	for _, key := range list.Results {
		switch key.State {
		case "active":
			states.active = key.KID
		case "prepared":
			states.prepared = key.KID
		}
	}
	return states, nil
}

// published returns the kids of a replica's key set, and the set.
func published(ctx context.Context, d *door) ([]string, verify.StaticKeySet, error) {
	got, err := d.get(ctx, jwksPath)
	if err != nil {
		return nil, verify.StaticKeySet{}, err
	}
	var document struct{ Keys []struct{ KID string } }
	if err := json.Unmarshal(got.body, &document); err != nil {
		return nil, verify.StaticKeySet{}, err
	}
	var kids []string
	for _, key := range document.Keys {
		kids = append(kids, key.KID)
	}
	set, err := verify.ParseJWKS(got.body)
	return kids, set, err
}

// awaitPublished waits until the prepared key is, or a dropped one is no more, in every
// replica's key set.
func (st *stage) awaitPublished(ctx context.Context, kid string, want bool) error {
	otherwise := fmt.Sprintf("key %s in every key set: not %v", kid, want)
	return within(ctx, publishedWithin, otherwise, func(ctx context.Context) bool {
		return !slices.ContainsFunc(st.direct, func(d *door) bool {
			kids, _, err := published(ctx, d)
			return err != nil || slices.Contains(kids, kid) != want
		})
	})
}

// signed is a token and when it was asked for.
type signed struct {
	token, kid string
	began      time.Time
}

// mint is tokens that all replicas issue at once.
type mint struct {
	*fire
	mu     sync.Mutex
	tokens []signed
}

func (st *stage) openMint(ctx context.Context) *mint {
	m := &mint{}
	c := st.clients[st.session.random.IntN(len(st.clients))]
	m.fire = st.openFire(ctx, func(ctx context.Context, d *door) (bool, answer, error) {
		got, err := d.ask(ctx, c.login)
		if err != nil || got.status != http.StatusOK {
			return false, got, err
		}
		c.used(got.began)
		token := got.text("access_token")
		kid, err := signerOf(token)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.tokens = append(m.tokens, signed{token, kid, got.began})
		return true, got, err
	})
	return m
}

func signerOf(token string) (string, error) {
	first, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(first)
	if err != nil {
		return "", err
	}
	var header struct{ KID string }
	err = json.Unmarshal(text, &header)
	return header.KID, err
}

// change applies a change to the keys while tokens are made, and returns when it was acknowledged.
func (m *mint) change(ctx context.Context, apply func() error) (time.Time, error) {
	defer m.cease()
	if err := m.await(ctx, "no token before the change", (*hammer).hot); err != nil {
		return time.Time{}, err
	}
	if err := apply(); err != nil {
		return time.Time{}, err
	}
	acked := time.Now()
	return acked, m.await(ctx, "no token after the change", func(h *hammer) bool { return h.beganAfter(acked) >= coldAfter })
}

// tryKeyDrop drops the active key under fire. Nothing signs with it after the acknowledgement,
// its tokens are over, and it leaves every key set.
func (st *stage) tryKeyDrop(ctx context.Context, name string) (time.Duration, error) {
	d, report := st.anyDoor(), st.session.report
	before, err := st.readyToChange(ctx, d)
	if err != nil {
		return 0, err
	}
	m := st.openMint(ctx)
	acked, err := m.change(ctx, func() error {
		_, err := d.must(ctx, http.MethodDelete, "/v2/keys/"+before.active, "")
		return err
	})
	if err != nil {
		return 0, err
	}
	report.count(func(s *summary) { s.AcknowledgedWrites++ })
	for _, d := range st.direct {
		d.forget()
	}
	latest := -trialWithin
	var last signed // of the dropped key
	for _, token := range m.tokens {
		if token.kid == before.active {
			latest, last = max(latest, token.began.Sub(acked)), token
		}
	}
	if latest > 0 {
		report.count(func(s *summary) { s.RevokedButActive++ })
		report.violate(name, "key drop: a token asked for %v after the acknowledgement was signed with the dropped key", latest)
	}
	if last.token != "" {
		st.oracle.end(ended{how: "drop of its key", token: last.token})
	}
	st.oracle.everywhere(ctx, name)
	if err := st.awaitPublished(ctx, before.active, false); err != nil {
		report.violate(name, "key drop: %v (I26)", err)
	}
	st.figureMax(name, "jwks_without_dropped_ms", milliseconds(time.Since(acked)))
	return latest, st.verifyEverywhere(ctx, name, m.tokens, before.active)
}

// readyToChange waits until every replica has published the key that will sign next.
func (st *stage) readyToChange(ctx context.Context, d *door) (keyStates, error) {
	states, err := st.keys(ctx, d)
	if err != nil {
		return keyStates{}, err
	}
	return states, st.awaitPublished(ctx, states.prepared, true)
}

// keyRotations lets the prepared key take over under fire. It was in every key set before; it
// alone signs after the acknowledgement; no token ever loses its key.
func keyRotations(ctx context.Context, s *session, name string) error {
	st := s.current
	var tokens []signed
	rotations := rotationsPerTrial * s.tier.keyTrials
	for range rotations {
		d := st.anyDoor()
		before, err := st.readyToChange(ctx, d)
		if err != nil {
			return err
		}
		m := st.openMint(ctx)
		acked, err := m.change(ctx, func() error {
			_, err := d.must(ctx, http.MethodPost, "/v2/keys/rotate", `{"force":true}`)
			return err
		})
		if err != nil {
			return err
		}
		s.report.count(func(sum *summary) { sum.AcknowledgedWrites++ })
		for _, token := range m.tokens {
			if token.began.After(acked) && token.kid != before.prepared {
				s.report.violate(name, "a token asked for %v after the rotation was signed with key %s, want %s",
					token.began.Sub(acked), token.kid, before.prepared)
			}
		}
		tokens = append(tokens, m.tokens...)
		if err := st.verifyEverywhere(ctx, name, tokens, ""); err != nil {
			return err
		}
	}
	s.report.figure(name, "rotations", float64(rotations))
	s.report.figure(name, "tokens", float64(len(tokens)))
	return nil
}

// verifyEverywhere checks the tokens by the keys of every replica (I23), but for those of a dropped key.
func (st *stage) verifyEverywhere(ctx context.Context, name string, tokens []signed, dropped string) error {
	for _, d := range st.direct {
		_, set, err := published(ctx, d)
		if err != nil {
			return err
		}
		for _, token := range tokens {
			if token.kid == dropped {
				continue
			}
			if _, _, err := verify.VerifySignature(ctx, token.token, set); err != nil {
				st.session.report.violate(name, "a token of key %s does not verify by the keys of %s: %v (I23)", token.kid, d.name, err)
				break
			}
		}
	}
	return nil
}

// figureMax keeps the larger of a figure and what was known.
func (st *stage) figureMax(name, figure string, value float64) {
	if known := st.session.report.figureOf(name, figure); value > known {
		st.session.report.figure(name, figure, value)
	}
}
