package verify

import (
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// lastSecond is the end of the year 9999: later times do not survive arithmetic.
const lastSecond = 253402300799

// claims are what RFC 9068, section 2.2 requires, and what we look at besides.
type claims struct {
	Issuer      string         `json:"iss"`
	Subject     string         `json:"sub"`
	RawAudience jsontext.Value `json:"aud"`
	ClientID    string         `json:"client_id"`
	ID          string         `json:"jti"`
	ExpiresAt   int64          `json:"exp"`
	IssuedAt    int64          `json:"iat"`
	NotBefore   int64          `json:"nbf"`
	Org         string         `json:"org"`
	Scope       string         `json:"scope"`

	audience []string
}

// parseClaims refuses what is missing, empty or of the wrong JSON type. Names are exact,
// and twice the same name is an error.
func parseClaims(payload []byte) (claims, error) {
	var c claims
	if err := unmarshalObject(payload, &c); err != nil {
		return claims{}, refuse(BadClaim)
	}
	audience, ok := parseAudience(c.RawAudience)
	c.audience = audience
	required := []struct {
		name    string
		present bool
	}{
		{"iss", c.Issuer != ""},
		{"sub", c.Subject != ""},
		{"aud", ok},
		{"client_id", c.ClientID != ""},
		{"jti", c.ID != ""},
		{"exp", c.ExpiresAt > c.IssuedAt && c.ExpiresAt <= lastSecond},
		{"iat", c.IssuedAt > 0 && c.IssuedAt <= lastSecond},
		{"nbf", c.NotBefore >= 0 && c.NotBefore <= lastSecond},
	}
	for _, claim := range required {
		if !claim.present {
			return claims{}, &InvalidError{Reason: BadClaim, Claim: claim.name}
		}
	}
	return c, nil
}

// parseAudience reads a string or an array of strings (RFC 7519, section 4.1.3).
func parseAudience(raw jsontext.Value) ([]string, bool) {
	var audience []string
	switch raw.Kind() {
	case jsontext.KindString:
		audience = make([]string, 1)
		if err := json.Unmarshal(raw, &audience[0]); err != nil {
			return nil, false
		}
	case jsontext.KindBeginArray:
		if err := json.Unmarshal(raw, &audience); err != nil {
			return nil, false
		}
	}
	return audience, len(audience) > 0 && !slices.Contains(audience, "")
}

func (c claims) token(payload []byte) *Token {
	return &Token{
		Subject:   c.Subject,
		ClientID:  c.ClientID,
		Org:       c.Org,
		Scopes:    strings.Fields(c.Scope),
		Audience:  c.audience,
		ID:        c.ID,
		IssuedAt:  time.Unix(c.IssuedAt, 0).UTC(),
		ExpiresAt: time.Unix(c.ExpiresAt, 0).UTC(),
		Payload:   payload,
	}
}
