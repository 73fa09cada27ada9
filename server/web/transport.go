package web

import (
	"net/http"
	"net/netip"
)

// RequireTLS refuses plain HTTP, unless the peer is this machine or a trusted proxy,
// which ends TLS for us. Health probes may be plain. It stands inside of [Events].
func RequireTLS(proxies []netip.Prefix) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			peer := peerAddr(r)
			if r.TLS == nil && !peer.IsLoopback() && !trusted(proxies, peer) && !isProbe(r) {
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
