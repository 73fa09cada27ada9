package accounts

import (
	"context"
	"errors"
	"strconv"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/authz"
)

// namingAttempts bounds how often a name is generated that somebody else takes at the same instant.
const namingAttempts = 100

// naming is the write that creates an account. A name of its own is generated anew when
// another write has taken it meanwhile: both saw it free, and the database let one of them in.
func (s *Service) naming(ctx context.Context, by authz.Principal, in NewAccount, fn func(*change) (outcome, error)) error {
	for attempt := 1; ; attempt++ {
		err := s.write(ctx, by, in.Once, fn)
		if !errors.Is(err, ErrExists) || in.Slug != "" || in.Stem == "" || attempt == namingAttempts || ctx.Err() != nil {
			return err
		}
	}
}

// named is the account to create with the slug and name that its stem gives it.
func (c *change) named(ctx context.Context, org Org, in NewAccount) (NewAccount, error) {
	if in.Slug != "" || in.Stem == "" {
		return in, nil
	}
	var rules check
	rules.slug(in.Stem)
	if err := rules.err(); err != nil {
		return in, err
	}
	var err error
	if in.Slug, err = c.freeSlug(ctx, org.ID, in.Stem); err != nil {
		return in, err
	}
	if in.Name == "" {
		in.Name = in.Slug
	}
	return in, nil
}

// freeSlug finds a slug that no account of the org has or had: the stem, or the stem with a
// number whose predecessor is taken. It doubles the number until one is free and goes back by
// halves, so that a thousand names of one second take few looks.
func (c *change) freeSlug(ctx context.Context, orgID uuid.UUID, stem string) (string, error) {
	numbered := func(n int) string {
		if n == 1 {
			return stem
		}
		return stem + "-" + strconv.Itoa(n)
	}
	taken, free := 0, 0 // numbers; 0: not known yet
	for n := 1; free-taken != 1; {
		found, err := c.SlugTaken(ctx, orgID, numbered(n))
		if err != nil {
			return "", err
		}
		if found {
			taken = n
		} else {
			free = n
		}
		if n = 2 * taken; free > 0 {
			n = (taken + free) / 2
		}
	}
	return numbered(free), nil
}
