package tokens

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
	"github.com/signet-issuer/signet/internal/secret"
)

const (
	// Passports is the purpose of the keys that sign passports, and nothing else.
	Passports Purpose = "passport"
	// PassportAlgorithm is the one that verifiers of passports know.
	PassportAlgorithm = ES512
	// PassportType is the typ header of every passport. It is none that an access token has.
	PassportType = "passport+jwt"
	// PassportLifetime is the longest that a passport lives.
	PassportLifetime = time.Minute
)

// What every passport says of itself, in the words of the services that read it.
const (
	passportIssuer  = "uni-identity"
	passportClaim   = "passport"
	passportAccount = "service"
	passportSource  = "uni"
)

// PassportRequest is what a passport is asked for.
type PassportRequest struct {
	Audiences []string  // names of services; with Resources none: the passport is for the issuer
	Resources []string  // absolute URIs without a fragment (RFC 8693, section 2.1)
	Org       uuid.UUID // in which the bearer is about to act; zero: the passport does not say
	Until     time.Time // when what it is exchanged for ends; zero: never
}

// Passport is a short-lived statement of who its bearer is. It carries no permission.
type Passport struct {
	Value    secret.Text
	Lifetime time.Duration
}

// Passport states who stands behind a bearer token that was just honoured. No record of it
// is kept. It answers what [Issuer.Issue] does, and [authz.ErrScopeRefused] for an org that is
// not the bearer's own, unless the bearer is of the system org.
func (i *Issuer) Passport(ctx context.Context, standing accounts.Standing, req PassportRequest) (Passport, error) {
	if i.passports == nil {
		return Passport{}, errors.New("no keys for passports are configured")
	}
	if req.Org != uuid.Nil && req.Org != standing.OrgID && !standing.System() {
		return Passport{}, authz.ErrScopeRefused
	}
	audience, err := i.passportAudience(req)
	if err != nil {
		return Passport{}, err
	}
	id, err := uuid.NewRandomFromReader(i.random)
	if err != nil {
		return Passport{}, fmt.Errorf("make a passport's id: %w", err)
	}
	now := i.now().UTC()
	issuedAt := now.Truncate(time.Second)
	var lifetime time.Duration
	value, err := i.mint(ctx, i.passports, bearer{standing, now}, func(longest time.Duration) ([]byte, error) {
		lifetime = passportLifetime(issuedAt, longest, req.Until, standing.ExpiresAt())
		if lifetime < time.Second {
			return nil, accounts.ErrUnauthenticated
		}
		return passportClaims(standing, req.Org, passportFrame{id, audience, issuedAt, issuedAt.Add(lifetime)})
	})
	if err != nil {
		return Passport{}, err
	}
	return Passport{Value: value, Lifetime: lifetime}, nil
}

// passportLifetime ends with whichever ends first.
func passportLifetime(issuedAt time.Time, longest time.Duration, ends ...time.Time) time.Duration {
	lifetime := min(PassportLifetime, longest)
	for _, end := range ends {
		if !end.IsZero() {
			lifetime = min(lifetime, end.Sub(issuedAt))
		}
	}
	return lifetime.Truncate(time.Second)
}

// passportAudience is the set of whom the passport is for. An audience is any name that the
// services agree on: it gives nobody anything, and narrows where the passport is good.
func (i *Issuer) passportAudience(req PassportRequest) ([]string, error) {
	var audience []string
	for _, resource := range req.Resources {
		uri, err := url.Parse(resource)
		if err != nil || !uri.IsAbs() || strings.Contains(resource, "#") {
			return nil, &TargetError{"a resource must be an absolute URI without a fragment"}
		}
	}
	for _, name := range slices.Concat(req.Resources, req.Audiences) {
		if name == "" || len(name) > accounts.MaxURIBytes || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return nil, &TargetError{"an audience must be 1 to 255 bytes of printable text"}
		}
		if !slices.Contains(audience, name) {
			audience = append(audience, name)
		}
	}
	if len(audience) > maxAudiences {
		return nil, &TargetError{"too many audiences for one passport"}
	}
	if len(audience) == 0 {
		return []string{i.issuer}, nil
	}
	return audience, nil
}

// passportFrame is what makes one passport differ from the next of the same bearer.
type passportFrame struct {
	id                  uuid.UUID
	audience            []string
	issuedAt, expiresAt time.Time
}

// passportClaims writes the payload. Accounts and organizations are named by their ids.
func passportClaims(standing accounts.Standing, org uuid.UUID, frame passportFrame) ([]byte, error) {
	orgs := []string{standing.OrgID.String()}
	if org != uuid.Nil && org != standing.OrgID {
		orgs = append(orgs, org.String())
	}
	w := claimsWriter{buf: make([]byte, 0, 512)}
	w.text(`{"iss":`, passportIssuer)
	w.text(`,"jti":`, frame.id.String())
	w.text(`,"sub":`, standing.AccountID.String())
	w.list(`,"aud":`, frame.audience)
	w.number(`,"iat":`, frame.issuedAt.Unix())
	w.number(`,"exp":`, frame.expiresAt.Unix())
	w.text(`,"typ":`, passportClaim)
	w.text(`,"acctype":`, passportAccount)
	w.text(`,"source":`, passportSource)
	w.text(`,"src_iss":`, passportSource)
	w.list(`,"org_ids":`, orgs)
	if org != uuid.Nil {
		w.text(`,"org_id":`, org.String())
	}
	return append(w.buf, '}'), w.err
}
