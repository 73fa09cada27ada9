package oauth

import (
	"context"
	"errors"
	"net/http"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/server/authn"
	"github.com/signet-issuer/signet/server/web"
)

// revoke is the revocation endpoint (RFC 7009). It ends tokens of the client's own account.
// For any other text it answers 200 and does nothing, so that it says nothing.
func (s *surface) revoke(w http.ResponseWriter, r *http.Request) error {
	form, err := web.ReadForm(r)
	if err != nil {
		return err
	}
	client, err := s.Clients.FromRequest(r, form)
	if err != nil {
		return err
	}
	if !form.Has("token") {
		return errNoTokenParam
	}
	if err := s.end(r.Context(), client.Standing(), form.Get("token")); err != nil {
		return err
	}
	web.NoStore(w)
	w.WriteHeader(http.StatusOK)
	return nil
}

// end revokes a token that is the account's, whatever it is worth at the moment: what makes
// it inactive now, as a narrower role, may pass.
func (s *surface) end(ctx context.Context, own accounts.Standing, raw string) error {
	claims, err := s.Bearers.Read(ctx, own, raw)
	if errors.Is(err, authn.ErrBadToken) {
		return nil
	}
	if err != nil {
		return err
	}
	if claims.Subject != own.Subject() {
		return nil
	}
	return s.Registry.RevokeOwn(ctx, own, claims.ID, claims.ExpiresAt)
}
