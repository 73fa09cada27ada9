// Package sqldb opens a SQL database and runs statements on it. It knows pools,
// transactions, retries and error codes, and nothing of any table. All statements
// of the program are one portable set with $1 parameters.
//
// On PostgreSQL every wait is short: a server that is down, hung or full makes any call
// end within a second by [ErrUnavailable], and needs no restart of ours when it is back.
package sqldb
