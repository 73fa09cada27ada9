// Package limits counts events in memory, and adds what other processes tell of theirs.
package limits
