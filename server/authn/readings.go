package authn

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/server/web"
)

var (
	errManyHeaders = &RequestError{"the header Authorization occurs more than once"}
	errManyMethods = &RequestError{"more than one way of client authentication is used"}
	errMalformed   = &RequestError{"the Basic credentials are malformed"}
	errDifferentID = &RequestError{"client_id differs from the one in the header Authorization"}
	errMissingID   = &RequestError{"client_id is missing"}
)

// reading is one way to understand what a client presents.
type reading struct {
	id     string
	secret secret.Text
}

// readings returns what the client may have meant, most likely first, and nothing when it
// presents nothing that could prove it.
func readings(r *http.Request, form url.Values) ([]reading, error) {
	header, err := web.OneHeader(r, "Authorization")
	if err != nil {
		return nil, errManyHeaders
	}
	used := 0
	for _, method := range []bool{
		header != "", form.Has("client_secret"), form.Has("client_assertion") || form.Has("client_assertion_type"),
	} {
		if method {
			used++
		}
	}
	switch {
	case used > 1:
		return nil, errManyMethods
	case header != "":
		return fromHeader(header, form.Get("client_id"))
	case !form.Has("client_secret"):
		return nil, nil
	case !form.Has("client_id"):
		return nil, errMissingID
	}
	return []reading{{id: form.Get("client_id"), secret: secret.New(form.Get("client_secret"))}}, nil
}

// fromHeader reads an Authorization header. A client_id in the body must be the same client's.
func fromHeader(header, bodyID string) ([]reading, error) {
	encoded, ok := credentialsOf(header, "Basic")
	if !ok {
		return nil, nil
	}
	presented, ok := parseBasic(encoded)
	if !ok {
		return nil, errMalformed
	}
	if bodyID == "" {
		return presented, nil
	}
	same := slices.DeleteFunc(presented, func(one reading) bool { return one.id != bodyID })
	if len(same) == 0 {
		return nil, errDifferentID
	}
	return same, nil
}

// credentialsOf returns what follows the scheme, whose case does not matter (RFC 9110,
// section 11.4).
func credentialsOf(header, scheme string) (string, bool) {
	named, credentials, _ := strings.Cut(header, " ")
	return strings.Trim(credentials, " "), strings.EqualFold(named, scheme)
}

// parseBasic reads id and secret as RFC 6749, section 2.3.1 encodes them, and then as they
// stand, since many clients do not encode. Our ids may contain a colon and our secrets do
// not, hence the last one separates those.
func parseBasic(encoded string) ([]reading, bool) {
	plain, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, false
	}
	text := string(plain)
	first, last := strings.IndexByte(text, ':'), strings.LastIndexByte(text, ':')
	if first < 0 {
		return nil, false
	}
	var list []reading
	id, errID := url.QueryUnescape(text[:first])
	password, errPassword := url.QueryUnescape(text[first+1:])
	if errID == nil && errPassword == nil && id != "" && password != "" {
		list = append(list, reading{id: id, secret: secret.New(password)})
	}
	rawID, rawPassword := text[:last], text[last+1:]
	if rawID != "" && rawPassword != "" && (len(list) == 0 || rawID != id || rawPassword != password) {
		list = append(list, reading{id: rawID, secret: secret.New(rawPassword)})
	}
	return list, true
}

// HasBearer reports whether the request authenticates by a bearer token, good or bad.
func HasBearer(r *http.Request) bool {
	header := r.Header.Values("Authorization")
	if len(header) != 1 {
		return false
	}
	_, ok := credentialsOf(header[0], "Bearer")
	return ok
}
