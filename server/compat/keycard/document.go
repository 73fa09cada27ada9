package keycard

import (
	_ "embed"

	"github.com/signet-issuer/signet/server/web"
)

//go:embed openapi.yaml
var source []byte

// Document is the OpenAPI document of this dialect, as JSON. The caller must not change it.
var Document = web.Document(source)
