package admin

import (
	"net/http"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/server/web"
)

type rotationBody struct {
	OverlapSeconds int64 `json:"overlapSeconds"`
}

// rotatedAccount says when the older secrets end: null when they have ended, and in a
// repetition, which does not know.
type rotatedAccount struct {
	issuedAccount
	PreviousSecretExpiresAt *string `json:"previousSecretExpiresAt"`
}

func (a *api) rotateAccount(c *call) error {
	var body rotationBody
	once, err := c.readOnce(&body, web.OptionalBody)
	if err != nil {
		return err
	}
	version, err := c.ifMatch()
	if err != nil {
		return err
	}
	made, err := a.accounts.Rotate(c.r.Context(), c.by, c.account(), accounts.Rotation{
		Overlap: wholeSeconds(body.OverlapSeconds), IfVersion: version, Once: once,
	})
	if err != nil {
		return err
	}
	answer := rotatedAccount{issuedAccount: wireIssued(made), PreviousSecretExpiresAt: optionalTime(made.Previous)}
	return c.made(http.StatusOK, made.Account.Version, made.Repeated, answer)
}
