package server

import "github.com/signet-issuer/signet/server/web"

// Surfaces are what [New] serves.
func (d Deps) Surfaces() []web.Surface { return d.surfaces() }
