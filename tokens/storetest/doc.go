// Package storetest is the conformance suite of [tokens.Store].
package storetest
