// Package testenv runs a whole Signet inside a test: fresh SQLite files, or PostgreSQL and
// Redis, the real services and a server on loopback. It is for tests alone.
package testenv
