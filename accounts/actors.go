package accounts

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/authz"
)

// Actor is who made or changed an object, beyond the sub that its [Stamp] has.
type Actor struct {
	Subject string
	ID      uuid.UUID // of the account; zero: it is gone, no account, or not for the caller to see
	Name    string    // empty as ID is zero
}

// Actors describes the actors of stamps, by their subjects. Callers see themselves, and with the
// permission to read accounts those of the orgs that they reach; of others no more than the subject.
func (s *Service) Actors(ctx context.Context, by authz.Principal, subjects ...string) (map[string]Actor, error) {
	known := make(map[string]Actor, len(subjects))
	err := s.store.Read(ctx, func(r Reader) error {
		for _, subject := range subjects {
			if _, done := known[subject]; done {
				continue
			}
			actor, err := findActor(ctx, r, by, subject)
			if err != nil {
				return err
			}
			known[subject] = actor
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return known, nil
}

func findActor(ctx context.Context, r Reader, by authz.Principal, subject string) (Actor, error) {
	nobody := Actor{Subject: subject}
	account, err := visibleActor(ctx, r, by, subject)
	if errors.Is(err, ErrNotFound) {
		return nobody, nil
	}
	if err != nil {
		return nobody, err
	}
	return Actor{Subject: subject, ID: account.ID, Name: account.Name}, nil
}

// visibleActor answers [ErrNotFound] for whoever is not shown.
func visibleActor(ctx context.Context, r Reader, by authz.Principal, subject string) (ServiceAccount, error) {
	org, slug, ok := parseUserID(subject)
	itself := subject == by.Subject
	if !ok || (!itself && !by.Allows(authz.Permission(authz.ServiceAccounts, authz.Read))) {
		return ServiceAccount{}, ErrNotFound
	}
	owner, err := r.Org(ctx, BySlug(org))
	if err != nil {
		return ServiceAccount{}, err
	}
	if !itself && !by.Reaches(owner.ID) {
		return ServiceAccount{}, ErrNotFound
	}
	return r.Account(ctx, owner.ID, BySlug(slug))
}

// parseUserID reads what [UserID] writes.
func parseUserID(subject string) (org, slug string, ok bool) {
	rest, ok := strings.CutPrefix(subject, "sa:")
	if !ok {
		return "", "", false
	}
	org, slug, ok = strings.Cut(rest, ":")
	return org, slug, ok && ValidSlug(org) && ValidSlug(slug)
}
