package admin

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/server/web"
)

type secretWire struct {
	ID                string  `json:"id"`
	Hint              string  `json:"hint"`
	CreatedAt         string  `json:"createdAt"`
	ExpiresAt         *string `json:"expiresAt"`
	LastUsedAt        *string `json:"lastUsedAt"`
	LastUsedKnown     bool    `json:"lastUsedKnown"`
	LastUsedAddress   *string `json:"lastUsedAddress"`
	LastUsedUserAgent *string `json:"lastUsedUserAgent"`
}

func wireSecret(s accounts.Secret) secretWire {
	return secretWire{
		ID: s.ID.String(), Hint: s.Hint, CreatedAt: wireTime(s.CreatedAt), ExpiresAt: optionalTime(s.ExpiresAt),
		LastUsedAt: optionalTime(s.LastUse.At), LastUsedKnown: !s.LastUse.Unknown,
		LastUsedAddress: optionalAddr(s.LastUse.Addr), LastUsedUserAgent: optionalText(s.LastUse.UserAgent),
	}
}

func optionalAddr(addr netip.Addr) *string {
	if !addr.IsValid() {
		return nil
	}
	return optionalText(addr.String())
}

type issuedSecret struct {
	secretWire
	ClientSecret       string `json:"clientSecret,omitzero"`
	SecretAlreadyShown bool   `json:"secretAlreadyShown,omitzero"`
}

type newSecret struct {
	ExpiresAt web.Field[time.Time] `json:"expiresAt"`
}

func (n newSecret) domain(once accounts.Once) (accounts.NewSecret, error) {
	var bad fieldErrors
	in := accounts.NewSecret{ExpiresAt: bad.expiry("expiresAt", n.ExpiresAt).Value, Once: once}
	return in, bad.err()
}

func (a *api) listSecrets(c *call) error {
	found, err := a.accounts.Secrets(c.r.Context(), c.by, c.account(), c.id("credential"))
	if err != nil {
		return err
	}
	return c.list(listOf(found, len(found), wireSecret))
}

func (a *api) addSecret(c *call) error {
	in, err := readNew[newSecret](c, web.OptionalBody)
	if err != nil {
		return err
	}
	made, err := a.accounts.AddSecret(c.r.Context(), c.by, c.account(), c.id("credential"), in)
	if err != nil {
		return err
	}
	if made.Repeated {
		c.replayed()
	}
	return c.answer(http.StatusCreated, issuedSecret{
		secretWire: wireSecret(made.Secret), ClientSecret: made.Value.Reveal(), SecretAlreadyShown: made.Repeated,
	})
}

func (a *api) retireSecret(c *call) error {
	err := a.accounts.RetireSecret(c.r.Context(), c.by, c.account(), c.id("credential"), c.id("secret"))
	if err != nil {
		return err
	}
	return c.done()
}
