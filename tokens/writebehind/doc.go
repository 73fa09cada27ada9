// Package writebehind lets what tokens leave behind wait in memory until it is written, so
// that no request waits for a disk or a network. What waits is bounded and can be asked for.
package writebehind
