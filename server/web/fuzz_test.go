package web

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type document struct {
	RoleSlug string            `json:"roleSlug"`
	Count    int64             `json:"count"`
	Ratio    float64           `json:"ratio"`
	Disabled *bool             `json:"disabled"`
	Tags     map[string]string `json:"tags"`
	Scopes   []string          `json:"scopes"`
	Inner    *document         `json:"inner"`
}

// Whatever we accept, encoding/json reads in the same way: no reader behind us can see
// another document (hazard 17).
func FuzzStrictJSON(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, ``, `{"roleSlug":"api","count":-1,"ratio":1e3,"disabled":null,"tags":{"a":"b"},"scopes":["x"]}`,
		`{"inner":{"inner":{"roleSlug":"é\ud83d\ude00"}}}`, `{"role\u017flug":"owner"}`, `{"roleſlug":"owner"}`,
		`{"ROLESLUG":"owner"}`, `{"count":1,"count":2}`, `{"scopes":null}{}`, `{"count":9223372036854775808}`,
		`{"roleSlug":"\ud800"}`, "{\"roleSlug\":\"\xff\"}", `{"a":[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]}`, `{"count":1.0}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var ours, theirs document
		err := ReadJSON(jsonRequest(t, body), &ours)
		if err != nil {
			if refused := err.(*Error); refused.Status >= 500 { //nolint:errorlint // the contract is the exact type
				t.Fatalf("status %d", refused.Status)
			}
			return
		}
		if err := json.Unmarshal([]byte(body), &theirs); err != nil {
			t.Fatalf("encoding/json refuses %q: %v", body, err)
		}
		if diff := cmp.Diff(theirs, ours); diff != "" {
			t.Fatalf("%q: %s", body, diff)
		}
	})
}

func FuzzTokenForm(f *testing.F) {
	for _, seed := range []string{
		"", "grant_type=client_credentials&scope=a+b%20c&resource=x&resource=y", "a=1;b=2", "a=%zz", "a=1&a=2",
		"&&=&", "a=%00", "a=%ff", "%61=1", "a", "scope=&scope=", "a=%C3%A9=b", strings.Repeat("a=1&", 101),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		form, err := ReadForm(formRequest(t, body), "resource")
		if err != nil {
			if refused := err.(*Error); refused.Status >= 500 || form != nil { //nolint:errorlint // the contract is the exact type
				t.Fatalf("status %d, form %v", refused.Status, form)
			}
			return
		}
		for name, values := range form {
			if len(values) != 1 && name != "resource" || name == "" || values[0] == "" {
				t.Fatalf("%q: parameter %q has values %q", body, name, values)
			}
		}
		again, err := ReadForm(formRequest(t, form.Encode()), "resource")
		if err != nil && form.Encode() != "" && len(form.Encode()) <= MaxFormBytes {
			t.Fatalf("%q: refused once encoded again: %v", body, err)
		}
		if diff := cmp.Diff(form, again); err == nil && diff != "" {
			t.Fatalf("%q: %s", body, diff)
		}
		std, err := url.ParseQuery(body)
		if err != nil {
			t.Fatalf("%q: net/url refuses: %v", body, err)
		}
		for name := range form {
			if std.Get(name) != form.Get(name) && name != "resource" {
				t.Fatalf("%q: net/url reads %q as %q", body, name, std.Get(name))
			}
		}
	})
}

// Whatever a client sends ahead of the proxy's own entry, that entry decides.
func FuzzForwardedFor(f *testing.F) {
	for _, seed := range []string{
		"", "203.0.113.66", "[::1]:80, 10.0.0.1", ",,,", "unknown", "10.0.0.1,10.0.0.2", "\x00", "fe80::1%eth0", "::ffff:10.0.0.1",
		strings.Repeat("10.0.0.1,", 100),
	} {
		f.Add(seed, "192.0.2.1")
	}
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	peer := netip.MustParseAddr("10.0.0.1")
	f.Fuzz(func(t *testing.T, sent, appended string) {
		header := http.Header{"X-Forwarded-For": {sent, appended}}
		client := forwardedFor(header.Values("X-Forwarded-For"), peer, proxies)
		if !client.IsValid() || client.Zone() != "" || client.Is4In6() {
			t.Fatalf("client %v", client)
		}
		if last, err := netip.ParseAddr(appended); err == nil && !trusted(proxies, plainAddr(last)) && client != plainAddr(last) {
			t.Fatalf("%q made the client %v, the proxy saw %v", sent, client, last)
		}
	})
}
