package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	org          = "rig"
	accountsPath = "/v2/orgs/" + org + "/service-accounts"
	// clientCount is how many accounts the load uses, so that each is used several times a second.
	clientCount = 24
)

// stage is a fleet with what rows need of it: ways in, accounts for the load, and the oracle.
type stage struct {
	*fleet
	kind     fleetKind
	session  *session
	balancer *balancer
	balanced *door   // through the balancer
	direct   []*door // of each replica

	clients  []*client
	oracle   *oracle
	accounts int   // made so far
	uses     []use // that must be known at the latest when the replicas have stopped in order
}

// client is an account of the load: nothing is ever done to it, so its requests must succeed.
type client struct {
	account

	mu      sync.Mutex
	ackedAt time.Time // start of the last request that was answered with a token
}

func startStage(ctx context.Context, s *session, kind fleetKind, cfg fleetConfig) (*stage, error) {
	f, err := startFleet(ctx, cfg)
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	st := &stage{fleet: f, kind: kind, session: s}
	if err := st.prepare(ctx); err != nil {
		return nil, errors.Join(err, st.close())
	}
	return st, nil
}

func (st *stage) prepare(ctx context.Context) error {
	var err error
	if st.balancer, err = startBalancer(ctx, st.replicas); err != nil {
		return err
	}
	st.balanced = newDoor("the balancer", st.issuer, st.fleet, st.balancer)
	for i, r := range st.replicas {
		st.direct = append(st.direct, newDoor(fmt.Sprintf("replica %d", i), r.url, st.fleet, newTransport()))
	}
	st.oracle = newOracle(st)
	if _, err := st.direct[0].must(ctx, http.MethodPost, "/v2/orgs", `{"slug":"`+org+`","name":"Rig"}`); err != nil {
		return err
	}
	for range clientCount {
		made, err := st.newAccount(ctx, st.direct[0])
		if err != nil {
			return err
		}
		st.clients = append(st.clients, &client{account: made})
	}
	return nil
}

// account is a service account that something will be done to.
type account struct {
	login
	slug, path string
}

// newAccount makes an account of its own name through a door.
func (st *stage) newAccount(ctx context.Context, at *door) (account, error) {
	st.accounts++
	slug := fmt.Sprintf("a%d", st.accounts)
	body := `{"slug":"` + slug + `","name":"` + slug + `","roleSlug":"agent-standard"}`
	made, err := at.must(ctx, http.MethodPost, accountsPath, body)
	if err != nil {
		return account{}, err
	}
	return account{login{made.text("clientId"), made.text("clientSecret")}, slug, accountsPath + "/" + slug}, nil
}

// anyDoor chooses a replica by the seed.
func (st *stage) anyDoor() *door { return st.direct[st.session.random.IntN(len(st.direct))] }

func (st *stage) close() error {
	if st.balancer != nil {
		st.balancer.close()
	}
	for _, d := range st.direct {
		d.http.CloseIdleConnections()
	}
	return st.fleet.close()
}

// used notes a token that the client got.
func (c *client) used(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ackedAt.Before(at) {
		c.ackedAt = at
	}
}

func (c *client) lastAck() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ackedAt
}
