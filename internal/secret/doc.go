// Package secret holds what must not leak: a text type that cannot print itself
// and the master key that seals other keys at rest.
package secret
