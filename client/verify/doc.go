// Package verify checks the access tokens of a Signet server offline, for the APIs
// that receive them.
//
// A [Verifier] says what a token must be; a [KeySet] finds the key that it is signed
// with, usually a [RemoteKeySet] on the server's /.well-known/jwks.json. For net/http,
// [Verifier.Middleware] admits verified requests only and [RequireScope] asks for a
// permission.
//
// An offline check sees a revocation only when the token expires. An API that cannot
// wait as long asks the server's /introspect.
package verify
