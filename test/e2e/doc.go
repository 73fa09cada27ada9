// Package e2e runs the binary as its users do: real processes, real files, HTTP over
// loopback. Everything is in its tests.
package e2e
