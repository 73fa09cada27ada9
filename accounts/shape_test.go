package accounts_test

import (
	"crypto/rand"
	"encoding/hex"
	"io"
	"log/slog"
	"math"
	"regexp"
	"testing"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/secret"
)

// shapes are the spellings of client ids and secrets that other products made known.
var shapes = map[accounts.Shape]struct{ clientID, secret *regexp.Regexp }{
	"":                    {regexp.MustCompile(`^[a-z2-7]{26}$`), regexp.MustCompile(`^sas_acme_[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)},
	accounts.Native:       {regexp.MustCompile(`^[a-z2-7]{26}$`), regexp.MustCompile(`^sas_acme_[0-9a-f-]{36}$`)},
	accounts.Alphanumeric: {regexp.MustCompile(`^[a-z2-7]{26}$`), regexp.MustCompile(`^[A-Za-z0-9]{64}$`)},
	accounts.Prefixed:     {regexp.MustCompile(`^sa_client_[0-9a-f]{12}$`), regexp.MustCompile(`^sa_secret_[A-Za-z0-9]{20}$`)},
}

// Whatever comes later to a credential is spelled as the first.
func TestStandard79_ShapesAreKept(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	for shape, want := range shapes {
		made := f.account(acme, accounts.NewAccount{Credential: &accounts.FirstCredential{Shape: shape}})
		at := refTo(made.Account)
		added, err := f.AddSecret(t.Context(), operator(), at, made.Credential.ID, accounts.NewSecret{})
		must(t, err)
		rotated, err := f.Rotate(t.Context(), operator(), at, accounts.Rotation{Overlap: time.Hour})
		must(t, err)
		second, err := f.CreateCredential(t.Context(), operator(), at, accounts.NewCredential{Kind: accounts.KindSecret, Shape: shape, Name: "Second"})
		must(t, err)
		values := []secret.Text{made.Secret, added.Value, rotated.Secret, second.Secret}
		for i, value := range values {
			if !want.secret.MatchString(value.Reveal()) {
				t.Errorf("%q: secret %d is %q", shape, i, value.Reveal())
			}
		}
		for i, clientID := range []string{made.Credential.ClientID, made.Credential.ClientID, made.Credential.ClientID, second.Credential.ClientID} {
			if !want.clientID.MatchString(clientID) {
				t.Errorf("%q: client id %q", shape, clientID)
			}
			f.alive(clientID, values[i])
		}
	}
	for _, in := range []accounts.FirstCredential{{Shape: "other"}, {Kind: accounts.KindToken, Shape: accounts.Prefixed}} {
		wantInvalid(t, f.unchanged(func() error {
			return fails(f.CreateAccount(t.Context(), operator(), accounts.ByID(acme.ID), accounts.NewAccount{Name: "N", Credential: &in}))
		}), "shape")
	}
	wantInvalid(t, f.unchanged(func() error {
		return fails(f.CreateAccount(t.Context(), operator(), accounts.ByID(acme.ID), accounts.NewAccount{Name: "N", Credential: &accounts.FirstCredential{Kind: "public_key"}}))
	}), "kind")
}

// Every character comes with the same probability: the tail of a byte's values is not used.
func TestStandard83_AlphanumericSecretsAreUniform(t *testing.T) {
	f := newFixture(t)
	account := f.account(f.org("acme"), accounts.NewAccount{}).Account
	counts, total := map[rune]int{}, 0
	for range 400 {
		made, err := f.CreateCredential(t.Context(), operator(), refTo(account), accounts.NewCredential{Kind: accounts.KindSecret, Shape: accounts.Alphanumeric, Name: "N"})
		must(t, err)
		for _, r := range made.Secret.Reveal() {
			counts[r]++
			total++
		}
	}
	if len(counts) != 62 {
		t.Fatalf("%d characters occur", len(counts))
	}
	mean := float64(total) / 62
	for r, n := range counts {
		// A byte modulo 62 would bring the first eight a quarter more often than the others.
		if math.Abs(float64(n)-mean) > 6.5*math.Sqrt(mean) {
			t.Errorf("%q occurs %d times, %.0f is the mean", r, n, mean)
		}
	}
}

// scripted answers requests for six bytes, of which a short client id is made, from a script.
type scripted struct{ six []string }

func (s *scripted) Read(p []byte) (int, error) {
	if len(p) != 6 || len(s.six) == 0 {
		return io.ReadFull(rand.Reader, p)
	}
	next := s.six[0]
	if len(s.six) > 1 {
		s.six = s.six[1:]
	}
	return hex.Decode(p, []byte(next))
}

// drawing is a service that takes its random numbers from elsewhere.
func (f *fixture) drawing(random io.Reader) *accounts.Service {
	f.t.Helper()
	peppers, err := accounts.OpenPeppers(f.t.Context(), f.pepperConfig())
	must(f.t, err)
	return accounts.NewService(accounts.Config{
		Store: f.store, Usage: f.usage, Peppers: peppers, Issuer: issuer, Now: f.clock.now, Random: random, Log: slog.New(slog.DiscardHandler),
	})
}

func TestTakenClientIDsAreMadeAnew(t *testing.T) {
	f := newFixture(t)
	acme, other := accounts.ByID(f.org("acme").ID), accounts.ByID(f.org("other").ID)
	s := f.drawing(&scripted{six: []string{"00000000000a", "00000000000a", "00000000000a", "00000000000b", "00000000000a"}})
	in := accounts.NewAccount{Name: "N", Credential: &accounts.FirstCredential{Shape: accounts.Prefixed}}
	first, err := s.CreateAccount(t.Context(), operator(), acme, in)
	must(t, err)
	second, err := s.CreateAccount(t.Context(), operator(), other, in)
	must(t, err)
	if first.Credential.ClientID != "sa_client_00000000000a" || second.Credential.ClientID != "sa_client_00000000000b" {
		t.Errorf("client ids %s and %s", first.Credential.ClientID, second.Credential.ClientID)
	}
	f.alive(second.Credential.ClientID, second.Secret)
	err = f.unchanged(func() error { return fails(s.CreateAccount(t.Context(), operator(), acme, in)) })
	if err == nil {
		t.Error("random numbers that repeat for ever make a client id")
	}
}
