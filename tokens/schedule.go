package tokens

import (
	"errors"
	"fmt"
	"time"
)

const (
	// Poll is how often every replica looks for a new key set.
	Poll = time.Second
	// Skew is how far the clocks of replicas and verifiers may be apart.
	Skew = 60 * time.Second

	// hurriedMaxAge is how long verifiers may cache the key set while it is in motion: the
	// active key signs before it was ripe, or this replica has lost touch with the truth.
	hurriedMaxAge = 30 * time.Second
	// staleAfter is how long a missed poll stays within what Skew allows for.
	staleAfter = 5 * Poll

	longestDuration = 365 * 24 * time.Hour
)

// Schedule is how keys rotate and how long tokens live.
type Schedule struct {
	JWKSMaxAge  time.Duration // how long verifiers may cache the key set
	Rotation    time.Duration // age at which the active key is replaced
	MaxLifetime time.Duration // of a token
}

// Ripening is how long a new key is published before it may sign.
func (s Schedule) Ripening() time.Duration { return s.JWKSMaxAge + Poll + Skew }

// CheckSchedule returns every reason why s would break a verifier or cannot be kept.
func CheckSchedule(s Schedule) error {
	var errs []error
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"key set max-age", s.JWKSMaxAge},
		{"key rotation", s.Rotation},
		{"longest token lifetime", s.MaxLifetime},
	} {
		if d.value < time.Second || d.value > longestDuration {
			errs = append(errs, fmt.Errorf("%s %s: must be from 1s to %s", d.name, d.value, longestDuration))
		}
	}
	if s.Rotation <= s.Ripening() {
		errs = append(errs, fmt.Errorf(
			"key rotation %s: must be longer than %s, which a new key is published before it signs (key set max-age %s and %s)",
			s.Rotation, s.Ripening(), s.JWKSMaxAge, Poll+Skew))
	}
	return errors.Join(errs...)
}

// CheckLifetimes returns an error unless a token's default lifetime is positive and within the longest.
func CheckLifetimes(standard, longest time.Duration) error {
	if standard < time.Second || standard > longest {
		return fmt.Errorf("token lifetime %s: must be from 1s to the longest token lifetime %s", standard, longest)
	}
	return nil
}
