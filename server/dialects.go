package server

import (
	"github.com/signet-issuer/signet/server/authn"
	"github.com/signet-issuer/signet/server/compat/keycard"
	"github.com/signet-issuer/signet/server/compat/nscale"
	"github.com/signet-issuer/signet/server/compat/rezolve"
	"github.com/signet-issuer/signet/server/oauth"
	"github.com/signet-issuer/signet/server/web"
)

// Dialects says which vendors' service-account APIs are served. What is off has no route. The
// native API, which is Prisme's too, is always on: Prisme adds its paths of the OAuth endpoints.
type Dialects struct{ Prisme, Keycard, Nscale, Rezolve bool }

// AllDialects turns every door on.
var AllDialects = Dialects{Prisme: true, Keycard: true, Nscale: true, Rezolve: true}

func (d Dialects) aliases() oauth.Aliases {
	return oauth.Aliases{Prisme: d.Prisme, Keycard: d.Keycard, Rezolve: d.Rezolve}
}

func (d Deps) dialects(bearers *authn.Bearers) []web.Surface {
	var surfaces []web.Surface
	if d.Dialects.Keycard {
		surfaces = append(surfaces, keycard.Surface(keycard.Config{Accounts: d.Accounts, Bearers: bearers}))
	}
	if d.Dialects.Nscale {
		surfaces = append(surfaces, nscale.Surface(nscale.Config{
			Issuer: d.IssuerURL, Accounts: d.Accounts, Bearers: bearers, Tokens: d.Issuer, Passports: d.Passports,
		}))
	}
	if d.Dialects.Rezolve {
		surfaces = append(surfaces, rezolve.Surface(rezolve.Config{
			Issuer: d.IssuerURL, Accounts: d.Accounts, Tokens: d.Issuer, Registry: d.Registry, Bearers: bearers, Now: d.Now,
		}))
	}
	return surfaces
}
