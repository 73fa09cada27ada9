// Package sqlstore keeps the truth about accounts in SQL: one portable set of
// statements behind [accounts.Store].
package sqlstore
