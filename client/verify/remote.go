package verify

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// RemoteKeySet keeps the keys of a JWK Set that it reads over HTTP. It reads again before
// they grow old and when a key is unknown, once for all who wait, and forgets a key as
// soon as the server has dropped it. Set the fields before the first use. The zero
// value of each optional one is a good choice.
type RemoteKeySet struct {
	URL string // required: {issuer}/.well-known/jwks.json

	// Client should not follow redirects. Nil: one that does not.
	Client *http.Client
	// MinInterval is the least time between two reads, whatever tokens say. 0: 10 s.
	MinInterval time.Duration
	// MaxStale is how long keys are still used when they are old and the server does not
	// answer. 0: 1 h, the longest life of a token.
	MaxStale time.Duration
	// Timeout bounds one read. 0: 5 s.
	Timeout time.Duration
	// InsecureAllowHTTP reads over plain HTTP from other hosts than this one. Whoever is
	// on the way can then sign tokens.
	InsecureAllowHTTP bool
	Now               func() time.Time // nil: time.Now

	mu          sync.Mutex
	keys        StaticKeySet
	freshUntil  time.Time
	renewFrom   time.Time
	attemptedAt time.Time
	failure     error         // of the last read, nil after a good one
	reading     chan struct{} // closed when the read under way is done
}

// Key implements [KeySet]. The error is [ErrNoKey] or an [*UnavailableError]. It waits for
// the server only when the keys are old or the one asked for is unknown; cancelling ctx
// ends the wait, not the read that others share.
func (s *RemoteKeySet) Key(ctx context.Context, kid, alg string) (crypto.PublicKey, error) {
	key, wait := s.lookUp(kid, alg)
	if key != nil {
		return key, nil
	}
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, &UnavailableError{Err: ctx.Err()}
		}
	}
	return s.settle(kid, alg)
}

// lookUp returns the key, or what to wait for before [RemoteKeySet.settle] knows more.
func (s *RemoteKeySet) lookUp(kid, alg string) (crypto.PublicKey, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	key := s.usable(kid, alg, now)
	switch {
	case key == nil:
		return nil, s.read(now)
	case now.Before(s.renewFrom):
		return key, nil
	case now.Before(s.freshUntil), s.failure != nil:
		// Nobody waits for a server that has just failed, or while the keys are fresh.
		s.read(now)
		return key, nil
	default:
		return nil, s.read(now)
	}
}

func (s *RemoteKeySet) settle(kid, alg string) (crypto.PublicKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if key := s.usable(kid, alg, s.now()); key != nil {
		return key, nil
	}
	if s.failure != nil {
		return nil, &UnavailableError{RetryAfter: s.minInterval(), Err: s.failure}
	}
	return nil, ErrNoKey
}

// usable returns a key that is fresh or old by no more than MaxStale.
func (s *RemoteKeySet) usable(kid, alg string, now time.Time) crypto.PublicKey {
	key, ok := s.keys.keys[keyName{kid: kid, alg: canonicalAlg(alg)}]
	if !ok || !now.Before(s.freshUntil.Add(orDefault(s.MaxStale, time.Hour))) {
		return nil
	}
	return key
}

// read starts a read unless one is under way, and returns what tells its end, or nil
// when the last one is too recent.
func (s *RemoteKeySet) read(now time.Time) <-chan struct{} {
	if s.reading != nil {
		return s.reading
	}
	since := now.Sub(s.attemptedAt)
	if !s.attemptedAt.IsZero() && since >= 0 && since < s.minInterval() {
		return nil
	}
	s.attemptedAt = now
	s.reading = make(chan struct{})
	go s.renew(s.reading)
	return s.reading
}

func (s *RemoteKeySet) renew(done chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), orDefault(s.Timeout, 5*time.Second))
	defer cancel()
	keys, lifetime, err := s.fetch(ctx)

	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		now := s.now()
		lifetime = min(max(lifetime, s.minInterval()), maxLifetime)
		s.keys = keys
		s.freshUntil = now.Add(lifetime)
		s.renewFrom = now.Add(lifetime / 4 * 3)
	}
	s.failure = err
	s.reading = nil
	close(done)
}

func (s *RemoteKeySet) fetch(ctx context.Context) (StaticKeySet, time.Duration, error) {
	if err := s.checkURL(); err != nil {
		return StaticKeySet{}, 0, err
	}
	client := s.Client
	if client == nil {
		client = defaultClient
	}
	return fetchJWKS(ctx, client, s.URL)
}

func (s *RemoteKeySet) checkURL() error {
	address, err := url.Parse(s.URL)
	if err != nil || address.Host == "" {
		return errors.New("the key set URL is not absolute")
	}
	if address.Scheme == "https" || address.Scheme == "http" && (s.InsecureAllowHTTP || isLoopback(address.Hostname())) {
		return nil
	}
	return fmt.Errorf("the key set URL has scheme %q: https is needed", address.Scheme)
}

func (s *RemoteKeySet) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

func (s *RemoteKeySet) minInterval() time.Duration { return orDefault(s.MinInterval, 10*time.Second) }

func orDefault(d, fallback time.Duration) time.Duration {
	if d <= 0 {
		return fallback
	}
	return d
}
