// Package oauth is the OAuth 2.0 surface: the token endpoint with its aliases (RFC 6749),
// introspection (RFC 7662), revocation (RFC 7009), the key set (RFC 7517) and the server's
// metadata (RFC 8414). Every answer, also one without a route, speaks RFC 6749.
package oauth
