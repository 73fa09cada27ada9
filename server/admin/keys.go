package admin

import (
	"errors"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/server/web"
	"github.com/signet-issuer/signet/tokens"
)

type keyWire struct {
	KID         string  `json:"kid"`
	Alg         string  `json:"alg"`
	State       string  `json:"state"`
	PreparedAt  string  `json:"preparedAt"`
	RipeAt      string  `json:"ripeAt"`
	ActivatedAt *string `json:"activatedAt"`
	RetiredAt   *string `json:"retiredAt"`
	RemoveAt    *string `json:"removeAt"`
}

func wireKey(k tokens.Key) keyWire {
	return keyWire{
		KID: k.KID, Alg: k.Alg, State: string(k.State), PreparedAt: wireTime(k.PreparedAt), RipeAt: wireTime(k.RipeAt),
		ActivatedAt: optionalTime(k.ActivatedAt), RetiredAt: optionalTime(k.RetiredAt), RemoveAt: optionalTime(k.RemoveAt),
	}
}

func (a *api) listKeys(c *call) error {
	found, err := a.keys.List(c.r.Context(), c.by)
	if err != nil {
		return err
	}
	return c.list(listOf(found, len(found), wireKey))
}

func (a *api) rotateKeys(c *call) error {
	var body struct {
		Force bool `json:"force"`
	}
	once, err := c.readOnce(&body, web.OptionalBody)
	if err != nil {
		return err
	}
	err = a.keys.Rotate(c.r.Context(), c.by, tokens.RotateRequest{Force: body.Force, Once: once})
	if _, repeated := errors.AsType[*accounts.RepeatedError](err); repeated {
		c.replayed()
		return c.done()
	}
	if err != nil {
		return err
	}
	return c.done()
}

func (a *api) dropKey(c *call) error {
	if err := a.keys.Drop(c.r.Context(), c.by, web.Var(c.r, "kid")); err != nil {
		return err
	}
	return c.done()
}
