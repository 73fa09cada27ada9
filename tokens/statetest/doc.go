// Package statetest is the conformance suite of the state that replicas share or one
// process keeps: last uses, records of live tokens and rate limits. Every implementation
// runs [Run] and [RunConcurrent].
package statetest
