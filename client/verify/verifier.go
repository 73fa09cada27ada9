package verify

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// MaxLeeway is the most that a [Verifier] forgives the clocks.
const MaxLeeway = 60 * time.Second

// Verifier checks access tokens. Its zero value refuses every token. Set the fields
// before the first use and leave them alone afterwards; it is then safe for concurrent use.
type Verifier struct {
	Issuer   string // required: the server's issuer URL, to the byte
	Audience string // required: what this API is called in tokens, to the byte
	Org      string // required: slug of the org whose tokens this API takes
	Keys     KeySet // required

	// InsecureSkipOrgCheck takes tokens of every org. Set it only in an API that reads
	// [Token.Org] and keeps the orgs apart itself.
	InsecureSkipOrgCheck bool

	// Leeway is how far this clock may be off: 0 means [MaxLeeway], more is cut to
	// it, less than 0 means none.
	Leeway time.Duration
	Now    func() time.Time // nil: time.Now
}

// Token is a verified access token.
type Token struct {
	Subject   string // sa:{org}:{slug}
	ClientID  string // of the credential that it was issued to
	Org       string // slug
	Scopes    []string
	Audience  []string
	ID        string // jti
	IssuedAt  time.Time
	ExpiresAt time.Time
	Payload   []byte // all claims, as signed
}

// Verify checks a token in compact form. The error is an [*InvalidError], an
// [*UnavailableError] or wraps [ErrConfig]; the token is nil then.
func (v *Verifier) Verify(ctx context.Context, raw string) (*Token, error) {
	if err := v.configured(); err != nil {
		return nil, err
	}
	_, payload, err := VerifySignature(ctx, raw, v.Keys)
	if err != nil {
		return nil, err
	}
	c, err := parseClaims(payload)
	if err != nil {
		return nil, err
	}
	if err := v.accept(c); err != nil {
		return nil, err
	}
	return c.token(payload), nil
}

func (v *Verifier) configured() error {
	switch {
	case v.Issuer == "":
		return fmt.Errorf("%w: Issuer is empty", ErrConfig)
	case v.Audience == "":
		return fmt.Errorf("%w: Audience is empty", ErrConfig)
	case v.Keys == nil:
		return fmt.Errorf("%w: Keys is nil", ErrConfig)
	case v.Org == "" && !v.InsecureSkipOrgCheck:
		return fmt.Errorf("%w: Org is empty", ErrConfig)
	case v.Org != "" && v.InsecureSkipOrgCheck:
		return fmt.Errorf("%w: Org and InsecureSkipOrgCheck exclude each other", ErrConfig)
	}
	return nil
}

func (v *Verifier) accept(c claims) error {
	now, leeway := v.now(), v.leeway()
	switch {
	case c.Issuer != v.Issuer:
		return refuse(WrongIssuer)
	case !slices.Contains(c.audience, v.Audience):
		return refuse(WrongAudience)
	case !v.InsecureSkipOrgCheck && c.Org != v.Org:
		return refuse(WrongOrg)
	case !now.Before(time.Unix(c.ExpiresAt, 0).Add(leeway)):
		return refuse(Expired)
	case now.Add(leeway).Before(time.Unix(max(c.IssuedAt, c.NotBefore), 0)):
		return refuse(NotYetValid)
	}
	return nil
}

func (v *Verifier) now() time.Time {
	if v.Now == nil {
		return time.Now()
	}
	return v.Now()
}

func (v *Verifier) leeway() time.Duration {
	if v.Leeway == 0 {
		return MaxLeeway
	}
	return min(max(v.Leeway, 0), MaxLeeway)
}
