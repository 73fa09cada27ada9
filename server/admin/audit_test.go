package admin_test

import (
	"strings"
	"testing"
)

// events counts the audit rows of an org.
func (s *server) events(t testing.TB, org string) int {
	t.Helper()
	return len(s.sys(t, "GET", "/v2/orgs/"+org+"/audit-events?limit=100", "").wants(t, 200).results(t, "id"))
}

// write is one administrative write, with the target and type of its audit row.
type write struct{ method, path, body, kind, target string }

func TestI44_EveryWriteLeavesOneRow(t *testing.T) {
	s := start(t)
	s.sys(t, "POST", "/v2/orgs", `{"slug":"acme","name":"a"}`).wants(t, 201)
	const orgs, account = "/v2/orgs/acme", "/v2/orgs/acme/service-accounts/bot"
	ids := map[string]string{}
	for _, w := range []write{
		{"PATCH", orgs, `{"name":"b"}`, "organizations.updated", "org:acme"},
		{"POST", orgs + "/roles", `{"slug":"r","name":"r"}`, "organizations.roles.created", "role:acme:r"},
		{"PATCH", orgs + "/roles/r", `{"name":"s"}`, "organizations.roles.updated", "role:acme:r"},
		{"DELETE", orgs + "/roles/r", "", "organizations.roles.deleted", "role:acme:r"},
		{"POST", orgs + "/groups", `{"name":"g"}`, "organizations.groups.created", "group:"},
		{"PATCH", orgs + "/groups/{group}", `{"name":"h"}`, "organizations.groups.updated", "group:"},
		{"DELETE", orgs + "/groups/{group}", "", "organizations.groups.deleted", "group:"},
		{"POST", orgs + "/service-accounts", `{"slug":"bot","name":"b"}`, "organizations.serviceAccounts.created", "sa:acme:bot"},
		{"PATCH", account, `{"name":"c"}`, "organizations.serviceAccounts.updated", "sa:acme:bot"},
		{"POST", account + "/rotate", "", "organizations.serviceAccounts.rotated", "sa:acme:bot"},
		{"POST", account + "/credentials", `{"kind":"secret","name":"c"}`, "organizations.credentials.created", "credential:"},
		{"PATCH", account + "/credentials/{credential}", `{"name":"d"}`, "organizations.credentials.updated", "credential:"},
		{"POST", account + "/credentials/{credential}/secrets", "", "organizations.secrets.added", "secret:"},
		{"DELETE", account + "/credentials/{credential}/secrets/{secret}", "", "organizations.secrets.retired", "secret:"},
		{"DELETE", account + "/credentials/{credential}", "", "organizations.credentials.deleted", "credential:"},
		{"DELETE", account + "/tokens", "", "organizations.serviceAccounts.tokensRevoked", "sa:acme:bot"},
		{"DELETE", account + "/tokens/ABCDEFGHIJKLMNOPQRSTUVWXYZ", "", "organizations.tokens.revoked", "token:ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
		{"DELETE", account, "", "organizations.serviceAccounts.deleted", "sa:acme:bot"},
	} {
		before := s.events(t, "acme")
		path := w.path
		for name, id := range ids {
			path = strings.ReplaceAll(path, "{"+name+"}", id)
		}
		done := s.sys(t, w.method, path, w.body)
		if done.status >= 300 {
			t.Fatalf("%s: %d %s", done.request, done.status, done.body)
		}
		if made, ok := done.object(t)["id"].(string); ok {
			ids[strings.TrimSuffix(w.target, ":")] = made
		}
		if after := s.events(t, "acme"); after != before+1 {
			t.Errorf("%s left %d rows", done.request, after-before)
		}
		newest := s.sys(t, "GET", orgs+"/audit-events?limit=1", "").wants(t, 200)
		if kind, target := newest.results(t, "type")[0], newest.results(t, "target")[0]; kind != w.kind || !strings.HasPrefix(target, w.target) {
			t.Errorf("%s left %s of %s, want %s of %s", done.request, kind, target, w.kind, w.target)
		}
		if got, want := newest.results(t, "correlationId")[0], done.header.Get("X-Correlation-Id"); got != want {
			t.Errorf("%s left the correlation id %q, want %q", done.request, got, want)
		}
		if got := newest.results(t, "actor")[0]; got != "sa:system:admin" {
			t.Errorf("%s left the actor %q", done.request, got)
		}
	}
}

func TestI17_RefusedWritesLeaveNothing(t *testing.T) {
	s := start(t)
	s.Org(t, "acme")
	s.issued(t, "bot", "agent-standard")
	viewer := s.administrator(t, "acme", "viewer", "viewer")
	before := s.events(t, "acme")
	state := s.sys(t, "GET", "/v2/orgs/acme/service-accounts", "").body
	const account = "/v2/orgs/acme/service-accounts/bot"
	for _, w := range []write{
		{"POST", "/v2/orgs/acme/service-accounts", `{"slug":"x","name":"x"}`, "", ""},
		{"PATCH", account, `{"name":"x"}`, "", ""},
		{"DELETE", account, "", "", ""},
		{"POST", account + "/rotate", "", "", ""},
		{"POST", account + "/credentials", `{"kind":"secret","name":"c"}`, "", ""},
		{"DELETE", account + "/tokens", "", "", ""},
		{"POST", "/v2/orgs/acme/roles", `{"slug":"r","name":"r"}`, "", ""},
		{"POST", "/v2/orgs/acme/groups", `{"name":"g"}`, "", ""},
		{"PATCH", "/v2/orgs/acme", `{"name":"x"}`, "", ""},
	} {
		s.call(t, w.method, w.path, w.body, as(viewer)).refused(t, 403, "ForbiddenError")
	}
	s.sys(t, "POST", "/v2/orgs/acme/service-accounts", `{"slug":"bot","name":"x"}`).refused(t, 409, "AlreadyUsed")
	s.sys(t, "PATCH", account, `{"name":""}`).refused(t, 400, "BadParameters")
	s.sys(t, "DELETE", account, "", ifMatch(`"99"`)).refused(t, 412, "PreconditionFailed")
	s.sys(t, "DELETE", "/v2/orgs/acme/roles/owner", "").refused(t, 409, "Protected")
	s.sys(t, "DELETE", "/v2/orgs/acme/service-accounts/nobody", "").refused(t, 404, "ObjectNotFound")
	if after := s.events(t, "acme"); after != before {
		t.Errorf("refused writes left %d rows", after-before)
	}
	if got := s.sys(t, "GET", "/v2/orgs/acme/service-accounts", "").body; got != state {
		t.Errorf("refused writes left %s, before %s", got, state)
	}
}
