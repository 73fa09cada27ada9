package accounts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/secret"
)

func TestI9_RotateWithoutOverlap(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	made := f.account(acme, accounts.NewAccount{Slug: "bot", Credential: &accounts.FirstCredential{}})
	second, err := f.CreateCredential(t.Context(), operator(), refTo(made.Account), accounts.NewCredential{Kind: accounts.KindSecret, Name: "Second"})
	must(t, err)
	gen := f.alive(made.Credential.ClientID, made.Secret).Gen
	f.clock.advance(time.Minute)
	rotated, err := f.Rotate(t.Context(), admin(acme, "*"), refTo(made.Account), accounts.Rotation{IfVersion: &made.Account.Version})
	must(t, err)
	f.dead(made.Credential.ClientID, made.Secret)
	if after := f.alive(made.Credential.ClientID, rotated.Secret).Gen; after != gen+1 {
		t.Errorf("gen %d, want %d", after, gen+1)
	}
	if rotated.Credential.ID != made.Credential.ID || rotated.Credential.LastSeq != 2 || !rotated.Previous.IsZero() {
		t.Errorf("rotated %+v", rotated)
	}
	f.alive(second.Credential.ClientID, second.Secret) // rotating concerns the primary alone
	read, err := f.Credential(t.Context(), operator(), refTo(made.Account), made.Credential.ID)
	must(t, err)
	if read.Version != rotated.Credential.Version || read.Gen != rotated.Credential.Gen || !read.UpdatedAt.Equal(start.Add(time.Minute)) {
		t.Errorf("answered %+v, stored %+v", rotated.Credential, read)
	}
}

func TestRotateWithOverlap(t *testing.T) {
	f := newFixture(t)
	made := f.account(f.org("acme"), accounts.NewAccount{Slug: "bot", Credential: &accounts.FirstCredential{}})
	id := made.Credential.ClientID
	gen := f.alive(id, made.Secret).Gen
	first, err := f.Rotate(t.Context(), operator(), refTo(made.Account), accounts.Rotation{Overlap: time.Hour})
	must(t, err)
	if !first.Previous.Equal(start.Add(time.Hour)) || f.alive(id, made.Secret).Gen != gen || f.alive(id, first.Secret).Gen != gen {
		t.Errorf("previous ends %v", first.Previous)
	}
	f.clock.advance(30 * time.Minute)
	next, err := f.Rotate(t.Context(), operator(), refTo(made.Account), accounts.Rotation{Overlap: 2 * time.Hour})
	must(t, err)
	if want := start.Add(150 * time.Minute); !next.Previous.Equal(want) {
		t.Errorf("previous ends %v, want %v", next.Previous, want)
	}
	f.clock.advance(30*time.Minute - time.Microsecond)
	f.alive(id, made.Secret)
	f.clock.advance(time.Microsecond) // a second rotation does not prolong what had to end
	f.dead(id, made.Secret)
	f.alive(id, first.Secret)
	f.clock.advance(90 * time.Minute)
	f.dead(id, first.Secret)
	f.alive(id, next.Secret)
}

func TestRotateMakesAPrimaryWhenThereIsNone(t *testing.T) {
	f := newFixture(t)
	made := f.account(f.org("acme"), accounts.NewAccount{Slug: "bot", Credential: &accounts.FirstCredential{}})
	must(t, f.DeleteCredential(t.Context(), operator(), refTo(made.Account), made.Credential.ID, nil))
	rotated, err := f.Rotate(t.Context(), operator(), refTo(made.Account), accounts.Rotation{Overlap: time.Hour})
	must(t, err)
	if !rotated.Credential.Primary || rotated.Credential.ID == made.Credential.ID || !rotated.Previous.IsZero() {
		t.Errorf("rotated %+v", rotated.Credential)
	}
	f.alive(rotated.Credential.ClientID, rotated.Secret)
}

func TestRotateRefuses(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	f.role(acme, "payer", "pay:out")
	made := f.account(acme, accounts.NewAccount{Role: "payer", Credential: &accounts.FirstCredential{}})
	bare := f.account(acme, accounts.NewAccount{Role: "payer"})
	rotate := func(by authz.Principal, account accounts.ServiceAccount, in accounts.Rotation) error {
		return f.unchanged(func() error { return fails(f.Rotate(t.Context(), by, refTo(account), in)) })
	}
	wantInvalid(t, rotate(operator(), made.Account, accounts.Rotation{Overlap: -time.Second}), "overlapSeconds")
	wantInvalid(t, rotate(operator(), made.Account, accounts.Rotation{Overlap: accounts.MaxOverlap + time.Second}), "overlapSeconds")
	stale := int64(9)
	wantErr(t, rotate(operator(), made.Account, accounts.Rotation{IfVersion: &stale}), accounts.ErrStale)
	clerk := admin(acme, "orgs:credentials:*", "orgs:service-accounts:*")
	wantDenied(t, rotate(clerk, made.Account, accounts.Rotation{}), "")
	wantDenied(t, rotate(clerk, bare.Account, accounts.Rotation{}), "")
	f.alive(made.Credential.ClientID, made.Secret)
}

// TestI19_RotationRaisesTheVersion: who rotates under a version that another rotation has
// used must not silently end the secret that the other just handed out.
func TestI19_RotationRaisesTheVersion(t *testing.T) {
	f := newFixture(t)
	made := f.account(f.org("acme"), accounts.NewAccount{Credential: &accounts.FirstCredential{}})
	rotated, err := f.Rotate(t.Context(), operator(), refTo(made.Account), accounts.Rotation{IfVersion: &made.Account.Version})
	must(t, err)
	if rotated.Account.Version <= made.Account.Version {
		t.Errorf("version %d after %d", rotated.Account.Version, made.Account.Version)
	}
	wantErr(t, f.unchanged(func() error {
		return fails(f.Rotate(t.Context(), operator(), refTo(made.Account), accounts.Rotation{IfVersion: &made.Account.Version}))
	}), accounts.ErrStale)
	f.alive(made.Credential.ClientID, rotated.Secret)
}

func TestSecretsOfACredential(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	made := f.account(acme, accounts.NewAccount{Slug: "bot", Credential: &accounts.FirstCredential{}})
	at, id := refTo(made.Account), made.Credential.ClientID
	added, err := f.AddSecret(t.Context(), admin(acme, "*"), at, made.Credential.ID, accounts.NewSecret{ExpiresAt: start.Add(time.Hour)})
	must(t, err)
	secrets, err := f.Secrets(t.Context(), operator(), at, made.Credential.ID)
	must(t, err)
	if len(secrets) != 2 || secrets[0].Seq != 1 || secrets[1] != added.Secret || added.Secret.Seq != 2 {
		t.Fatalf("secrets %+v, added %+v", secrets, added.Secret)
	}
	for i, value := range []secret.Text{made.Secret, added.Value} {
		if hint := secrets[i].Hint; len(hint) != 4 || !strings.HasSuffix(value.Reveal(), hint) {
			t.Errorf("hint %q", hint)
		}
	}
	old, fresh := f.alive(id, made.Secret), f.alive(id, added.Value)
	f.clock.advance(time.Minute)
	must(t, f.RetireSecret(t.Context(), operator(), at, made.Credential.ID, secrets[0].ID))
	retired, err := f.Credential(t.Context(), operator(), at, made.Credential.ID)
	must(t, err)
	if retired.Version != 3 || !retired.UpdatedAt.Equal(start.Add(time.Minute)) || retired.UpdatedBy != operator().Subject {
		t.Errorf("after adding and retiring a secret: version %d, updated %v by %s", retired.Version, retired.UpdatedAt, retired.UpdatedBy)
	}
	f.dead(id, made.Secret)
	if _, err := f.Standing(t.Context(), id, old.SecretSeq); err == nil {
		t.Error("tokens of the retired secret live on")
	}
	still, err := f.Standing(t.Context(), id, fresh.SecretSeq)
	must(t, err)
	if still.Gen != fresh.Gen || !still.Live(start) {
		t.Errorf("tokens of the other secret ended")
	}
	wantErr(t, f.unchanged(func() error {
		return f.RetireSecret(t.Context(), operator(), at, made.Credential.ID, secrets[0].ID)
	}), accounts.ErrNotFound)
	again, err := f.AddSecret(t.Context(), operator(), at, made.Credential.ID, accounts.NewSecret{})
	must(t, err)
	if again.Secret.Seq != 3 {
		t.Errorf("number %d: tokens of a retired secret would live again", again.Secret.Seq)
	}
	f.clock.advance(time.Hour)
	f.dead(id, added.Value)
	f.alive(id, again.Value)
}

func TestAddSecretRefuses(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	f.role(acme, "payer", "pay:out")
	made := f.account(acme, accounts.NewAccount{Role: "payer", Credential: &accounts.FirstCredential{}})
	add := func(by authz.Principal, in accounts.NewSecret) error {
		return fails(f.AddSecret(t.Context(), by, refTo(made.Account), made.Credential.ID, in))
	}
	wantInvalid(t, f.unchanged(func() error { return add(operator(), accounts.NewSecret{ExpiresAt: start}) }), "expiresAt")
	wantDenied(t, f.unchanged(func() error { return add(admin(acme, "orgs:credentials:*"), accounts.NewSecret{}) }), "")
	must(t, add(admin(acme, "orgs:credentials:*", "pay:out"), accounts.NewSecret{}))
}

func TestLiveSecretsAreLimited(t *testing.T) {
	f := newFixture(t)
	made := f.account(f.org("acme"), accounts.NewAccount{Credential: &accounts.FirstCredential{}})
	at := refTo(made.Account)
	add := func() error {
		return fails(f.AddSecret(t.Context(), operator(), at, made.Credential.ID, accounts.NewSecret{ExpiresAt: f.clock.now().Add(time.Hour)}))
	}
	for range accounts.MaxSecrets - 1 {
		must(t, add())
	}
	wantErr(t, f.unchanged(add), accounts.ErrLimit)
	wantErr(t, f.unchanged(func() error {
		return fails(f.Rotate(t.Context(), operator(), at, accounts.Rotation{Overlap: time.Minute}))
	}), accounts.ErrLimit)
	f.clock.advance(time.Hour) // what has expired does not count
	must(t, add())
	_, err := f.Rotate(t.Context(), operator(), at, accounts.Rotation{})
	must(t, err)
	secrets, err := f.Secrets(t.Context(), operator(), at, made.Credential.ID)
	must(t, err)
	if len(secrets) != 1 {
		t.Errorf("%d secrets after a rotation without overlap", len(secrets))
	}
}

// A rotation leaves a disabled credential disabled.
func TestRow23_RotateEnablesNothing(t *testing.T) {
	f := newFixture(t)
	made := f.account(f.org("acme"), accounts.NewAccount{Credential: &accounts.FirstCredential{}})
	_, err := f.UpdateCredential(t.Context(), operator(), refTo(made.Account), made.Credential.ID, accounts.CredentialPatch{Disabled: accounts.Some(true)})
	must(t, err)
	for _, overlap := range []time.Duration{0, time.Hour} {
		rotated, err := f.Rotate(t.Context(), operator(), refTo(made.Account), accounts.Rotation{Overlap: overlap})
		must(t, err)
		f.dead(made.Credential.ClientID, rotated.Secret)
	}
}

// TestI29_I30_SecretsStayIn searches everything that is stored and answered for secrets.
func TestI29_I30_SecretsStayIn(t *testing.T) {
	f := newFixture(t)
	made := f.account(f.org("acme"), accounts.NewAccount{Slug: "bot", Credential: &accounts.FirstCredential{}})
	added, err := f.AddSecret(t.Context(), operator(), refTo(made.Account), made.Credential.ID, accounts.NewSecret{})
	must(t, err)
	rotated, err := f.Rotate(t.Context(), operator(), refTo(made.Account), accounts.Rotation{Overlap: time.Hour})
	must(t, err)
	dump := f.dump()
	for _, value := range []secret.Text{made.Secret, added.Value, rotated.Secret} {
		_, random, _ := strings.Cut(value.Reveal(), "acme_")
		if strings.Contains(dump, random) || strings.Contains(dump, random[:len(random)-4]) {
			t.Error("a secret is stored")
		}
	}
}
