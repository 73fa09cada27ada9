package web

import (
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestHazard70_ClientAddr(t *testing.T) {
	proxies := []string{"10.0.0.0/8", "2001:db8:a::/48", "::1/128"}
	for _, tc := range []struct {
		name    string
		trusted []string
		remote  string
		headers []string
		want    string
	}{
		// GHSA-3fxj-6jh8-hvhx: without a list of proxies the header is the attacker's word.
		{"no proxies", nil, "10.0.0.1:80", []string{"192.0.2.1"}, "10.0.0.1"},
		{"peer is no proxy", proxies, "198.51.100.9:80", []string{"192.0.2.1"}, "198.51.100.9"},
		{"no header", proxies, "10.0.0.1:80", nil, "10.0.0.1"},
		{"one hop", proxies, "10.0.0.1:80", []string{"192.0.2.1"}, "192.0.2.1"},
		// CVE-2020-28483: the left end is whatever the client sent.
		{"spoofed left end", proxies, "10.0.0.1:80", []string{"203.0.113.66, 192.0.2.1"}, "192.0.2.1"},
		{"chain of proxies", proxies, "10.0.0.1:80", []string{"203.0.113.66, 192.0.2.1, 10.0.0.2"}, "192.0.2.1"},
		{"several headers", proxies, "10.0.0.1:80", []string{"203.0.113.66", "192.0.2.1", "10.0.0.2"}, "192.0.2.1"},
		{"all trusted", proxies, "10.0.0.1:80", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"garbage", proxies, "10.0.0.1:80", []string{"unknown"}, "10.0.0.1"},
		{"garbage behind a proxy", proxies, "10.0.0.1:80", []string{"192.0.2.1, evil, 10.0.0.2"}, "10.0.0.2"},
		{"empty entry", proxies, "10.0.0.1:80", []string{"192.0.2.1, ,10.0.0.2"}, "10.0.0.2"},
		{"empty header", proxies, "10.0.0.1:80", []string{""}, "10.0.0.1"},
		{"with port", proxies, "10.0.0.1:80", []string{"192.0.2.1:5000"}, "192.0.2.1"},
		{"IPv6 peer", proxies, "[::1]:80", []string{"2001:db8::5"}, "2001:db8::5"},
		{"IPv6 in brackets", proxies, "10.0.0.1:80", []string{"[2001:db8::5]"}, "2001:db8::5"},
		{"IPv6 with port", proxies, "10.0.0.1:80", []string{"[2001:db8::5]:99"}, "2001:db8::5"},
		{"IPv6 proxy", proxies, "10.0.0.1:80", []string{"2001:db8::5, 2001:db8:a::1"}, "2001:db8::5"},
		{"IPv4 in brackets", proxies, "10.0.0.1:80", []string{"[192.0.2.1]"}, "10.0.0.1"},
		{"mapped IPv4 is IPv4", proxies, "[::ffff:10.0.0.1]:80", []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		{"zone is dropped", proxies, "[fe80::1%eth0]:80", nil, "fe80::1"},
		{"no IP peer", proxies, "@", []string{"192.0.2.1"}, "invalid IP"},
		{"endless header", proxies, "10.0.0.1:80", []string{"192.0.2.1," + strings.Repeat("10.0.0.2,", 1000) + "10.0.0.3"}, "10.0.0.2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got netip.Addr
			handler := Events(EventConfig{Log: slog.New(slog.DiscardHandler), Trusted: prefixes(t, tc.trusted...)})(
				http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = ClientAddr(r.Context()) }))
			call(t, handler, "GET", "/", "", func(r *http.Request) {
				r.RemoteAddr = tc.remote
				r.Header["X-Forwarded-For"] = tc.headers
				r.Header.Set("Forwarded", "for=203.0.113.99")
				r.Header.Set("X-Real-Ip", "203.0.113.99")
			})
			if got.String() != tc.want {
				t.Errorf("client %s, want %s", got, tc.want)
			}
		})
	}
}
