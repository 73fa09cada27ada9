package web

import (
	"net/http"
	"net/netip"
	"strings"
)

// transport is how the client's request came to whom we trust: us or a trusted proxy.
type transport int

const (
	exposed   transport = iota // in plain, over a network
	unexposed                  // in plain within this machine, or as a trusted proxy did not say
	encrypted                  // over TLS
)

// direct tells the transport of a request that no trusted proxy passed on.
func direct(r *http.Request, peer netip.Addr) transport {
	switch {
	case r.TLS != nil:
		return encrypted
	case peer.IsLoopback():
		return unexposed
	default:
		return exposed
	}
}

// forwardedProto tells the transport by what a trusted proxy says of it. Proxies in a row
// may say it one after the other; none may say anything but https.
func forwardedProto(headers []string, tls bool) transport {
	said := strings.Join(headers, ",")
	if strings.TrimSpace(said) == "" {
		if tls {
			return encrypted
		}
		return unexposed
	}
	for proto := range strings.SplitSeq(said, ",") {
		if !strings.EqualFold(strings.TrimSpace(proto), "https") {
			return exposed
		}
	}
	return encrypted
}

// RequireTLS refuses plain HTTP, unless it comes from this machine or from a trusted proxy
// that does not say that the client's was plain. What exempt holds for, as
// [Router.Exempt], may be plain. It stands inside of [Events] and refuses all without.
func RequireTLS(exempt func(*http.Request) bool) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if EventFrom(r.Context()).transport == exposed && !exempt(r) {
				Fail(w, r, &Error{
					Status: http.StatusForbidden, Kind: KindInsecureTransport,
					Message: "this server answers over TLS only",
				})
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
