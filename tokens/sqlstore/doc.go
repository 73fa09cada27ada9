// Package sqlstore keeps the truth about tokens in SQL: signing keys and revocations.
package sqlstore
