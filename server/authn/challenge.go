package authn

import (
	"errors"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

// Challenge is the header WWW-Authenticate that tells a caller what its bearer token lacks
// (RFC 6750, section 3). It is empty for an error that is not about one.
func Challenge(err error) string {
	if denied, ok := errors.AsType[*authz.DeniedError](err); ok {
		if denied.Permission == "" {
			return `Bearer error="insufficient_scope"`
		}
		return `Bearer error="insufficient_scope", scope="` + string(denied.Permission) + `"`
	}
	switch {
	case errors.Is(err, ErrBadToken):
		return `Bearer error="invalid_token"`
	case errors.Is(err, ErrNoToken), errors.Is(err, accounts.ErrUnauthenticated):
		return "Bearer"
	default:
		return ""
	}
}
