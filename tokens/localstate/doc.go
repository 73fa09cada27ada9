// Package localstate keeps the state of the embedded mode in a second SQLite file:
// records of live tokens, last uses that are not in the store yet, and rate limits.
// Nothing in the file is truth: deleting it while the server is stopped loses only
// what an administrator would have seen.
package localstate
