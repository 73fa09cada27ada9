package accounts

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"github.com/signet-issuer/signet/internal/secret"
)

// Client is an account whose credential was proven a moment ago. Only
// [Service.Authenticate] makes one, so that whoever holds it may issue for it.
type Client struct{ standing Standing }

// Standing is what truth said of the credential at the proof.
func (c Client) Standing() Standing { return c.standing }

// Claim is what a request says of itself before anything is proven.
type Claim struct {
	ID   string     // client id; for secrets also the account's id in either spelling, or its userId
	At   AccountRef // names the account in place of ID, for secrets only; zero: ID does
	From netip.Addr // checked against the credential's allowed addresses
}

// Proof is the evidence that a client presents. Prove finds the credential that it
// proves, or answers [ErrNotFound] when it proves none.
type Proof interface {
	Prove(ctx context.Context, directory Directory) (Standing, error)
}

// Directory is what a [Proof] may look up.
type Directory interface {
	// BySecret finds the credential that has this live secret, or [ErrNotFound].
	BySecret(ctx context.Context, presented secret.Text) (Standing, error)
}

// SecretProof proves a credential by one of its secrets.
type SecretProof struct{ Secret secret.Text }

// Prove implements [Proof].
func (p SecretProof) Prove(ctx context.Context, directory Directory) (Standing, error) {
	return directory.BySecret(ctx, p.Secret)
}

// Authenticate answers a [Client] when the proof leads to a live credential that the claim
// names and that may be used from there. Every other cause is one and the same
// [ErrUnauthenticated]; storage that does not answer is [ErrUnavailable].
func (s *Service) Authenticate(ctx context.Context, claim Claim, proof Proof) (Client, error) {
	standing, err := proof.Prove(ctx, directory{s})
	if errors.Is(err, ErrNotFound) {
		return Client{}, ErrUnauthenticated
	}
	if err != nil {
		return Client{}, err
	}
	// A token is presented as it is, and proves no client.
	if standing.Kind != KindToken && standing.Live(s.now()) && standing.claimed(claim) && standing.admits(claim.From) {
		return Client{standing: standing}, nil
	}
	if err := s.lookAgain(ctx, standing); err != nil {
		return Client{}, err
	}
	return Client{}, ErrUnauthenticated
}

// lookAgain evens out the work of a refusal: a wrong secret costs a look-up that finds nothing.
// So must a right one that is refused from memory, else the time would tell that it is right.
func (s *Service) lookAgain(ctx context.Context, refused Standing) error {
	if !refused.Remembered {
		return nil
	}
	_, err := directory{s}.BySecret(ctx, secret.New(refused.ClientID))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Standing returns what truth says now of the credential behind a token: its client id and
// the number of the secret. It answers [ErrNotFound] when either is gone, and for a credential
// of [KindToken], which is traded for no token.
func (s *Service) Standing(ctx context.Context, clientID string, seq int64) (Standing, error) {
	standing, err := s.store.StandingByClient(ctx, clientID, seq)
	if err == nil && (standing.Kind == KindToken || (standing.Kind == KindSecret && seq == 0)) {
		return Standing{}, ErrNotFound
	}
	return standing, err
}

func (s Standing) claimed(claim Claim) bool {
	if claim.At == (AccountRef{}) {
		return s.named(claim.ID)
	}
	return s.Kind == KindSecret && claim.At.Org.names(s.OrgID, s.OrgSlug) && claim.At.Account.names(s.AccountID, s.AccountSlug)
}

func (s Standing) named(id string) bool {
	if id == s.ClientID {
		return true
	}
	return s.Kind == KindSecret &&
		(id == s.AccountID.String() || id == ShortID(s.AccountID) || id == s.Subject())
}

func (s Standing) admits(from netip.Addr) bool {
	return len(s.AllowedCIDRs) == 0 ||
		slices.ContainsFunc(s.AllowedCIDRs, func(p netip.Prefix) bool { return p.Contains(from.Unmap()) })
}

type directory struct{ *Service }

// BySecret implements [Directory].
func (d directory) BySecret(ctx context.Context, presented secret.Text) (Standing, error) {
	hashes, err := d.peppers.candidates(ctx, presented)
	if err != nil {
		return Standing{}, err
	}
	return d.store.StandingBySecret(ctx, hashes)
}
