package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"go.yaml.in/yaml/v3"
)

// Document renders an OpenAPI document from YAML to JSON, at its first use. Callers must not
// change what it returns.
func Document(source []byte) func() ([]byte, error) {
	return sync.OnceValues(func() ([]byte, error) {
		var root any
		if err := yaml.Unmarshal(source, &root); err != nil {
			return nil, fmt.Errorf("read the document: %w", err)
		}
		rendered, err := json.Marshal(root)
		if err != nil {
			return nil, fmt.Errorf("render the document: %w", err)
		}
		return rendered, nil
	})
}

// ServeDocument answers with what [Document] returned, to whoever asks.
func ServeDocument(document func() ([]byte, error)) Handler {
	return func(w http.ResponseWriter, _ *http.Request) error {
		body, err := document()
		if err != nil {
			return Internal(err)
		}
		header := w.Header()
		header.Set("Content-Type", "application/json")
		header.Set("Content-Length", strconv.Itoa(len(body)))
		header.Set("Cache-Control", "public, max-age=300")
		if _, err := w.Write(body); err != nil {
			return fmt.Errorf("send the document: %w", err)
		}
		return nil
	}
}
