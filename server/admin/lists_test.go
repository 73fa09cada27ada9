package admin_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
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
	for _, path := range []string{"/v2/orgs/acme", "/v2/keys", "/v2/orgs/acme/service-accounts/x/tokens"} {
		s.sys(t, "GET", path+"?page=1", "").refused(t, 400, "BadParameters")
	}
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
