// Package archtest holds the house to its plan: who may import whom, where a library may
// appear, and how long a file or function may get. Everything is in its tests, which
// parse the files themselves, so that Go's test cache notices a change.
package archtest
