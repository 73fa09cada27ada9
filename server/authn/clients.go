package authn

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/internal/secret"
	"github.com/signet-issuer/signet/server/web"
)

// RequestError refuses a request whose client authentication cannot be understood or is
// ambiguous (invalid_request). Description is public and constant.
type RequestError struct{ Description string }

func (e *RequestError) Error() string { return e.Description }

// Clients proves OAuth clients. It is safe for concurrent use.
//
// Its methods answer, besides [accounts.ErrUnauthenticated] for every cause and
// [accounts.ErrUnavailable], a [*web.Error] of kind too many requests to a source that
// has failed too often.
type Clients struct {
	Accounts *accounts.Service
	Limiter  web.Limiter
}

// FromRequest proves the client by the one method that the request uses:
// client_secret_basic or client_secret_post (RFC 6749, section 2.3.1). Form is the body, as
// [web.ReadForm] reads it; the query is never looked at. Ambiguity is a [*RequestError].
func (c *Clients) FromRequest(r *http.Request, form url.Values) (accounts.Client, error) {
	presented, err := readings(r, form)
	if err != nil {
		return accounts.Client{}, err
	}
	claim := accounts.Claim{From: web.ClientAddr(r.Context())}
	for _, one := range presented {
		claim.ID = one.id
		client, err := c.authenticate(r.Context(), claim, one.secret)
		if !errors.Is(err, accounts.ErrUnauthenticated) {
			return client, err
		}
	}
	if len(presented) == 0 {
		return accounts.Client{}, accounts.ErrUnauthenticated
	}
	return accounts.Client{}, failed(r.Context(), c.Limiter, claim.From, likelyName(presented))
}

// BySecret proves the client that the claim names by one of its secrets, under the same
// limits as [Clients.FromRequest].
func (c *Clients) BySecret(ctx context.Context, claim accounts.Claim, presented secret.Text) (accounts.Client, error) {
	client, err := c.authenticate(ctx, claim, presented)
	if errors.Is(err, accounts.ErrUnauthenticated) {
		return accounts.Client{}, failed(ctx, c.Limiter, claim.From, limiterName(claim.ID))
	}
	return client, err
}

// patience is how long a proof may take, whatever it has to ask for: a client hears within a
// second that the truth does not answer.
const patience = 900 * time.Millisecond

func (c *Clients) authenticate(ctx context.Context, claim accounts.Claim, presented secret.Text) (accounts.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client, err := c.Accounts.Authenticate(ctx, claim, accounts.SecretProof{Secret: presented})
	if err != nil {
		return accounts.Client{}, err
	}
	note(ctx, client.Standing())
	return client, nil
}

// note enters who the caller has proven to be into the event of the request.
func note(ctx context.Context, s accounts.Standing) {
	event := web.EventFrom(ctx)
	event.SetOrg(s.OrgSlug)
	event.SetAccount(s.Subject())
	event.SetClientID(s.ClientID)
	event.SetCredential(s.CredentialID.String())
}
