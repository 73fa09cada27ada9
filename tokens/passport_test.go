package tokens_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/tokens"
)

// newPassportIssuer has keys of both purposes on one store.
func newPassportIssuer(t *testing.T, now func() time.Time, change ...func(*tokens.IssuerConfig)) (*tokens.Issuer, *recorder) {
	t.Helper()
	cfg := newConfig(t, now)
	passports := cfg
	passports.Purpose, passports.Algorithm, passports.MaxLifetime = tokens.Passports, tokens.PassportAlgorithm, tokens.PassportLifetime
	issuing, seen := newIssuerConfig(openKeys(t, cfg), now)
	issuing.Passports = openKeys(t, passports)
	for _, apply := range change {
		apply(&issuing)
	}
	return newIssuer(t, issuing), seen
}

func TestPassportClaims(t *testing.T) {
	clock := newClock()
	issuer, seen := newPassportIssuer(t, clock.Now)
	standing := newStanding()
	passport, err := issuer.Passport(t.Context(), standing, tokens.PassportRequest{
		Audiences: []string{"region", "urn:x"}, Resources: []string{"urn:x", "https://api.example/"}, Org: standing.OrgID,
	})
	if err != nil {
		t.Fatal(err)
	}
	header, claims := parts(t, passport.Value.Reveal())
	if header["alg"] != "ES512" || header["typ"] != "passport+jwt" || header["kid"] == "" || len(header) != 3 {
		t.Errorf("header %v", header)
	}
	if id, _ := claims["jti"].(string); uuid.Validate(id) != nil {
		t.Errorf("jti %v", claims["jti"])
	}
	delete(claims, "jti")
	now := float64(clock.Now().Unix())
	org := standing.OrgID.String()
	want := map[string]any{
		"iss": "uni-identity", "sub": standing.AccountID.String(), "aud": []any{"urn:x", "https://api.example/", "region"},
		"iat": now, "exp": now + 60, "typ": "passport", "acctype": "service", "source": "uni", "src_iss": "uni",
		"org_ids": []any{org}, "org_id": org,
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Error("claims (-want +got)", diff)
	}
	if passport.Lifetime != time.Minute {
		t.Errorf("lifetime %v", passport.Lifetime)
	}
	if len(seen.tokens) != 0 || len(seen.uses) != 0 {
		t.Errorf("recorded %v %v", seen.tokens, seen.uses)
	}
}

// A passport outlives neither what it is exchanged for nor what stands behind that.
func TestPassportLifetime(t *testing.T) {
	clock := newClock()
	issuer, _ := newPassportIssuer(t, clock.Now)
	start := clock.Now()
	clock.advance(500 * time.Millisecond)
	for name, test := range map[string]struct {
		until, secret time.Duration // after start; 0: never
		want          time.Duration // 0: refused
	}{
		"for ever":              {0, 0, time.Minute},
		"longer":                {61 * time.Second, 61 * time.Second, time.Minute},
		"the subject ends":      {20 * time.Second, 0, 20 * time.Second},
		"the secret ends":       {20 * time.Second, 10 * time.Second, 10 * time.Second},
		"parts of a second":     {1900 * time.Millisecond, 0, time.Second},
		"not for a second more": {900 * time.Millisecond, 0, 0},
		"over":                  {-time.Second, 0, 0},
		"the secret is over":    {0, 400 * time.Millisecond, 0},
	} {
		t.Run(name, func(t *testing.T) {
			standing := newStanding()
			var req tokens.PassportRequest
			if test.until != 0 {
				req.Until = start.Add(test.until)
			}
			if test.secret != 0 {
				standing.SecretExpiresAt = start.Add(test.secret)
			}
			passport, err := issuer.Passport(t.Context(), standing, req)
			if test.want == 0 {
				if !errors.Is(err, accounts.ErrUnauthenticated) || !passport.Value.IsZero() {
					t.Errorf("got %v, %v", passport, err)
				}
				return
			}
			if err != nil || passport.Lifetime != test.want {
				t.Errorf("lives %v: %v", passport.Lifetime, err)
			}
		})
	}
}

func TestPassportIsForLiveBearersOfTheOrg(t *testing.T) {
	clock := newClock()
	issuer, _ := newPassportIssuer(t, clock.Now)
	for name, change := range map[string]func(*accounts.Standing){
		"nobody":              func(s *accounts.Standing) { *s = accounts.Standing{} },
		"disabled org":        func(s *accounts.Standing) { s.OrgDisabled = true },
		"disabled account":    func(s *accounts.Standing) { s.AccountDisabled = true },
		"disabled credential": func(s *accounts.Standing) { s.CredentialDisabled = true },
	} {
		standing := newStanding()
		change(&standing)
		if _, err := issuer.Passport(t.Context(), standing, tokens.PassportRequest{}); !errors.Is(err, accounts.ErrUnauthenticated) {
			t.Errorf("%s: %v", name, err)
		}
	}
	foreign := tokens.PassportRequest{Org: uuid.New()}
	if _, err := issuer.Passport(t.Context(), newStanding(), foreign); !errors.Is(err, authz.ErrScopeRefused) {
		t.Errorf("for a foreign org: %v", err)
	}
	root := newStanding()
	root.OrgSlug = accounts.SystemOrg
	passport, err := issuer.Passport(t.Context(), root, foreign)
	if err != nil {
		t.Fatal(err)
	}
	_, claims := parts(t, passport.Value.Reveal())
	if want := []any{root.OrgID.String(), foreign.Org.String()}; !cmp.Equal(claims["org_ids"], any(want)) || claims["org_id"] != foreign.Org.String() {
		t.Errorf("claims of a system account %v", claims)
	}
	var throttled *tokens.ThrottledError
	strict, _ := newPassportIssuer(t, clock.Now, func(c *tokens.IssuerConfig) { c.PerOrgRate = 1 })
	standing := newStanding()
	_, first := strict.Passport(t.Context(), standing, tokens.PassportRequest{})
	_, second := strict.Passport(t.Context(), standing, tokens.PassportRequest{})
	if first != nil || !errors.As(second, &throttled) {
		t.Errorf("at one a second: %v, %v", first, second)
	}
}

// Without keys of their own no passports are made, rather than by the keys of access tokens.
func TestPassportNeedsItsOwnKeys(t *testing.T) {
	clock := newClock()
	cfg, _ := newIssuerConfig(openKeys(t, newConfig(t, clock.Now)), clock.Now)
	if passport, err := newIssuer(t, cfg).Passport(t.Context(), newStanding(), tokens.PassportRequest{}); err == nil || !passport.Value.IsZero() {
		t.Errorf("made %v", passport)
	}
	cfg.Passports = cfg.Keys
	if _, err := tokens.NewIssuer(cfg); err == nil {
		t.Error("the keys of access tokens pass for those of passports")
	}
}
