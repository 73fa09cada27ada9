package accounts_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/secret"
)

// TestI19_ConcurrentConditionalWrites lets many callers change one account at the same time,
// each under the version that it read.
func TestI19_ConcurrentConditionalWrites(t *testing.T) {
	const callers, rounds = 8, 12
	f := newFixture(t)
	made := f.account(f.org("acme"), accounts.NewAccount{Slug: "bot", Credential: &accounts.FirstCredential{}})
	r := &race{fixture: f, at: refTo(made.Account), secrets: map[int64]secret.Text{made.Account.Version: made.Secret}, tags: map[string]int64{}}
	rows := f.auditRows()
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			for round := range rounds {
				if err := r.write(caller, round); err != nil {
					t.Errorf("caller %d: %v", caller, err)
					return
				}
			}
		})
	}
	wg.Wait()

	if acked := len(r.versions); acked != callers*rounds || f.auditRows() != rows+acked {
		t.Errorf("%d writes succeeded and left %d audit rows, want %d", acked, f.auditRows()-rows, callers*rounds)
	}
	slices.Sort(r.versions)
	for i, version := range r.versions {
		if want := made.Account.Version + 1 + int64(i); version != want {
			t.Fatalf("the versions of successful writes are %v: no two may share one", r.versions)
		}
	}
	account, err := f.Account(t.Context(), operator(), r.at)
	must(t, err)
	got := map[string]bool{}
	for _, tag := range account.Tags {
		got[tag.Name] = true
	}
	for tag := range r.tags {
		if !got[tag] {
			t.Errorf("the update that added %s is lost", tag)
		}
	}
	_, err = f.UpdateAccount(t.Context(), operator(), r.at, accounts.AccountPatch{Disabled: accounts.Some(false)})
	must(t, err)
	r.onlyNewestSecretLives(made.Credential.ClientID)
	if r.disabled == 0 || account.Gen != int64(r.disabled) {
		t.Errorf("gen %d after being disabled %d times", account.Gen, r.disabled)
	}
}

func (r *race) onlyNewestSecretLives(clientID string) {
	r.t.Helper()
	newest := slices.Max(slices.Collect(maps.Keys(r.secrets)))
	for version, value := range r.secrets {
		if version == newest {
			r.alive(clientID, value)
		} else {
			r.dead(clientID, value)
		}
	}
}

type race struct {
	*fixture
	at accounts.AccountRef

	mu       sync.Mutex
	versions []int64               // that successful writes answered
	secrets  map[int64]secret.Text // by the version of the rotation
	tags     map[string]int64
	disabled int
}

// write reads and writes until nobody else was faster.
func (r *race) write(caller, round int) error {
	for {
		before, err := r.Account(r.t.Context(), operator(), r.at)
		if err != nil {
			return err
		}
		err = r.attempt(before, caller, round)
		if !errors.Is(err, accounts.ErrStale) {
			return err
		}
	}
}

func (r *race) attempt(before accounts.ServiceAccount, caller, round int) error {
	if (caller+round)%3 == 0 {
		rotated, err := r.Rotate(r.t.Context(), operator(), r.at, accounts.Rotation{IfVersion: &before.Version})
		if err == nil {
			r.note(rotated.Account.Version, func() { r.secrets[rotated.Account.Version] = rotated.Secret })
		}
		return err
	}
	patch := accounts.AccountPatch{IfVersion: &before.Version}
	tag := fmt.Sprintf("t-%d", caller)
	flip := (caller+round)%3 == 1
	if flip {
		patch.Disabled = accounts.Some(!before.Disabled)
	} else {
		tags := slices.DeleteFunc(slices.Clone(before.Tags), func(t accounts.Tag) bool { return t.Name == tag })
		patch.Tags = accounts.Some(append(tags, accounts.Tag{Name: tag, Value: fmt.Sprint(round)}))
	}
	after, err := r.UpdateAccount(r.t.Context(), operator(), r.at, patch)
	if err != nil {
		return err
	}
	r.note(after.Version, func() {
		switch {
		case !flip:
			r.tags[tag] = after.Version
		case after.Disabled:
			r.disabled++
		}
	})
	return nil
}

func (r *race) note(version int64, result func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.versions = append(r.versions, version)
	result()
}

// Unconditional writes at the same time all succeed, as each sees what came before.
func TestI19_ConcurrentUnconditionalWrites(t *testing.T) {
	f := newFixture(t)
	acme := f.org("acme")
	made := f.account(acme, accounts.NewAccount{Slug: "bot", Credential: &accounts.FirstCredential{}})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			must := func(err error) {
				if err != nil {
					t.Error(err)
				}
			}
			must(fails(f.Rotate(t.Context(), operator(), refTo(made.Account), accounts.Rotation{})))
			must(fails2(f.CreateGroup(t.Context(), operator(), accounts.ByID(acme.ID), accounts.NewGroup{Name: fmt.Sprint("G", i), Members: ids(made.Account)})))
			must(f.RevokeTokens(t.Context(), operator(), refTo(made.Account)))
			f.Touch(accounts.Use{AccountID: made.Account.ID, CredentialID: made.Credential.ID, SecretID: made.Credential.ID, At: start.Add(time.Duration(i))})
			must(f.FlushUsage(t.Context()))
		})
	}
	wg.Wait()
	account, err := f.Account(t.Context(), operator(), refTo(made.Account))
	must(t, err)
	if account.Gen != 8 || len(account.Groups) != 8 {
		t.Errorf("gen %d, %d groups", account.Gen, len(account.Groups))
	}
}
