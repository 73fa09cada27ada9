package tokens

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

// Type is the typ header of every access token (RFC 9068, section 2.1).
const Type = "at+jwt"

// Claims is what an access token says (RFC 9068, section 2.2). Times are whole seconds.
type Claims struct {
	Issuer    string
	Subject   string
	Audience  []string // never empty
	ClientID  string   // of the credential that was proven
	ID        string   // jti
	IssuedAt  time.Time
	ExpiresAt time.Time
	Scope     authz.Set
	Org       string // slug
	Gen       int64  // sum of the generations of org, account and credential at issuance
	SecretSeq int64  // which secret of the credential was presented; 0 for other kinds
}

// ErrClaims reports a payload that [Issuer.Issue] does not write. It never carries the payload.
var ErrClaims = errors.New("not the claims of an access token")

// endOfTime is the last second of the year 9999, beyond which dates cannot be written.
const endOfTime = 253402300799

// marshal writes the payload of a token: aud is a string when there is one audience,
// scope and sec are left out when there is none.
func (c Claims) marshal() ([]byte, error) {
	w := claimsWriter{buf: make([]byte, 0, 512)}
	w.text(`{"iss":`, c.Issuer)
	w.text(`,"sub":`, c.Subject)
	w.audience(c.Audience)
	w.text(`,"client_id":`, c.ClientID)
	w.number(`,"iat":`, c.IssuedAt.Unix())
	w.number(`,"exp":`, c.ExpiresAt.Unix())
	w.text(`,"jti":`, c.ID)
	if !c.Scope.Empty() {
		w.text(`,"scope":`, c.Scope.String())
	}
	w.text(`,"org":`, c.Org)
	w.number(`,"gen":`, c.Gen)
	if c.SecretSeq != 0 {
		w.number(`,"sec":`, c.SecretSeq)
	}
	if w.err != nil {
		return nil, fmt.Errorf("encode claims: %w", w.err)
	}
	return append(w.buf, '}'), nil
}

// claimsWriter appends members and keeps the first error.
type claimsWriter struct {
	buf []byte
	err error
}

func (w *claimsWriter) text(name, value string) {
	var err error
	w.buf, err = jsontext.AppendQuote(append(w.buf, name...), value)
	if w.err == nil {
		w.err = err
	}
}

func (w *claimsWriter) number(name string, value int64) {
	w.buf = strconv.AppendInt(append(w.buf, name...), value, 10)
}

func (w *claimsWriter) audience(values []string) {
	if len(values) == 1 {
		w.text(`,"aud":`, values[0])
		return
	}
	w.list(`,"aud":`, values)
}

// list takes at least one value.
func (w *claimsWriter) list(name string, values []string) {
	separator := name + "["
	for _, value := range values {
		w.text(separator, value)
		separator = ","
	}
	w.buf = append(w.buf, ']')
}

// payload is the members of a token. A pointer tells an absent one from an empty one.
type payload struct {
	Issuer    *string        `json:"iss"`
	Subject   *string        `json:"sub"`
	Audience  jsontext.Value `json:"aud"`
	ClientID  *string        `json:"client_id"`
	IssuedAt  *int64         `json:"iat"`
	ExpiresAt *int64         `json:"exp"`
	ID        *string        `json:"jti"`
	Scope     *string        `json:"scope"`
	Org       *string        `json:"org"`
	Gen       *int64         `json:"gen"`
	SecretSeq *int64         `json:"sec"`
}

// ParseClaims reads the payload of a token whose signature has been verified. It accepts
// only what [Issuer.Issue] writes: every member with its type, no other, none twice. Errors
// are [ErrClaims]; whether the token is expired or for whom it is remains to be checked.
func ParseClaims(text []byte) (Claims, error) {
	var p payload
	if err := json.Unmarshal(text, &p, json.RejectUnknownMembers(true)); err != nil {
		return Claims{}, ErrClaims
	}
	if p.ExpiresAt == nil || p.IssuedAt == nil || p.Gen == nil {
		return Claims{}, ErrClaims
	}
	audience, scope, ok := p.sets()
	if !ok || !p.sound() {
		return Claims{}, ErrClaims
	}
	c := Claims{
		Issuer: *p.Issuer, Subject: *p.Subject, Audience: audience, ClientID: *p.ClientID, ID: *p.ID,
		IssuedAt: time.Unix(*p.IssuedAt, 0).UTC(), ExpiresAt: time.Unix(*p.ExpiresAt, 0).UTC(),
		Scope: scope, Org: *p.Org, Gen: *p.Gen,
	}
	if p.SecretSeq != nil {
		c.SecretSeq = *p.SecretSeq
	}
	return c, nil
}

// sound checks every member but aud and scope. It relies on the numbers being there.
func (p payload) sound() bool {
	for _, text := range []*string{p.Issuer, p.Subject, p.ClientID, p.ID, p.Org} {
		if text == nil || *text == "" {
			return false
		}
	}
	return ValidID(*p.ID) && accounts.ValidSlug(*p.Org) && *p.Gen >= 0 &&
		0 < *p.IssuedAt && *p.IssuedAt < *p.ExpiresAt && *p.ExpiresAt <= endOfTime &&
		(p.SecretSeq == nil || *p.SecretSeq > 0)
}

// sets reads aud, a string or an array of at least two, and scope, in canonical form.
func (p payload) sets() (audience []string, scope authz.Set, ok bool) {
	if p.Audience.Kind() == '[' {
		if json.Unmarshal(p.Audience, &audience) != nil || len(audience) < 2 {
			return nil, authz.Set{}, false
		}
	} else {
		audience = []string{""}
		if json.Unmarshal(p.Audience, &audience[0]) != nil {
			return nil, authz.Set{}, false
		}
	}
	if slices.Contains(audience, "") {
		return nil, authz.Set{}, false
	}
	if p.Scope != nil {
		var err error
		scope, err = authz.ParseSet(strings.Fields(*p.Scope))
		if err != nil || scope.Empty() || scope.String() != *p.Scope {
			return nil, authz.Set{}, false
		}
	}
	return audience, scope, true
}
