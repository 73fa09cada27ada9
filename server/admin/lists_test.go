package admin_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/accounts"
)

func TestListsHavePages(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	var slugs []string
	for i := range 7 {
		slug := fmt.Sprintf("bot-%d", i)
		s.Machine(t, "acme", slug, "api")
		slugs = append(slugs, slug)
	}
	const at = "/v2/orgs/acme/service-accounts"
	var seen []string
	for page := 1; page <= 4; page++ {
		got := s.sys(t, "GET", fmt.Sprintf("%s?limit=3&page=%d", at, page), "").wants(t, 200)
		if total := got.object(t)["total"]; total != 7.0 {
			t.Errorf("page %d: total %v", page, total)
		}
		seen = append(seen, got.results(t, "slug")...)
	}
	if !slices.Equal(seen, slugs) {
		t.Errorf("pages give %v, want %v", seen, slugs)
	}
	if got := len(s.sys(t, "GET", at, "").results(t, "slug")); got != 7 {
		t.Errorf("the first page has %d", got)
	}
}

func TestListsSearchUnicode(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	for slug, name := range map[string]string{"a": "Größe Ärger", "b": "日本語 ボット", "c": "100% sure_thing", "d": "plain"} {
		s.sys(t, "POST", "/v2/orgs/acme/service-accounts", `{"slug":"`+slug+`","name":"`+name+`"}`).wants(t, 201)
	}
	for search, want := range map[string]string{
		"größe": "a", "ÄRGER": "a", "ボット": "b", "%": "c", "_": "c", "PLAIN": "d", "' OR '1'='1": "", "ab": "",
	} {
		got := s.sys(t, "GET", "/v2/orgs/acme/service-accounts?search="+url.QueryEscape(search), "").wants(t, 200)
		if found := strings.Join(got.results(t, "slug"), " "); found != want {
			t.Errorf("search %q finds %q, want %q", search, found, want)
		}
	}
}

func TestListsRefuseOtherQueries(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	for _, path := range []string{"/v2/orgs", "/v2/orgs/acme/roles", "/v2/orgs/acme/groups", "/v2/orgs/acme/service-accounts"} {
		for _, query := range []string{
			"page=0", "page=-1", "page=x", "page=", "page=1.5", "page=01", "page=1000001", "page=99999999999999999999",
			"limit=0", "limit=101", "limit=x", "limit=1&limit=2", "search=%00", "search=%ff", "search=%0a",
			"search=" + strings.Repeat("x", 256), "Page=1", "offset=1", "access_token=x", "page=1;limit=2", "%zz=1",
		} {
			s.sys(t, "GET", path+"?"+query, "").refused(t, 400, "BadParameters")
		}
	}
	for _, query := range []string{"from=yesterday", "to=2026-01-31", "cursor=", "cursor=x", "cursor=0199c1a2-7f34-7cc1-9d1e-3a5b8f2c4d01", "page=1", "limit=0"} {
		s.sys(t, "GET", "/v2/orgs/acme/audit-events?"+query, "").refused(t, 400, "BadParameters")
	}
	for _, path := range []string{"/v2/orgs/acme?page=1", "/v2/keys?page=1", "/v2/orgs/acme/service-accounts/x/tokens?search=x"} {
		s.sys(t, "GET", path, "").refused(t, 400, "BadParameters")
	}
}

func TestLiveTokensHavePages(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	bot := s.Machine(t, "acme", "bot", accounts.RoleAPI)
	for range 5 {
		s.Token(t, bot.Login)
	}
	seen := map[string]bool{}
	for page, want := range map[string]int{"1": 2, "2": 2, "3": 1, "4": 0} {
		got := s.sys(t, "GET", "/v2/orgs/acme/service-accounts/bot/tokens?limit=2&page="+page, "").wants(t, 200)
		listed := got.results(t, "jti")
		if len(listed) != want {
			t.Errorf("page %s has %d tokens, want %d", page, len(listed), want)
		}
		for _, jti := range listed {
			seen[jti] = true
		}
	}
	if len(seen) != 5 {
		t.Errorf("the pages show %d tokens, want 5", len(seen))
	}
}

// What is meant for one version must not be done to another, also where nothing has a version.
func TestI19_UnversionedWritesRefuseIfMatch(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	bot := s.Machine(t, "acme", "bot", accounts.RoleAPI)
	secrets := "/v2/orgs/acme/service-accounts/bot/credentials/" + bot.Credential.ID.String() + "/secrets"
	for _, write := range [][2]string{
		{"POST", secrets},
		{"DELETE", secrets + "/" + bot.Credential.ID.String()},
		{"POST", "/v2/keys/rotate"},
		{"DELETE", "/v2/orgs/acme/service-accounts/bot/tokens"},
		{"POST", "/v2/orgs"},
	} {
		s.sys(t, write[0], write[1], "", ifMatch(`"99"`)).refused(t, 400, "BadParameters")
	}
	s.sys(t, "GET", secrets, "", ifMatch(`"99"`)).wants(t, 200)
}

func TestStandard08_TokenDoorTakesOneProof(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	bot := s.Machine(t, "acme", "bot", accounts.RoleAPI)
	body := `{"clientSecret":"` + bot.Secret + `"}`
	s.call(t, "POST", "/v2/orgs/acme/service-accounts/bot/token", body, bot.Basic()).refused(t, 400, "BadParameters")
	s.call(t, "POST", "/v2/orgs/acme/service-accounts/bot/token", body).wants(t, 200)
}

func TestExpiryFitsRFC3339(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	s.Machine(t, "acme", "bot", accounts.RoleAPI)
	path := "/v2/orgs/acme/service-accounts/bot/credentials"
	s.sys(t, "POST", path, `{"kind":"secret","name":"x","expiresAt":"9999-12-31T23:59:59-23:59"}`).refused(t, 400, "BadParameters")
	s.sys(t, "POST", path, `{"kind":"secret","name":"x","expiresAt":"9999-12-31T23:59:59Z"}`).wants(t, 201)
}

func TestAuditEventsHaveACursor(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	for i := range 5 {
		s.sys(t, "POST", "/v2/orgs/acme/roles", fmt.Sprintf(`{"slug":"r%d","name":"r"}`, i)).wants(t, 201)
	}
	var targets []string
	query := "limit=2"
	for range 10 {
		got := s.sys(t, "GET", "/v2/orgs/acme/audit-events?"+query, "").wants(t, 200)
		targets = append(targets, got.results(t, "target")...)
		next, more := got.object(t)["nextCursor"].(string)
		if !more {
			break
		}
		query = "limit=2&cursor=" + next
	}
	want := []string{"role:acme:r4", "role:acme:r3", "role:acme:r2", "role:acme:r1", "role:acme:r0", "org:acme"}
	if !slices.Equal(targets, want) {
		t.Errorf("events of %v, want %v", targets, want)
	}
	one := s.sys(t, "GET", "/v2/orgs/acme/audit-events?target=role:acme:r3&actor=sa:system:admin", "").wants(t, 200)
	if got := one.results(t, "type"); !slices.Equal(got, []string{"organizations.roles.created"}) {
		t.Errorf("events %v", got)
	}
	at := one.results(t, "time")[0]
	for query, want := range map[string]int{"from=" + at: 2, "to=" + at: 4, "from=" + at + "&to=" + at: 0} {
		if got := len(s.sys(t, "GET", "/v2/orgs/acme/audit-events?"+query, "").results(t, "id")); got != want {
			t.Errorf("%s: %d events, want %d", query, got, want)
		}
	}
}
