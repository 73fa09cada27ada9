// Package authz decides what a caller may do: patterns and sets of them, what a
// service account is allowed, what a token is granted, and what an administrator
// may reach and hand on. It is pure: no I/O, no clock, no state.
package authz
