package client

import (
	"context"
	"net/http"
	"time"
)

// Key describes a signing key.
type Key struct {
	KID         string     `json:"kid"`
	Alg         string     `json:"alg"`
	State       string     `json:"state"` // prepared, active or retired
	PreparedAt  time.Time  `json:"preparedAt"`
	RipeAt      time.Time  `json:"ripeAt"` // every verifier that follows the caching rules has it from here on
	ActivatedAt *time.Time `json:"activatedAt"`
	RetiredAt   *time.Time `json:"retiredAt"`
	RemoveAt    *time.Time `json:"removeAt"`
}

// Keys lists the signing keys, oldest first.
func (c *Client) Keys(ctx context.Context) ([]Key, error) { return whole[Key](ctx, c, "/v2/keys") }

// RotateKeys lets the prepared key sign from now on. Before it is ripe the answer is
// [ErrNotRipe], unless it is forced.
func (c *Client) RotateKeys(ctx context.Context, force bool, options ...Option) error {
	in := struct {
		Force bool `json:"force"`
	}{force}
	return c.call(ctx, http.MethodPost, "/v2/keys/rotate", in, nil, options)
}

// DropKey removes a key at once. Tokens that it signed are refused from now on.
func (c *Client) DropKey(ctx context.Context, kid string) error {
	return c.delete(ctx, path("v2", "keys", kid), nil)
}
