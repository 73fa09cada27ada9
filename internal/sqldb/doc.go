// Package sqldb opens a SQL database and runs statements on it. It knows pools,
// transactions, retries and error codes, and nothing of any table. All statements
// of the program are one portable set with $1 parameters.
package sqldb
