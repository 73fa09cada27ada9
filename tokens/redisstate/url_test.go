package redisstate

import (
	"slices"
	"strings"
	"testing"

	"github.com/signet-issuer/signet/internal/secret"
)

func TestParseURL(t *testing.T) {
	tests := []struct {
		text string
		want location
	}{
		{"redis://h:1", location{shape: standalone, addrs: []string{"h:1"}}},
		{"redis://h", location{shape: standalone, addrs: []string{"h:6379"}}},
		{"redis://h:1/", location{shape: standalone, addrs: []string{"h:1"}}},
		{"redis://h:1/3", location{shape: standalone, addrs: []string{"h:1"}, database: 3}},
		{"redis://[2001:db8::1]:1/3", location{shape: standalone, addrs: []string{"[2001:db8::1]:1"}, database: 3}},
		{"redis://[2001:db8::1]", location{shape: standalone, addrs: []string{"[2001:db8::1]:6379"}}},
		{"redis://:pass@h:1", location{shape: standalone, addrs: []string{"h:1"}, password: "pass"}},
		{"redis://user:p%40%2Fss:x@h:1", location{shape: standalone, addrs: []string{"h:1"}, username: "user", password: "p@/ss:x"}},
		{"redis://u:p@ss@h:1", location{shape: standalone, addrs: []string{"h:1"}, username: "u", password: "p@ss"}},
		{"rediss://h:1", location{shape: standalone, tls: true, addrs: []string{"h:1"}}},
		{"redis+sentinel://a,b:2,c:3/main", location{shape: sentinel, addrs: []string{"a:26379", "b:2", "c:3"}, master: "main"}},
		{"rediss+sentinel://u:p@a:1/my%20main/2", location{
			shape: sentinel, tls: true, addrs: []string{"a:1"}, username: "u", password: "p", master: "my main", database: 2,
		}},
		{"redis+cluster://a:1,b:2", location{shape: cluster, addrs: []string{"a:1", "b:2"}}},
		{"rediss+cluster://a:1", location{shape: cluster, tls: true, addrs: []string{"a:1"}}},
	}
	for _, tt := range tests {
		got, err := parseURL(tt.text)
		same := got.shape == tt.want.shape && got.tls == tt.want.tls && slices.Equal(got.addrs, tt.want.addrs) &&
			got.username == tt.want.username && got.password == tt.want.password && got.master == tt.want.master && got.database == tt.want.database
		if err != nil || !same {
			t.Errorf("%s: %+v, %v", tt.text, got, err)
		}
	}
	got, err := parseURL("rediss+sentinel://a:1/m?ca_file=%2Fca&cert_file=c&key_file=k&sentinel_username=su&sentinel_password=sp")
	if err != nil || got.query[caFile] != "/ca" || got.query[sentinelPassword] != "sp" || len(got.query) != 5 {
		t.Errorf("%+v, %v", got, err)
	}
}

// Every problem is named, and nothing of the text is: a password may be anywhere.
func TestI29_URLProblems(t *testing.T) {
	const canary = "hunter2"
	tests := []struct {
		text     string
		problems []string
	}{
		{"", []string{"scheme"}},
		{canary, []string{"scheme"}},
		{"http://hunter2@h:1", []string{"scheme"}},
		{"redis+hunter2://h:1", []string{"scheme"}},
		{"REDIS://h:1", []string{"scheme"}},
		{"redis://", []string{"host 1: it is missing"}},
		{"redis://:1", []string{"host 1: it is missing"}},
		{"redis://h:hunter2", []string{"host 1: the port"}},
		{"redis://h:0", []string{"host 1: the port"}},
		{"redis://h:65536", []string{"host 1: the port"}},
		{"redis://h:1:hunter2", []string{"host 1: it is neither"}},
		{"redis://[hunter2]:1", []string{}},
		{"redis://u:hunter2@[2001:db8::1:1", []string{}},
		{"redis://a:1,b:2", []string{"several hosts"}},
		{"redis://u@h:1", []string{"no password"}},
		{"redis://hunter2:@h:1", []string{"no password"}},
		{"redis://u:hunter2%zz@h:1", []string{"percent sign"}},
		{"redis://u:hunter2@h:1/hunter2", []string{"database is not a number"}},
		{"redis://h:1/-1", []string{"database is not a number"}},
		{"redis://h:1/0/1", []string{"database is not a number"}},
		{"redis://h:1#hunter2", []string{"percent form", "port"}},
		{"redis+sentinel://a:1", []string{"name of the master"}},
		{"redis+sentinel://a:1/%zzhunter2", []string{"name of the master"}},
		{"redis+sentinel://a:1,,b:hunter2/m/x", []string{"host 2: it is missing", "host 3: the port", "database"}},
		{"redis+cluster://a:1/0", []string{"no databases"}},
		{"redis://h:1?hunter2=1", []string{"the query knows"}},
		{"redis://h:1?ca_file=hunter2", []string{"ca_file is for TLS"}},
		{"rediss://h:1?cert_file=hunter2", []string{"belong together"}},
		{"rediss://h:1?ca_file=", []string{"ca_file needs one value"}},
		{"rediss://h:1?ca_file=a&ca_file=hunter2", []string{"ca_file needs one value"}},
		{"redis://h:1?sentinel_password=hunter2", []string{"sentinel_password is for"}},
		{"redis+sentinel://h:1/m?sentinel_username=hunter2", []string{"no sentinel_password"}},
		{"redis://h:1?a=%zzhunter2", []string{"query cannot be read"}},
		{"redis://h:1?a;hunter2", []string{"query cannot be read"}},
	}
	for _, tt := range tests {
		_, err := parseURL(tt.text)
		if err == nil {
			if len(tt.problems) > 0 {
				t.Errorf("%s is accepted", tt.text)
			}
			continue
		}
		for _, problem := range tt.problems {
			if !strings.Contains(err.Error(), problem) {
				t.Errorf("%s: %q does not name %q", tt.text, err, problem)
			}
		}
		if strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the problem repeats it: %v", tt.text, err)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{
		"redis://u:p@h:1/2", "rediss+sentinel://u:p@[::1]:1,b:2/m/3?ca_file=x", "redis+cluster://a:1,b", "redis://%zz@/?;",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		loc, err := parseURL(text)
		if err != nil {
			return
		}
		if len(loc.addrs) == 0 || loc.shape == sentinel && loc.master == "" || loc.username != "" && loc.password == "" {
			t.Errorf("%q: %+v", text, loc)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	const canary = "hunter2"
	for _, cfg := range []Config{
		{},
		{URL: secret.New("redis://u:hunter2@h:x")},
		{URL: secret.New("redis://u:hunter2@127.0.0.1:1"), Prefix: "a*"},
		{URL: secret.New("redis://u:hunter2@127.0.0.1:1"), Prefix: strings.Repeat("a", 65)},
		{URL: secret.New("rediss://u:hunter2@127.0.0.1:1?ca_file=/nowhere/ca.pem")},
		{URL: secret.New("rediss://u:hunter2@127.0.0.1:1?cert_file=/nowhere/c.pem&key_file=/nowhere/k.pem")},
	} {
		s, err := Open(t.Context(), cfg)
		if err == nil {
			_ = s.Close(t.Context())
			t.Error("a configuration that cannot be used is accepted")
			continue
		}
		if strings.Contains(err.Error(), canary) {
			t.Errorf("the password is in the error: %v", err)
		}
	}
}
