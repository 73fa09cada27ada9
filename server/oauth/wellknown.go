package oauth

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/signet-issuer/signet/server/web"
)

// metadataMaxAge is how long the metadata may be cached.
const metadataMaxAge = 5 * time.Minute

// jwks is the key set. Verifiers may keep an old one for as long again when we do not answer
// (RFC 5861); no key that they need is younger.
func (s *surface) jwks(w http.ResponseWriter, r *http.Request) error {
	set := s.Keys.JWKS()
	seconds := strconv.FormatInt(int64(set.MaxAge/time.Second), 10)
	header := w.Header()
	header.Set("Cache-Control", "public, max-age="+seconds+", stale-if-error="+seconds)
	header.Set("ETag", set.ETag)
	if matches(r.Header.Values("If-None-Match"), set.ETag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(set.Body)))
	if _, err := w.Write(set.Body); err != nil {
		return fmt.Errorf("send the key set: %w", err)
	}
	return nil
}

// matches compares weakly (RFC 9110, section 13.1.2).
func matches(headers []string, etag string) bool {
	for _, header := range headers {
		for candidate := range strings.SplitSeq(header, ",") {
			candidate = strings.TrimSpace(candidate)
			if candidate == "*" || strings.TrimPrefix(candidate, "W/") == etag {
				return true
			}
		}
	}
	return false
}

// metadata describes the server (RFC 8414, section 2). It leaves out what it has none of.
type metadata struct {
	Issuer                   string   `json:"issuer"`
	TokenEndpoint            string   `json:"token_endpoint"`
	JWKSURI                  string   `json:"jwks_uri"`
	ScopesSupported          []string `json:"scopes_supported,omitempty"`
	GrantTypesSupported      []string `json:"grant_types_supported"`
	TokenAuthMethods         []string `json:"token_endpoint_auth_methods_supported"`
	IntrospectionEndpoint    string   `json:"introspection_endpoint"`
	IntrospectionAuthMethods []string `json:"introspection_endpoint_auth_methods_supported"`
	RevocationEndpoint       string   `json:"revocation_endpoint"`
	RevocationAuthMethods    []string `json:"revocation_endpoint_auth_methods_supported"`
}

// discovery is the metadata for libraries that only know OpenID Connect. They take the
// algorithms of our tokens from the member for ID tokens, of which there are none.
type discovery struct {
	metadata
	SubjectTypes []string `json:"subject_types_supported"`
	Algorithms   []string `json:"id_token_signing_alg_values_supported"`
}

func (s *surface) describe() metadata {
	methods := []string{"client_secret_basic", "client_secret_post"}
	return metadata{
		Issuer:                   s.Issuer,
		TokenEndpoint:            s.Issuer + tokenPath,
		JWKSURI:                  s.Issuer + jwksPath,
		ScopesSupported:          s.ScopesSupported,
		GrantTypesSupported:      []string{"client_credentials"},
		TokenAuthMethods:         methods,
		IntrospectionEndpoint:    s.Issuer + introspectPath,
		IntrospectionAuthMethods: methods,
		RevocationEndpoint:       s.Issuer + revokePath,
		RevocationAuthMethods:    methods,
	}
}

func (s *surface) metadata(w http.ResponseWriter, _ *http.Request) error {
	return writePublic(w, s.describe())
}

func (s *surface) discovery(w http.ResponseWriter, _ *http.Request) error {
	algorithms, err := algorithmsOf(s.Keys.JWKS().Body)
	if err != nil {
		return err
	}
	return writePublic(w, discovery{metadata: s.describe(), SubjectTypes: []string{"public"}, Algorithms: algorithms})
}

func writePublic(w http.ResponseWriter, v any) error {
	w.Header().Set("Cache-Control", "public, max-age="+strconv.Itoa(int(metadataMaxAge/time.Second)))
	return web.WriteJSON(w, http.StatusOK, v)
}

// algorithmsOf lists what the published keys sign with.
func algorithmsOf(jwks []byte) ([]string, error) {
	var set struct {
		Keys []struct {
			Alg string `json:"alg"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(jwks, &set); err != nil {
		return nil, fmt.Errorf("read the key set: %w", err)
	}
	names := []string{}
	for _, key := range set.Keys {
		names = append(names, key.Alg)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
