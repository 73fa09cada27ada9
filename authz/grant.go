package authz

import (
	"errors"
	"fmt"
)

// Limits of what one token may carry, so that it fits the headers of common servers.
const (
	MaxGranted      = 64
	MaxGrantedBytes = 3072
)

// MaxHeld is how many patterns the roles of one account may add up to. Beyond it the
// account is allowed nothing, so that no request pays for the product of huge sets.
const MaxHeld = 256

// Reasons why a scope cannot be granted (RFC 6749, section 5.2: invalid_scope).
var (
	ErrScopeEmpty   = errors.New("none of the requested scope is allowed")
	ErrScopeRefused = errors.New("some of the requested scope is not allowed")
	ErrScopeTooWide = errors.New("the scope does not fit a token: request less of it")
)

// Restrict narrows s to ceiling. An empty ceiling adds no restriction.
func (s Set) Restrict(ceiling Set) Set {
	if ceiling.Empty() {
		return s
	}
	return s.Intersect(ceiling)
}

// Grant decides the scope of a token: requested ∩ allowed, everything allowed when
// nothing was requested. Allowed is already what the audience serves. With strict,
// any request outside allowed is refused instead of dropped.
func Grant(requested, allowed Set, strict bool) (Set, error) {
	granted := allowed
	if !requested.Empty() {
		if strict && !allowed.Contains(requested) {
			return Set{}, ErrScopeRefused
		}
		granted = requested.Intersect(allowed)
		if granted.Empty() {
			return Set{}, ErrScopeEmpty
		}
	}
	if granted.Len() > MaxGranted || len(granted.String()) > MaxGrantedBytes {
		return Set{}, fmt.Errorf("%w: at most %d patterns in %d bytes", ErrScopeTooWide, MaxGranted, MaxGrantedBytes)
	}
	return granted, nil
}
