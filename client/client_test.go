package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/signet-issuer/signet/client"
	"github.com/signet-issuer/signet/internal/testenv"
	"github.com/signet-issuer/signet/server/admin"
	"github.com/signet-issuer/signet/test/referee"
)

// start runs a server and returns a client of an owner of the system org; every exchange
// goes past the referee.
func start(t *testing.T) (*testenv.Env, *client.Client) {
	t.Helper()
	env := testenv.Start(t)
	return env, clientOf(t, env, env.Admin)
}

func clientOf(t *testing.T, env *testenv.Env, login testenv.Login) *client.Client {
	t.Helper()
	document, err := admin.Document()
	must(t, err)
	watched := context.WithValue(t.Context(), oauth2.HTTPClient, referee.New(t, document).Client())
	return client.New(watched, env.Issuer, login.ID, login.Secret)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestOrgsRolesAndGroups(t *testing.T) {
	_, c := start(t)
	ctx := t.Context()
	quota := int64(5)
	org, err := c.CreateOrg(ctx, client.NewOrg{Slug: "acme", Name: "Acme", MaxServiceAccounts: &quota})
	must(t, err)
	changed, err := c.UpdateOrg(ctx, "acme", client.OrgPatch{Name: client.Set("New"), MaxServiceAccounts: client.Clear[int64]()}, client.IfVersion(org.Version))
	must(t, err)
	if changed.Name != "New" || changed.MaxServiceAccounts != nil || changed.Version <= org.Version || changed.DefaultRole != org.DefaultRole {
		t.Errorf("changed to %+v", changed)
	}
	role, err := c.CreateRole(ctx, "acme", client.NewRole{Slug: "reader", Name: "Reader", Permissions: []string{"orders:read"}})
	must(t, err)
	role, err = c.UpdateRole(ctx, "acme", "org:reader", client.RolePatch{Permissions: client.Set([]string{"orders:*"})}, client.IfVersion(role.Version))
	must(t, err)
	if found, err := c.Role(ctx, org.ID, role.ID); err != nil || !slices.Equal(found.Permissions, []string{"orders:*"}) {
		t.Errorf("role %+v, %v", found, err)
	}
	made, err := c.CreateServiceAccount(ctx, "acme", client.NewServiceAccount{Slug: "bot", Name: "Bot"})
	must(t, err)
	group, err := c.CreateGroup(ctx, "acme", client.NewGroup{Name: "g", Roles: []string{"reader"}, Members: []string{made.ID}})
	must(t, err)
	group, err = c.UpdateGroup(ctx, "acme", group.ID, client.GroupPatch{Name: client.Set("h")})
	must(t, err)
	if found, err := c.Group(ctx, "acme", group.ID); err != nil || found.Name != "h" || !slices.Equal(found.Members, []string{made.ID}) {
		t.Errorf("group %+v, %v", found, err)
	}
	if names := collect(t, c.Groups(ctx, "acme", ""), func(g client.Group) string { return g.Name }); !slices.Equal(names, []string{"h"}) {
		t.Errorf("groups %v", names)
	}
	if slugs := collect(t, c.Roles(ctx, "acme", "read"), func(r client.Role) string { return r.Slug }); !slices.Equal(slugs, []string{"reader"}) {
		t.Errorf("roles %v", slugs)
	}
	must(t, c.DeleteGroup(ctx, "acme", group.ID))
	must(t, c.DeleteRole(ctx, "acme", "reader"))
	must(t, c.DeleteOrg(ctx, "acme", client.IfVersion(changed.Version)))
	_, err = c.Org(ctx, "acme")
	wantError(t, err, client.ErrNotFound)
	if slugs := collect(t, c.Orgs(ctx, ""), func(o client.Org) string { return o.Slug }); !slices.Equal(slugs, []string{"system"}) {
		t.Errorf("orgs %v", slugs)
	}
}

func TestServiceAccounts(t *testing.T) {
	env, c := start(t)
	env.Org(t, "acme")
	ctx := t.Context()
	made, err := c.CreateServiceAccount(ctx, "acme", client.NewServiceAccount{
		Slug: "bot", Name: "Bot", RoleSlug: "api", Description: "d", Scopes: []string{"api:*"}, TokenLifetimeSeconds: 60,
		Tags: []client.Tag{{Name: "a", Value: "b"}},
	}, client.IdempotencyKey("k"))
	must(t, err)
	again, err := c.CreateServiceAccount(ctx, "acme", client.NewServiceAccount{
		Slug: "bot", Name: "Bot", RoleSlug: "api", Description: "d", Scopes: []string{"api:*"}, TokenLifetimeSeconds: 60,
		Tags: []client.Tag{{Name: "a", Value: "b"}},
	}, client.IdempotencyKey("k"))
	must(t, err)
	if made.ClientSecret == "" || again.ClientSecret != "" || !again.SecretAlreadyShown || again.ID != made.ID {
		t.Error("the repetition is not one")
	}
	changed, err := c.UpdateServiceAccount(ctx, "acme", "bot", client.ServiceAccountPatch{
		Description: client.Clear[string](), TokenLifetimeSeconds: client.Clear[int64](), Scopes: client.Set([]string{}),
	})
	must(t, err)
	if changed.Description != "" || changed.TokenLifetimeSeconds != nil || len(changed.Scopes) > 0 || len(changed.Tags) != 1 {
		t.Errorf("changed to %+v", changed)
	}
	token, err := c.IssueToken(ctx, "acme", "bot", made.ClientSecret, time.Minute)
	must(t, err)
	live := collect(t, c.Tokens(ctx, "acme", "bot"), func(t client.Token) string { return t.JTI })
	if len(live) != 1 || token.AccessToken == "" {
		t.Errorf("tokens %v", live)
	} else {
		must(t, c.RevokeToken(ctx, "acme", "bot", live[0]))
	}
	must(t, c.RevokeTokens(ctx, "acme", "bot"))
	rotated, err := c.RotateServiceAccount(ctx, "acme", "bot", time.Minute)
	must(t, err)
	if rotated.ClientSecret == made.ClientSecret || rotated.PreviousSecretExpiresAt == nil || rotated.ClientID != made.ClientID {
		t.Errorf("rotated with the previous end %v", rotated.PreviousSecretExpiresAt)
	}
	if found, err := c.ServiceAccount(ctx, "acme", made.ID); err != nil || found.LastUsedAt == nil || found.UserID != "sa:acme:bot" {
		t.Errorf("account %+v, %v", found, err)
	}
	must(t, c.DeleteServiceAccount(ctx, "acme", "bot"))
}

func TestCredentialsAndSecrets(t *testing.T) {
	env, c := start(t)
	env.Org(t, "acme")
	env.Machine(t, "acme", "bot", "api")
	ctx := t.Context()
	until := env.Clock.Now().Add(time.Hour).Truncate(time.Microsecond)
	made, err := c.CreateCredential(ctx, "acme", "bot", client.NewCredential{Kind: client.KindSecret, Name: "ci", AllowedCIDRs: []string{"127.0.0.0/8"}, ExpiresAt: until})
	must(t, err)
	if made.ExpiresAt == nil || !made.ExpiresAt.Equal(until) {
		t.Errorf("expires at %v, want %v", made.ExpiresAt, until)
	}
	if _, err := c.UpdateCredential(ctx, "acme", "bot", made.ID, client.CredentialPatch{ExpiresAt: client.Clear[time.Time](), Disabled: client.Set(true)}); err != nil {
		t.Error(err)
	}
	if found, err := c.Credential(ctx, "acme", "bot", made.ID); err != nil || found.ExpiresAt != nil || !found.Disabled {
		t.Errorf("credential %+v, %v", found, err)
	}
	added, err := c.AddSecret(ctx, "acme", "bot", made.ID, time.Time{})
	must(t, err)
	if list, err := c.Secrets(ctx, "acme", "bot", made.ID); err != nil || len(list) != 2 || list[1].ID != added.ID {
		t.Errorf("secrets %+v, %v", list, err)
	}
	must(t, c.RetireSecret(ctx, "acme", "bot", made.ID, added.ID))
	if names := collect(t, c.Credentials(ctx, "acme", "bot", ""), func(k client.Credential) string { return k.Name }); !slices.Equal(names, []string{"primary", "ci"}) {
		t.Errorf("credentials %v", names)
	}
	must(t, c.DeleteCredential(ctx, "acme", "bot", made.ID))
}

func TestPagesGoOn(t *testing.T) {
	env, c := start(t)
	env.Org(t, "acme")
	var want []string
	for i := range 203 {
		slug := fmt.Sprintf("r%03d", i)
		env.Role(t, "acme", slug, "orders:read")
		want = append(want, slug)
	}
	ctx := t.Context()
	if got := collect(t, c.Roles(ctx, "acme", "r"), func(r client.Role) string { return r.Slug }); !slices.Equal(got[len(got)-len(want):], want) {
		t.Errorf("%d roles: %v", len(got), got)
	}
	events := collect(t, c.AuditEvents(ctx, "acme", client.AuditQuery{}), func(e client.AuditEvent) string { return e.ID })
	if slices.Sort(events); len(events) != 204 || len(slices.Compact(events)) != 204 {
		t.Errorf("%d events", len(events))
	}
	one := collect(t, c.AuditEvents(ctx, "acme", client.AuditQuery{
		Target: "role:acme:r007", Actor: "signet:test", From: env.Clock.Now().Add(-time.Hour), To: env.Clock.Now().Add(time.Hour),
	}), func(e client.AuditEvent) string { return e.Type })
	if !slices.Equal(one, []string{"organizations.roles.created"}) {
		t.Errorf("events %v", one)
	}
	taken := 0
	for _, err := range c.Roles(ctx, "acme", "") {
		must(t, err)
		if taken++; taken == 3 {
			break
		}
	}
	for _, err := range c.Roles(ctx, "nowhere", "") {
		wantError(t, err, client.ErrNotFound)
	}
}

func TestKeys(t *testing.T) {
	env, c := start(t)
	ctx := t.Context()
	err := c.RotateKeys(ctx, false)
	wantError(t, err, client.ErrNotRipe)
	if refused, ok := errors.AsType[*client.Error](err); !ok || !refused.RipeAt().After(env.Clock.Now()) {
		t.Errorf("ripe at %v", err)
	}
	must(t, c.RotateKeys(ctx, true))
	keys, err := c.Keys(ctx)
	if err != nil || len(keys) != 3 {
		t.Fatalf("keys %+v, %v", keys, err)
	}
	wantError(t, c.DropKey(ctx, "../keys"), client.ErrNotFound)
	for _, key := range keys {
		if key.State == "prepared" {
			must(t, c.DropKey(ctx, key.KID))
		}
	}
}

func TestErrorsAreSentinels(t *testing.T) {
	env, c := start(t)
	env.Org(t, "acme")
	bot := env.Machine(t, "acme", "bot", "viewer")
	ctx := t.Context()
	viewer := clientOf(t, env, bot.Login)
	_, err := viewer.CreateRole(ctx, "acme", client.NewRole{Slug: "x", Name: "x"})
	wantError(t, err, client.ErrForbidden)
	if refused, ok := errors.AsType[*client.Error](err); !ok || refused.Message != "permission orgs:roles:create is needed" {
		t.Errorf("the reason is lost: %v", err)
	}
	_, err = c.CreateRole(ctx, "acme", client.NewRole{Slug: "owner", Name: "x"})
	wantError(t, err, client.ErrExists, client.ErrConflict)
	wantError(t, c.DeleteRole(ctx, "acme", "owner"), client.ErrProtected, client.ErrConflict)
	wantError(t, c.DeleteRole(ctx, "acme", "nobody"), client.ErrNotFound)
	wantError(t, c.DeleteOrg(ctx, "acme", client.IfVersion(99)), client.ErrStale)
	_, err = c.CreateRole(ctx, "acme", client.NewRole{Slug: "No Slug", Name: "x"})
	wantError(t, err, client.ErrInvalid)
	if refused, ok := errors.AsType[*client.Error](err); !ok || len(refused.Fields()) != 1 || refused.Fields()[0].Field != "slug" || refused.CorrelationID == "" {
		t.Errorf("refused with %+v", err)
	}
	_, err = c.IssueToken(ctx, "acme", "bot", "wrong", 0)
	wantError(t, err, client.ErrUnauthenticated)
	_, err = clientOf(t, env, testenv.Login{ID: bot.ID, Secret: "wrong"}).Org(ctx, "acme")
	wantError(t, err, client.ErrUnauthenticated)
	_, err = (&client.Client{BaseURL: env.URL}).Org(ctx, "acme")
	wantError(t, err, client.ErrUnauthenticated)
	must(t, env.DB.Close())
	_, err = c.Org(ctx, "acme")
	wantError(t, err, client.ErrUnavailable)
	if refused, ok := errors.AsType[*client.Error](err); !ok || refused.RetryAfter != time.Second {
		t.Errorf("retry after %+v", err)
	}
}

// What stands between us and the server answers in its own way.
func TestAnswersOfOthers(t *testing.T) {
	for _, tc := range []struct {
		status int
		body   string
		want   error
	}{
		{http.StatusBadGateway, "<html>", nil},
		{http.StatusTooManyRequests, "", client.ErrTooManyRequests},
		{http.StatusOK, "<html>", nil},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(tc.status)
			_, _ = fmt.Fprint(w, tc.body)
		}))
		_, err := (&client.Client{BaseURL: server.URL + "/"}).Org(t.Context(), "acme")
		server.Close()
		if err == nil || (tc.want != nil && !errors.Is(err, tc.want)) {
			t.Errorf("%d %q: %v", tc.status, tc.body, err)
		}
	}
}

func wantError(t *testing.T, err error, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Errorf("error %v, want %v", err, target)
		}
	}
	if errors.Is(err, nil) || errors.Is(err, client.ErrLimit) {
		t.Errorf("error %v is too much", err)
	}
}

func collect[T any](t *testing.T, list func(func(T, error) bool), of func(T) string) []string {
	t.Helper()
	var texts []string
	for object, err := range list {
		must(t, err)
		texts = append(texts, of(object))
	}
	return texts
}
