package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// caller talks to one replica directly. Unlike a door it keeps to one token of the
// administrator, which must hold, and names its requests.
type caller struct {
	*door
	bearer string
}

// call is one administrative request.
type call struct {
	method, path, body string
	correlation        string
}

func newCallers(f *fleet) []*caller {
	var all []*caller
	for _, r := range f.replicas {
		all = append(all, newCaller(f, r))
	}
	return all
}

func newCaller(f *fleet, r *replica) *caller {
	return &caller{door: newDoor(fmt.Sprintf("replica %d", r.index), r.url, f, newTransport())}
}

// logIn gets the token for the calls to come, over new connections.
func (c *caller) logIn(ctx context.Context) (err error) {
	c.http.CloseIdleConnections()
	c.bearer, err = c.token(ctx, c.admin, "resource", c.issuer)
	return err
}

// do returns an error when no whole answer came.
func (c *caller) do(ctx context.Context, in call) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, in.method, c.url+in.path, strings.NewReader(in.body))
	if err != nil {
		return answer{}, err
	}
	if in.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if in.correlation != "" {
		r.Header.Set("X-Correlation-Id", in.correlation)
	}
	r.Header.Set("Authorization", "Bearer "+c.bearer)
	return c.send(r)
}

// busyPatience is how long a reading is repeated that a busy replica refuses for now.
const busyPatience = 10 * time.Second

// see reads an object or list.
func (c *caller) see(ctx context.Context, path string) (answer, error) {
	for began := time.Now(); ; pause(ctx, 100*time.Millisecond) {
		got, err := c.do(ctx, call{method: http.MethodGet, path: path})
		if err != nil || got.status != http.StatusServiceUnavailable || time.Since(began) > busyPatience || ctx.Err() != nil {
			return got, err
		}
	}
}

// honours tells whether the replica calls a token active. Past so many inactive answers a
// minute it refuses to say so of another one; an active token is always told.
func (c *caller) honours(ctx context.Context, token string) (bool, error) {
	r, err := c.form(ctx, "/introspect", url.Values{"token": {token}})
	if err != nil {
		return false, err
	}
	r.Header.Set("Authorization", "Bearer "+c.bearer)
	got, err := c.send(r)
	if err == nil && got.status == http.StatusTooManyRequests {
		return false, nil
	}
	var said struct{ Active *bool }
	if err != nil || got.status != http.StatusOK || json.Unmarshal(got.body, &said) != nil || said.Active == nil {
		return false, unexpected("introspection at "+c.name, got, err)
	}
	return *said.Active, nil
}

// unexpected describes an answer that must not be.
func unexpected(what string, got answer, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %s", what, got)
}

// causeOf says in short why a write was not acknowledged, "" if it was.
func causeOf(result outcome, got answer, err error) string {
	switch {
	case result == acknowledged:
		return ""
	case err != nil:
		return err.Error()
	}
	return got.String()
}

// neverSent tells that a request did not reach anybody: nobody listened.
func neverSent(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// claimsOf reads what the rig needs of a token.
func claimsOf(token string) (jti string, expires time.Time, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", time.Time{}, errors.New("a token does not have three parts")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", time.Time{}, fmt.Errorf("read token: %w", err)
	}
	var claims struct {
		JTI string `json:"jti"`
		Exp int64  `json:"exp"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return "", time.Time{}, fmt.Errorf("read token: %w", err)
	}
	return claims.JTI, time.Unix(claims.Exp, 0), nil
}
