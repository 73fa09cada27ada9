package client

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// HTTPClient returns an HTTP client that trades the credential of a service account for
// administrative tokens of the issuer, and again before they expire. Another HTTP client to
// work with can be given in ctx under [oauth2.HTTPClient].
func HTTPClient(ctx context.Context, issuer, clientID, clientSecret string) *http.Client {
	issuer = strings.TrimSuffix(issuer, "/")
	source := clientcredentials.Config{
		ClientID: clientID, ClientSecret: clientSecret, TokenURL: issuer + "/token",
		EndpointParams: url.Values{"resource": {issuer}},
		AuthStyle:      oauth2.AuthStyleInHeader,
	}
	return source.Client(ctx)
}

// New returns a client that works as a service account.
func New(ctx context.Context, issuer, clientID, clientSecret string) *Client {
	return &Client{BaseURL: issuer, HTTPClient: HTTPClient(ctx, issuer, clientID, clientSecret)}
}
