package nscale_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/testenv"
)

// The request of the vendor's page, with the ids and the token filled in. The group of its
// example does not exist, which is no mistake here.
func TestSeed003_CreateServiceAccountAsDocumented(t *testing.T) {
	d := start(t)
	body := `
{
  "metadata": {
    "name": "my-service-account",
    "description": "A service account for doing stuff."
  },
  "spec": {
    "groupIDs": [
      "0aaba80d-67ef-4799-b6d9-59f37e2ce2ad"
    ]
  }
}
`
	got := d.send(t, "POST", "/api/v1/organizations/"+d.acme.ID.String()+"/serviceaccounts", body,
		testenv.Header("Authorization", "Bearer "+d.admin), testenv.Header("Content-Type", "application/json")).wants(t, 201)
	made := into[object](t, got)
	m := made.Metadata
	created, err := time.Parse(time.RFC3339, m.CreationTime)
	if err != nil || !strings.HasSuffix(m.CreationTime, "Z") || strings.Contains(m.CreationTime, ".") {
		t.Errorf("creationTime %q", m.CreationTime)
	}
	expiry, err := time.Parse(time.RFC3339, made.Status.Expiry)
	if err != nil || expiry.Sub(created) != 90*24*time.Hour {
		t.Errorf("expiry %q of %q: %v", made.Status.Expiry, m.CreationTime, err)
	}
	if m.Name != "my-service-account" || m.Description != "A service account for doing stuff." || m.OrganizationID != d.acme.ID.String() ||
		m.ProvisioningStatus != "provisioned" || m.HealthStatus != "healthy" || m.CreatedBy != "sa:acme:admin" ||
		m.ModifiedTime != "" || m.Tags != nil || made.Spec.GroupIDs == nil || len(made.Spec.GroupIDs) != 0 || made.Status.AccessToken == "" {
		t.Errorf("created %s", got.body)
	}
	if control := got.header.Get("Cache-Control"); control != "no-cache, no-store" {
		t.Errorf("Cache-Control %q", control)
	}
}

func TestAccountsAreListedById(t *testing.T) {
	d := start(t)
	d.Machine(t, "other", "foreign", "api")
	group := d.group(t, "operators", "api:read")
	b := d.made(t, "twin", group.Metadata.ID)
	a := d.made(t, "twin")
	got := d.may(t, "GET", path(d.acme, "serviceaccounts"), "").wants(t, 200)
	if strings.Contains(got.body, "accessToken") {
		t.Error("a list shows tokens")
	}
	listed := into[[]object](t, got)
	// The administrator was made at another door: it has no token, which has always been over.
	if len(listed) != 3 || listed[0].Metadata.Name != "admin" || listed[0].Status.Expiry != listed[0].Metadata.CreationTime {
		t.Fatalf("listed %s", got.body)
	}
	for i, want := range []object{b, a} {
		want.Status.AccessToken = ""
		if fmt.Sprint(listed[i+1]) != fmt.Sprint(want) {
			t.Errorf("listed %+v, made %+v", listed[i+1], want)
		}
	}
	if !slices.Equal(b.Spec.GroupIDs, []string{group.Metadata.ID}) {
		t.Errorf("made in %v", b.Spec.GroupIDs)
	}
	if empty := d.call(t, "GET", path(d.other, "groups"), "", as(d.administrator(t, "other", "admin", "owner"))).wants(t, 200); empty.body != "[]" {
		t.Errorf("a list of nothing is %s", empty.body)
	}
}

// A list has no pages here, so all of a long one comes, in order and once.
func TestLongListsComeWhole(t *testing.T) {
	d := start(t)
	want := []string{}
	for i := range 1001 {
		group, _, err := d.Service.CreateGroup(t.Context(), testenv.Operator, accounts.ByID(d.acme.ID), accounts.NewGroup{Name: fmt.Sprint("g", i)})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, group.ID.String())
	}
	slices.Sort(want)
	var got []string
	for _, group := range d.lists(t, d.admin, "groups") {
		got = append(got, group.Metadata.ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %d of %d, in order: %v", len(got), len(want), slices.IsSorted(got))
	}
}

func TestPutReplaces(t *testing.T) {
	d := start(t)
	first, second := d.group(t, "first", "api:read"), d.group(t, "second", "api:write")
	full := `{"metadata":{"name":"bot","description":"what for","tags":[{"name":"b","value":"2"},{"name":"a","value":""}]},"spec":{"groupIDs":["` +
		first.Metadata.ID + `"]}}`
	made := into[object](t, d.may(t, "POST", path(d.acme, "serviceaccounts"), full).wants(t, 201))
	if made.Metadata.Description != "what for" || !slices.Equal(made.Metadata.Tags, []accounts.Tag{{Name: "b", Value: "2"}, {Name: "a"}}) {
		t.Errorf("made %+v", made)
	}
	account := path(d.acme, "serviceaccounts", made.Metadata.ID)
	d.Clock.Advance(time.Minute)
	put := d.may(t, "PUT", account, named("renamed", second.Metadata.ID, "no-id", "0aaba80d-67ef-4799-b6d9-59f37e2ce2ad")).wants(t, 200)
	now := into[object](t, put)
	if now.Metadata.Name != "renamed" || now.Metadata.Description != "" || now.Metadata.Tags != nil ||
		!slices.Equal(now.Spec.GroupIDs, []string{second.Metadata.ID}) ||
		now.Metadata.ModifiedBy != "sa:acme:admin" || now.Metadata.ModifiedTime <= now.Metadata.CreationTime {
		t.Errorf("replaced by %s", put.body)
	}
	// Token and expiry survive, and the token is not shown again.
	if now.Status.Expiry != made.Status.Expiry || strings.Contains(put.body, "accessToken") {
		t.Errorf("replaced by %s, made with %+v", put.body, made.Status)
	}
	d.lists(t, made.Status.AccessToken, "serviceaccounts")
	if cleared := into[object](t, d.may(t, "PUT", account, named("renamed")).wants(t, 200)); len(cleared.Spec.GroupIDs) != 0 {
		t.Errorf("groups are %v", cleared.Spec.GroupIDs)
	}
	listed := d.lists(t, d.admin, "serviceaccounts")
	if last := listed[len(listed)-1]; len(last.Spec.GroupIDs) != 0 || last.Metadata.Name != "renamed" {
		t.Errorf("listed %+v", last)
	}
}

func TestRotateEndsTheOldTokenAtOnce(t *testing.T) {
	d := start(t)
	made := d.made(t, "bot")
	d.Clock.Advance(5 * time.Minute)
	rotate := path(d.acme, "serviceaccounts", made.Metadata.ID, "rotate")
	turned := into[object](t, d.may(t, "POST", rotate, "").wants(t, 200))
	if turned.Status.AccessToken == "" || turned.Status.AccessToken == made.Status.AccessToken || turned.Status.Expiry <= made.Status.Expiry {
		t.Errorf("rotated to %+v", turned.Status)
	}
	d.call(t, "GET", path(d.acme, "serviceaccounts"), "", as(made.Status.AccessToken)).refused(t, 401, "access_denied")
	if own := d.lists(t, turned.Status.AccessToken, "serviceaccounts"); own[0].Status.Expiry != turned.Status.Expiry {
		t.Errorf("listed %+v", own)
	}
	d.may(t, "POST", rotate, `{"x":1}`).refused(t, 400, "invalid_request")

	// An account of another door has no token yet, and gets one.
	machine := d.Machine(t, "acme", "machine", "member")
	given := into[object](t, d.may(t, "POST", path(d.acme, "serviceaccounts", machine.Account.ID.String(), "rotate"), "").wants(t, 200))
	d.lists(t, given.Status.AccessToken, "serviceaccounts")
	d.Token(t, machine.Login) // its secret lives on
}

func TestTokenEndsWithItsAccount(t *testing.T) {
	d := start(t)
	for name, end := range map[string]func(made object){
		"deleted": func(made object) {
			gone := d.may(t, "DELETE", path(d.acme, "serviceaccounts", made.Metadata.ID), "").wants(t, 200)
			if gone.body != "" || gone.header.Get("Cache-Control") != "no-cache" || gone.header.Get("Content-Type") != "" {
				t.Errorf("deleted with %v %q", gone.header, gone.body)
			}
			d.may(t, "DELETE", path(d.acme, "serviceaccounts", made.Metadata.ID), "").refused(t, 404, "not_found")
		},
		"disabled": func(made object) { d.disable(t, made.Metadata.ID) },
	} {
		made := d.made(t, name)
		d.lists(t, made.Status.AccessToken, "serviceaccounts")
		end(made)
		d.call(t, "GET", path(d.acme, "serviceaccounts"), "", as(made.Status.AccessToken)).refused(t, 401, "access_denied")
	}
	made := d.made(t, "old")
	d.Clock.Advance(90 * 24 * time.Hour)
	d.call(t, "GET", path(d.acme, "serviceaccounts"), "", as(made.Status.AccessToken)).refused(t, 401, "access_denied")
}

// An account without any permission sees itself and rotates itself, and nothing more.
func TestSelfService(t *testing.T) {
	d := start(t)
	peer, own := d.made(t, "peer"), d.made(t, "own")
	self := own.Status.AccessToken
	seen := d.lists(t, self, "serviceaccounts")
	if len(seen) != 1 || seen[0].Metadata.ID != own.Metadata.ID || seen[0].Status.AccessToken != "" {
		t.Errorf("sees %+v", seen)
	}
	account, stranger := path(d.acme, "serviceaccounts", own.Metadata.ID), path(d.acme, "serviceaccounts", peer.Metadata.ID)
	for _, request := range []struct{ method, path, body string }{
		{"POST", path(d.acme, "serviceaccounts"), named("x")},
		{"PUT", account, named("x")},
		{"DELETE", account, ""},
		{"POST", stranger + "/rotate", ""},
		{"POST", path(d.acme, "serviceaccounts", "0aaba80d-67ef-4799-b6d9-59f37e2ce2ad", "rotate"), ""},
		{"GET", path(d.acme, "groups"), ""},
		{"GET", path(d.acme, "roles"), ""},
		{"GET", path(d.other, "serviceaccounts"), ""},
		{"POST", path(d.other, "serviceaccounts", own.Metadata.ID, "rotate"), ""},
	} {
		d.call(t, request.method, request.path, request.body, as(self)).refused(t, 403, "forbidden")
	}
	turned := into[object](t, d.call(t, "POST", account+"/rotate", "", as(self)).wants(t, 200))
	d.call(t, "POST", account+"/rotate", "", as(self)).refused(t, 401, "access_denied")
	d.lists(t, turned.Status.AccessToken, "serviceaccounts")

	// A JWT of the account is not its token: it may look, and not rotate.
	machine := d.Machine(t, "acme", "machine", "member")
	jwt := d.Token(t, machine.Login, "resource", d.Issuer)
	if seen := d.lists(t, jwt, "serviceaccounts"); len(seen) != 1 || seen[0].Metadata.ID != machine.Account.ID.String() {
		t.Errorf("sees %+v", seen)
	}
	d.call(t, "POST", path(d.acme, "serviceaccounts", machine.Account.ID.String(), "rotate"), "", as(jwt)).refused(t, 403, "forbidden")
}

// The token is all that an administrator needs: it acts by its groups.
func TestTokenAdministers(t *testing.T) {
	d := start(t)
	group := d.group(t, "clerks", "orgs:service-accounts:*", "orgs:credentials:*")
	clerk := d.made(t, "clerk", group.Metadata.ID)
	token := func(r *http.Request) { r.Header.Set("Authorization", "bearer "+clerk.Status.AccessToken) }
	made := into[object](t, d.call(t, "POST", path(d.acme, "serviceaccounts"), named("bot"), token).wants(t, 201))
	if made.Metadata.CreatedBy != "sa:acme:"+slugOf(t, d, clerk) {
		t.Errorf("created by %q", made.Metadata.CreatedBy)
	}
	// I34: it gives nobody what it does not hold.
	rich := d.group(t, "rich", "invoices:*")
	d.call(t, "POST", path(d.acme, "serviceaccounts"), named("rich", rich.Metadata.ID), token).refused(t, 403, "forbidden")
	d.call(t, "PUT", path(d.acme, "serviceaccounts", made.Metadata.ID), named("bot", rich.Metadata.ID), token).refused(t, 403, "forbidden")
	owner := d.Machine(t, "acme", "owner", "owner")
	d.call(t, "POST", path(d.acme, "serviceaccounts", owner.Account.ID.String(), "rotate"), "", token).refused(t, 403, "forbidden")
}

func slugOf(t *testing.T, d *door, o object) string {
	t.Helper()
	for _, account := range d.listed(t) {
		if account.ID.String() == o.Metadata.ID {
			return account.Slug
		}
	}
	t.Fatal("no such account")
	return ""
}

func (d *door) listed(t *testing.T) []accounts.ServiceAccount {
	t.Helper()
	found, _, err := d.Service.Accounts(t.Context(), testenv.Operator, accounts.ByID(d.acme.ID), accounts.Query{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// What is made here is an account like any other.
func TestAccountIsACitizenOfEveryDoor(t *testing.T) {
	d := start(t)
	made := d.made(t, "bot")
	native := d.Do(t, "GET", "/v2/orgs/acme/service-accounts/"+made.Metadata.ID, "", as(d.admin))
	if got := native.JSON(t); native.Status != 200 || got["name"] != "bot" || got["roleSlug"] != nil {
		t.Fatalf("%d %s", native.Status, native.Body)
	}
	kinds := d.Do(t, "GET", "/v2/orgs/acme/service-accounts/"+made.Metadata.ID+"/credentials", "", as(d.admin))
	if !strings.Contains(kinds.Body, `"kind":"token"`) || strings.Contains(kinds.Body, made.Status.AccessToken) {
		t.Errorf("credentials %s", kinds.Body)
	}
	own := d.Do(t, "GET", "/v2/orgs/acme", "", as(made.Status.AccessToken))
	if own.Status != http.StatusForbidden {
		t.Errorf("the native door answers %d %s", own.Status, own.Body)
	}
}

func TestQuotaIsForbidden(t *testing.T) {
	d := start(t)
	limit := int64(1)
	_, err := d.Service.UpdateOrg(t.Context(), testenv.Operator, accounts.ByID(d.acme.ID), accounts.OrgPatch{MaxServiceAccounts: accounts.Some(&limit)})
	if err != nil {
		t.Fatal(err)
	}
	d.may(t, "POST", path(d.acme, "serviceaccounts"), named("bot")).refused(t, 403, "forbidden").says(t, "limit of service accounts")
}

// outage is a store whose reads fail after so many.
type outage struct {
	accounts.Store
	left atomic.Int64
}

func (o *outage) Read(ctx context.Context, fn func(accounts.Reader) error) error {
	if o.left.Add(-1) < 0 {
		return accounts.ErrUnavailable
	}
	return o.Store.Read(ctx, fn)
}

// A list that stops in the middle is cut off, so that nobody takes it for a whole one.
func TestHalfAListIsCutOff(t *testing.T) {
	failing := &outage{}
	failing.left.Store(1 << 30)
	d := start(t, func(c *testenv.Config) {
		c.Store = func(store accounts.Store) accounts.Store {
			failing.Store = store
			return failing
		}
	})
	for i := range 501 {
		if _, _, err := d.Service.CreateGroup(t.Context(), testenv.Operator, accounts.ByID(d.acme.ID), accounts.NewGroup{Name: fmt.Sprint("g", i)}); err != nil {
			t.Fatal(err)
		}
	}
	failing.left.Store(1)
	r, err := http.NewRequestWithContext(t.Context(), "GET", d.URL+path(d.acme, "groups"), nil)
	if err != nil {
		t.Fatal(err)
	}
	as(d.admin)(r)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err := io.ReadAll(response.Body); response.StatusCode != 200 || !errors.Is(err, io.ErrUnexpectedEOF) || len(body) == 0 {
		t.Errorf("status %d, %d bytes, then %v", response.StatusCode, len(body), err)
	}
	failing.left.Store(0)
	d.may(t, "GET", path(d.acme, "groups"), "").refused(t, 503, "server_error")
}
