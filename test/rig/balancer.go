package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	healthInterval = 100 * time.Millisecond
	healthTimeout  = 500 * time.Millisecond
	// balancerTries is how often a request that may be repeated is sent.
	balancerTries = 4
)

// repeatable are the paths of requests that change nothing and may be sent again.
var repeatable = []string{"/token", "/introspect", "/.well-known/jwks.json"}

// balancer spreads requests over the replicas in turn, as any load balancer does: it leaves
// out who is not ready, ends what is in flight there, and repeats what may be repeated.
type balancer struct {
	backends []*backend
	turn     atomic.Uint64
	repeated atomic.Int64
	stop     context.CancelFunc
	checks   sync.WaitGroup
}

type backend struct {
	base      *url.URL
	transport *http.Transport

	mu   sync.Mutex
	down bool
	lost context.CancelCauseFunc // ends what is in flight
	life context.Context         // of what is in flight
}

var errDown = errors.New("the replica was taken out")

func startBalancer(ctx context.Context, replicas []*replica) (*balancer, error) {
	b := &balancer{}
	for _, r := range replicas {
		base, err := url.Parse(r.url)
		if err != nil {
			return nil, err
		}
		one := &backend{base: base, transport: newTransport()}
		one.life, one.lost = context.WithCancelCause(context.Background())
		b.backends = append(b.backends, one)
	}
	checking, stop := context.WithCancel(context.WithoutCancel(ctx))
	b.stop = stop
	for _, one := range b.backends {
		b.checks.Go(func() { one.check(checking) })
	}
	return b, nil
}

func (b *balancer) close() {
	b.stop()
	b.checks.Wait()
	for _, one := range b.backends {
		one.set(true)
		one.abort()
		one.transport.CloseIdleConnections()
	}
}

// RoundTrip implements [http.RoundTripper].
func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	tries := 1
	if slices.Contains(repeatable, r.URL.Path) {
		tries = balancerTries
	}
	var err error
	for try := range tries {
		if try > 0 {
			b.repeated.Add(1)
		}
		one := b.next()
		var response *http.Response
		if response, err = one.send(r); err == nil {
			return response, nil
		}
		if r.Context().Err() != nil {
			return nil, err
		}
		one.set(true)
	}
	return nil, err
}

// next is the next backend in turn that is not down, or simply the next.
func (b *balancer) next() *backend {
	first := b.turn.Add(1)
	for i := range uint64(len(b.backends)) {
		if one := b.backends[(first+i)%uint64(len(b.backends))]; !one.isDown() {
			return one
		}
	}
	return b.backends[first%uint64(len(b.backends))]
}

func (one *backend) send(r *http.Request) (*http.Response, error) {
	life := one.inFlight()
	ctx, cancel := context.WithCancelCause(r.Context())
	stop := context.AfterFunc(life, func() { cancel(errDown) })
	out := r.Clone(ctx)
	out.URL.Scheme, out.URL.Host, out.Host = one.base.Scheme, one.base.Host, ""
	if r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		out.Body = body
	}
	response, err := one.transport.RoundTrip(out)
	if err != nil {
		stop()
		cancel(nil)
		return nil, err
	}
	response.Body = &endingBody{response.Body, func() { stop(); cancel(nil) }}
	return response, nil
}

// endingBody lets go of the request's context when its body is closed.
type endingBody struct {
	io.ReadCloser
	end func()
}

func (b *endingBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}

func (one *backend) isDown() bool {
	one.mu.Lock()
	defer one.mu.Unlock()
	return one.down
}

func (one *backend) inFlight() context.Context {
	one.mu.Lock()
	defer one.mu.Unlock()
	return one.life
}

// set takes the replica out for new requests, or in again.
func (one *backend) set(down bool) {
	one.mu.Lock()
	defer one.mu.Unlock()
	one.down = down
}

// abort ends what is in flight.
func (one *backend) abort() {
	one.mu.Lock()
	defer one.mu.Unlock()
	one.lost(errDown)
	one.life, one.lost = context.WithCancelCause(context.Background())
}

// check asks again and again whether the replica is ready. One that says no is left to finish
// what it has; from one that says nothing, nothing is waited for.
func (one *backend) check(ctx context.Context) {
	client := &http.Client{Timeout: healthTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	for ctx.Err() == nil {
		status, err := one.status(ctx, client)
		one.set(err != nil || status != http.StatusOK)
		if err != nil {
			one.abort()
		}
		select {
		case <-ctx.Done():
		case <-time.After(healthInterval):
		}
	}
}

func (one *backend) status(ctx context.Context, client *http.Client) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, one.base.JoinPath("readyz").String(), nil)
	if err != nil {
		return 0, err
	}
	response, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}
