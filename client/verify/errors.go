package verify

import (
	"errors"
	"fmt"
	"time"
)

// ErrNoKey is what a [KeySet] answers when it is sure that it has no such key.
var ErrNoKey = errors.New("no such key")

// ErrConfig reports a [Verifier] that lacks a required field. It says nothing about the token.
var ErrConfig = errors.New("verifier is not configured")

// Reason says which rule a token breaks.
type Reason string

// The reasons to refuse a token, in the order of the checks.
const (
	Malformed      Reason = "malformed"       // no compact JWS, too large, or not strict JSON
	WrongType      Reason = "wrong type"      // the header typ is not at+jwt
	WrongAlgorithm Reason = "wrong algorithm" // not an asymmetric signature that we know, or crit is used
	UnknownKey     Reason = "unknown key"     // the issuer has no such key for that algorithm
	BadSignature   Reason = "bad signature"
	BadClaim       Reason = "bad claim" // missing or not of its type
	WrongIssuer    Reason = "wrong issuer"
	WrongAudience  Reason = "wrong audience"
	WrongOrg       Reason = "wrong org"
	Expired        Reason = "expired"
	NotYetValid    Reason = "not yet valid"
)

// InvalidError says that the token is refused: HTTP status 401. It names the first rule
// that the token breaks; it may break others too. From BadClaim on, the signature is good.
type InvalidError struct {
	Reason Reason
	Claim  string // the claim that a BadClaim is about, or empty
}

func (e *InvalidError) Error() string {
	if e.Claim != "" {
		return fmt.Sprintf("token refused: %s %s", e.Reason, e.Claim)
	}
	return "token refused: " + string(e.Reason)
}

// UnavailableError says that the keys could not be had and nothing is known about the
// token: HTTP status 503. Err is the cause, a context error when the caller gave up.
type UnavailableError struct {
	RetryAfter time.Duration // when it is worth another try; zero: unknown
	Err        error
}

func (e *UnavailableError) Error() string { return fmt.Sprintf("keys are unavailable: %v", e.Err) }

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

func refuse(reason Reason) error { return &InvalidError{Reason: reason} }
