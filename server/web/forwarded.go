package web

import (
	"net/http"
	"net/netip"
	"strings"
)

// maxHops bounds the work on a forwarding header that a client may have filled.
const maxHops = 32

// peerAddr returns the address at the other end of the connection, or the zero Addr.
func peerAddr(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return plainAddr(peer.Addr())
}

// forwardedFor walks X-Forwarded-For from the right, over hops that are trusted
// themselves, to the first address that is not. An entry that is no address ends the
// walk at the hop that passed it on.
func forwardedFor(headers []string, peer netip.Addr, proxies []netip.Prefix) netip.Addr {
	client := peer
	rest := strings.Join(headers, ",")
	for range maxHops {
		if rest == "" {
			return client
		}
		entry := rest
		if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
			rest, entry = rest[:comma], rest[comma+1:]
		} else {
			rest = ""
		}
		hop, ok := parseHop(strings.TrimSpace(entry))
		if !ok {
			return client
		}
		client = hop
		if !trusted(proxies, hop) {
			return client
		}
	}
	return client
}

// parseHop reads an address with or without a port, IPv6 with or without brackets.
func parseHop(entry string) (netip.Addr, bool) {
	if addr, err := netip.ParseAddr(entry); err == nil {
		return plainAddr(addr), true
	}
	if hop, err := netip.ParseAddrPort(entry); err == nil {
		return plainAddr(hop.Addr()), true
	}
	if bare, ok := strings.CutPrefix(entry, "["); ok {
		if bare, ok = strings.CutSuffix(bare, "]"); ok {
			addr, err := netip.ParseAddr(bare)
			return plainAddr(addr), err == nil && addr.Is6()
		}
	}
	return netip.Addr{}, false
}

// plainAddr gives one spelling to each address, so that it can be compared and counted.
func plainAddr(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

func trusted(proxies []netip.Prefix, addr netip.Addr) bool {
	for _, proxy := range proxies {
		if proxy.Contains(addr) {
			return true
		}
	}
	return false
}
