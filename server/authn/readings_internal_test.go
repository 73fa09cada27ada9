package authn

import (
	"encoding/base64"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// basicSeeds are ids and secrets that clients and servers have got wrong.
var basicSeeds = []struct{ id, secret string }{
	{"client", "secret"},
	{"sa:acme:bot", "sas_acme_3f2b"},
	{"a+b", "c d"},
	{"a%2Bb", "100%"},
	{"%", "%%"},
	{"%zz", "%4"},
	{"é", "pässwörd"},
	{"a:b", "c:d"},
	{"id", "s3cr3t:with:colons"},
	{" ", " "},
	{"\x00", "\xff"},
	{"id", "a&b=c;d?e#f/g\\h\"i"},
}

// FuzzBasicHeader: what a client encodes by RFC 6749, section 2.3.1 is read back, what it
// does not encode too unless the secret has a colon, and nothing is read that is not there.
func FuzzBasicHeader(f *testing.F) {
	for _, seed := range basicSeeds {
		f.Add(seed.id, seed.secret)
	}
	if len(basicSeeds) < 10 {
		f.Fatal("the seeds are gone")
	}
	f.Fuzz(func(t *testing.T, id, password string) {
		encoded := base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id) + ":" + url.QueryEscape(password)))
		wantReading(t, encoded, 0, id, password)
		if !strings.Contains(password, ":") {
			raw := base64.StdEncoding.EncodeToString([]byte(id + ":" + password))
			wantReading(t, raw, -1, id, password)
		}
		for _, hostile := range []string{id, password, base64.StdEncoding.EncodeToString([]byte(id))} {
			list, ok := parseBasic(hostile)
			if !ok && list != nil {
				t.Error("readings of what was refused")
			}
			for _, one := range list {
				if one.id == "" || one.secret.IsZero() {
					t.Error("an empty id or secret")
				}
			}
		}
	})
}

// wantReading expects id and secret as the reading at a place, or at any for -1.
func wantReading(t *testing.T, encoded string, place int, id, password string) {
	t.Helper()
	list, ok := parseBasic(encoded)
	if !ok || len(list) > 2 {
		t.Fatalf("%d readings, %v", len(list), ok)
	}
	if id == "" || password == "" {
		return
	}
	for i, one := range list {
		if (place < 0 || i == place) && one.id == id && one.secret.Reveal() == password {
			return
		}
	}
	t.Errorf("no reading of %q and %q at %d", id, password, place)
}

func TestStandard06_DecodedBeforeRaw(t *testing.T) {
	for _, tc := range []struct {
		text string
		want []string // id and secret, by turns
	}{
		{"id:secret", []string{"id", "secret"}},
		{"id:a+b", []string{"id", "a b", "id", "a+b"}},
		{"id:a%2Bb", []string{"id", "a+b", "id", "a%2Bb"}},
		{"id:100%", []string{"id", "100%"}},
		{"sa:acme:bot:x", []string{"sa", "acme:bot:x", "sa:acme:bot", "x"}},
		{"sa%3Aacme%3Abot:x", []string{"sa:acme:bot", "x", "sa%3Aacme%3Abot", "x"}},
		{":x", nil},
		{"x:", nil},
		{":", nil},
	} {
		list, ok := parseBasic(base64.StdEncoding.EncodeToString([]byte(tc.text)))
		var got []string
		for _, one := range list {
			got = append(got, one.id, one.secret.Reveal())
		}
		if !ok || strings.Join(got, "|") != strings.Join(tc.want, "|") {
			t.Errorf("%s reads as %q, want %q", tc.text, got, tc.want)
		}
	}
}

func TestStandard11_LimiterNames(t *testing.T) {
	for name, tc := range map[string]struct {
		presented []reading
		want      string
	}{
		"as it is":            {[]reading{{id: "client-1"}}, "client-1"},
		"folded":              {[]reading{{id: "CLIENT-1"}}, "client-1"},
		"account's UUID":      {[]reading{{id: "00000000-0000-7000-8000-000000000001"}}, "00000000-0000-7000-8000-000000000001"},
		"account's short id":  {[]reading{{id: "aaaaaaaaabyabaaaaaaaaaaaae"}}, "00000000-0000-7000-8000-000000000001"},
		"short id, folded":    {[]reading{{id: "AAAAAAAAABYABAAAAAAAAAAAAE"}}, "00000000-0000-7000-8000-000000000001"},
		"userId, not encoded": {[]reading{{id: "sa"}, {id: "sa:acme:bot"}}, "sa:acme:bot"},
		"userId, encoded":     {[]reading{{id: "sa:acme:bot"}, {id: "sa%3Aacme%3Abot"}}, "sa:acme:bot"},
		"a space":             {[]reading{{id: "a b"}}, nameless},
		"Cyrillic":            {[]reading{{id: "\u0430cme"}}, nameless},
		"control":             {[]reading{{id: "a\nb"}}, nameless},
		"too long":            {[]reading{{id: strings.Repeat("a", maxNameBytes+1)}}, nameless},
	} {
		if got := likelyName(tc.presented); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestHasBearer(t *testing.T) {
	for header, want := range map[string]bool{"Bearer x": true, "bearer x": true, "Basic x": false, "Bearerx": false, "": false} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/", nil)
		r.Header.Set("Authorization", header)
		if got := HasBearer(r); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
}
