package admin

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/signet-issuer/signet/server/web"
)

//go:embed openapi.yaml
var document []byte

// Document is the OpenAPI document of the native API, the OAuth endpoints and the
// operations, as JSON. The caller must not change it.
var Document = sync.OnceValues(func() ([]byte, error) {
	var root any
	if err := yaml.Unmarshal(document, &root); err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	rendered, err := json.Marshal(root)
	if err != nil {
		return nil, fmt.Errorf("render openapi.yaml: %w", err)
	}
	return rendered, nil
})

func serveDocument(w http.ResponseWriter, _ *http.Request) error {
	body, err := Document()
	if err != nil {
		return web.Internal(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("Cache-Control", "public, max-age=300")
	if _, err := w.Write(body); err != nil {
		return fmt.Errorf("send the document: %w", err)
	}
	return nil
}
