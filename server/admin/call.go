package admin

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/server/web"
)

// call is one request of an authenticated caller.
type call struct {
	w     http.ResponseWriter
	r     *http.Request
	by    authz.Principal
	query url.Values // only parameters that the route has, each once
}

// admin adapts a handler that pays no heed to versions. A write that is meant for one only is refused.
func (a *api) admin(handle func(*call) error, params ...string) web.Handler {
	return a.versioned(func(c *call) error {
		if _, sent := c.r.Header["If-Match"]; sent && c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
			return invalid("If-Match", "is not for this resource, which has no version of its own")
		}
		return handle(c)
	}, params...)
}

// versioned adapts a handler: the caller is known before anything else of the request is read.
func (a *api) versioned(handle func(*call) error, params ...string) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		by, err := a.bearers.Principal(r)
		if err != nil {
			return err
		}
		query, err := readQuery(r, params)
		if err != nil {
			return err
		}
		return handle(&call{w: w, r: r, by: by, query: query})
	}
}

const maxQueryValueRunes = 255

func readQuery(r *http.Request, params []string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, web.BadRequest("the query is not valid")
	}
	for name, values := range query {
		if !slices.Contains(params, name) {
			return nil, web.BadRequest("the query has a parameter that is not known here")
		}
		if len(values) > 1 {
			return nil, invalid(name, "occurs more than once")
		}
		text := values[0]
		if !utf8.ValidString(text) || utf8.RuneCountInString(text) > maxQueryValueRunes || strings.ContainsFunc(text, unicode.IsControl) {
			return nil, invalid(name, "at most 255 printable characters")
		}
	}
	return query, nil
}

func (c *call) org() accounts.Ref { return accounts.ParseRef(web.Var(c.r, "org")) }

func (c *call) account() accounts.AccountRef {
	return accounts.AccountRef{Org: c.org(), Account: accounts.ParseRef(web.Var(c.r, "slug"))}
}

// id reads an id from the path. What is no id is the zero id, which no object has.
func (c *call) id(name string) uuid.UUID {
	id, _ := accounts.ParseID(web.Var(c.r, name))
	return id
}

// creation is the body of a POST that makes something; In is what the domain takes for it.
type creation[In any] interface {
	domain(once accounts.Once) (In, error)
}

// readNew reads a creation.
func readNew[Body creation[In], In any](c *call, options ...web.JSONOption) (in In, err error) {
	var body Body
	once, err := c.readOnce(&body, options...)
	if err != nil {
		return in, err
	}
	return body.domain(once)
}

// change is the body of a PATCH; Patch is what the domain takes for it.
type change[Patch any] interface {
	domain(ifVersion *int64) (Patch, error)
}

// readPatch reads a change and the version that it is meant for.
func readPatch[Body change[Patch], Patch any](c *call) (patch Patch, err error) {
	var body Body
	if err := web.ReadJSON(c.r, &body); err != nil {
		return patch, err
	}
	version, err := c.ifMatch()
	if err != nil {
		return patch, err
	}
	return body.domain(version)
}

// readOnce decodes the body and returns the idempotency key with the fingerprint of method,
// path and body.
func (c *call) readOnce(body any, options ...web.JSONOption) (accounts.Once, error) {
	fingerprint := sha256.New()
	_, _ = io.WriteString(fingerprint, c.r.Method+"\n"+c.r.URL.EscapedPath()+"\n")
	c.r.Body = io.NopCloser(io.TeeReader(c.r.Body, fingerprint))
	if err := web.ReadJSON(c.r, body, options...); err != nil {
		return accounts.Once{}, err
	}
	key, err := idempotencyKey(c.r)
	if err != nil || key == "" {
		return accounts.Once{}, err
	}
	return accounts.Once{Key: key, Fingerprint: hex.EncodeToString(fingerprint.Sum(nil))}, nil
}

const maxKeyBytes = 255

// idempotencyKey is empty when there is none.
func idempotencyKey(r *http.Request) (string, error) {
	key, err := web.OneHeader(r, "Idempotency-Key")
	if err != nil {
		return "", err
	}
	if _, sent := r.Header["Idempotency-Key"]; !sent {
		return "", nil
	}
	if key == "" || len(key) > maxKeyBytes || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", invalid("Idempotency-Key", "1 to 255 visible ASCII characters")
	}
	return key, nil
}

// otherVersion is no object's: versions begin at 1.
const otherVersion = -1

// ifMatch reads the version that the caller expects, nil for any.
func (c *call) ifMatch() (*int64, error) {
	text, err := web.OneHeader(c.r, "If-Match")
	if err != nil {
		return nil, err
	}
	if _, sent := c.r.Header["If-Match"]; !sent || text == "*" {
		return nil, nil
	}
	opaque := strings.TrimPrefix(text, "W/")
	if len(opaque) < 2 || opaque[0] != '"' || strings.IndexByte(opaque[1:], '"') != len(opaque)-2 {
		return nil, invalid("If-Match", `must be "*" or one entity tag such as "3", with its quotes`)
	}
	version, err := strconv.ParseInt(opaque[1:len(opaque)-1], 10, 64)
	if err != nil || version < 1 || entityTag(version) != text {
		version = otherVersion // a well-formed tag that no object of ours has
	}
	return &version, nil
}

func entityTag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// answer sends v. It may carry a secret, so nobody may keep it.
func (c *call) answer(status int, v any) error {
	web.NoStore(c.w)
	return web.WriteJSON(c.w, status, v)
}

// object sends one object with its version as the entity tag.
func (c *call) object(status int, version int64, v any) error {
	c.w.Header().Set("ETag", entityTag(version))
	return c.answer(status, v)
}

// made sends what a POST has made, now or under the same idempotency key before.
func (c *call) made(status int, version int64, repeated bool, v any) error {
	if repeated {
		c.replayed()
	}
	return c.object(status, version, v)
}

// replayed says that the answer is about what an earlier request did.
func (c *call) replayed() { c.w.Header().Set("Idempotent-Replayed", "true") }

// remove deletes the version that the caller expects.
func (c *call) remove(del func(ifVersion *int64) error) error {
	version, err := c.ifMatch()
	if err != nil {
		return err
	}
	if err := del(version); err != nil {
		return err
	}
	return c.done()
}

// done answers what leaves nothing to show.
func (c *call) done() error {
	return c.answer(http.StatusOK, struct {
		Success bool `json:"success"`
	}{true})
}
