package web

import "net/http"

const oneYear = "max-age=31536000"

// SecurityHeaders forbids browsers to guess content types and, to clients that came over
// TLS, to come back without it (RFC 6797). It stands inside of [Events].
func SecurityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if EventFrom(r.Context()).transport == encrypted {
			w.Header().Set("Strict-Transport-Security", oneYear)
		}
		next.ServeHTTP(w, r)
	})
}
