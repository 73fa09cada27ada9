// Package authn finds out who is calling: [Clients] proves OAuth clients by their
// credentials, [Bearers] proves callers by an access token, for every door that takes one.
package authn
