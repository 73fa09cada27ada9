package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Client calls one server. Its fields are not changed while it is in use; then it is safe
// for concurrent use.
type Client struct {
	BaseURL    string       // of the server, as in "https://id.example.com"
	HTTPClient *http.Client // brings the authorization along; see [HTTPClient]
}

// Option changes one call.
type Option func(*http.Request)

// IfVersion makes a change happen only to that version of the object, else [ErrStale].
func IfVersion(version int64) Option {
	return func(r *http.Request) { r.Header.Set("If-Match", `"`+strconv.FormatInt(version, 10)+`"`) }
}

// IdempotencyKey makes the repetition of a call within 24 hours harmless. The repetition's
// answer has no secret.
func IdempotencyKey(key string) Option {
	return func(r *http.Request) { r.Header.Set("Idempotency-Key", key) }
}

// maxAnswerBytes is far above the largest page.
const maxAnswerBytes = 16 << 20

// path joins escaped parts.
func path(parts ...string) string {
	escaped := make([]string, len(parts))
	for i, part := range parts {
		escaped[i] = url.PathEscape(part)
	}
	return "/" + strings.Join(escaped, "/")
}

// call sends in, unless it is nil, and reads the answer into out, unless that is nil.
func (c *Client) call(ctx context.Context, method, target string, in, out any, options []Option) error {
	var body io.Reader
	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.BaseURL, "/")+target, body)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for _, option := range options {
		option(request)
	}
	httpClient := c.HTTPClient
	if httpClient == nil {
		httpClient = http.DefaultClient
	}
	answer, err := httpClient.Do(request)
	if err != nil {
		return tokenError(err)
	}
	defer func() { _ = answer.Body.Close() }()
	return readAnswer(answer, out)
}

func readAnswer(answer *http.Response, out any) error {
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswerBytes))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return newError(answer, body)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return nil
}

// delete asks for a deletion, which answers nothing of interest.
func (c *Client) delete(ctx context.Context, target string, options []Option) error {
	return c.call(ctx, http.MethodDelete, target, nil, nil, options)
}
