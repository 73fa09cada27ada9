package authn_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/server/authn"
)

func TestRFC6750_3_Challenge(t *testing.T) {
	for _, row := range []struct {
		err  error
		want string
	}{
		{authn.ErrNoToken, "Bearer"},
		{accounts.ErrUnauthenticated, "Bearer"},
		{fmt.Errorf("look: %w", authn.ErrBadToken), `Bearer error="invalid_token"`},
		{&authz.DeniedError{Permission: "orgs:roles:read"}, `Bearer error="insufficient_scope", scope="orgs:roles:read"`},
		{&authz.DeniedError{Reason: "nobody may"}, `Bearer error="insufficient_scope"`},
		{accounts.ErrNotFound, ""},
		{errors.New("other"), ""},
	} {
		if got := authn.Challenge(row.err); got != row.want {
			t.Errorf("%v: %q, want %q", row.err, got, row.want)
		}
	}
}
