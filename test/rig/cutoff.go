package main

import (
	"context"
	"fmt"
	"net/http"
)

// cutOff is a write that ends something at once.
type cutOff struct {
	name   string
	method string
	path   func(v *victim) string
	body   string
	logins bool // it ends the login too, not only the tokens
}

var cutOffs = []cutOff{
	{"disable", http.MethodPatch, func(v *victim) string { return v.path }, `{"disabled":true}`, true},
	{"delete", http.MethodDelete, func(v *victim) string { return v.path }, "", true},
	{"rotate", http.MethodPost, func(v *victim) string { return v.path + "/rotate" }, "", true},
	{"revoke", http.MethodDelete, func(v *victim) string { return v.path + "/tokens/" + v.jti }, "", false},
	{"revoke all", http.MethodDelete, func(v *victim) string { return v.path + "/tokens" }, "", false},
}

// victim is an account that is about to be cut off.
type victim struct {
	account
	token, jti string
}

func (st *stage) newVictim(ctx context.Context) (*victim, error) {
	made, err := st.newAccount(ctx, st.anyDoor())
	if err != nil {
		return nil, err
	}
	v := &victim{account: made}
	if v.token, err = st.anyDoor().token(ctx, v.login); err != nil {
		return nil, err
	}
	v.jti, _, err = claimsOf(v.token)
	return v, err
}

func (st *stage) newVictims(ctx context.Context, n int) ([]*victim, error) {
	var victims []*victim
	for range n {
		v, err := st.newVictim(ctx)
		if err != nil {
			return nil, err
		}
		victims = append(victims, v)
	}
	return victims, nil
}

// apply cuts the victim off through a door. The error is the door's refusal.
func (c cutOff) apply(ctx context.Context, d *door, v *victim) (answer, error) {
	return d.must(ctx, c.method, c.path(v), c.body)
}

// result is what the oracle has to know of an acknowledged cut-off.
func (c cutOff) result(v *victim) ended {
	what := ended{how: fmt.Sprintf("%s of %s", c.name, v.slug), token: v.token}
	if c.logins {
		what.login = &v.login
	}
	return what
}

// cutOffAll ends one victim in each way, and asks every replica as soon as each is acknowledged.
func (st *stage) cutOffAll(ctx context.Context, row string, victims []*victim) {
	for i, v := range victims {
		c := cutOffs[i%len(cutOffs)]
		if _, err := c.apply(ctx, st.direct[i%len(st.direct)], v); err != nil {
			st.session.report.violate(row, "%s is not possible: %v", c.name, err)
			continue
		}
		st.session.report.count(func(s *summary) { s.AcknowledgedWrites++ })
		what := c.result(v)
		st.oracle.end(what)
		for _, d := range st.direct {
			st.oracle.refused(ctx, row, d, what, false)
		}
	}
}
