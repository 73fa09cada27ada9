package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	maxJWKSBytes    = 512 << 10
	defaultLifetime = 5 * time.Minute
	maxLifetime     = time.Hour // whatever the server says: a stolen key must not live on in a cache
)

// defaultClient follows no redirect: the key set is what all trust hangs on.
var defaultClient = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// fetchJWKS returns the keys and how long they are fresh.
func fetchJWKS(ctx context.Context, client *http.Client, address string) (StaticKeySet, time.Duration, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return StaticKeySet{}, 0, fmt.Errorf("read key set: %w", err)
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := client.Do(request)
	if err != nil {
		return StaticKeySet{}, 0, fmt.Errorf("read key set: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return StaticKeySet{}, 0, fmt.Errorf("read key set: the server answered %d", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxJWKSBytes+1))
	if err != nil {
		return StaticKeySet{}, 0, fmt.Errorf("read key set: %w", err)
	}
	if len(body) > maxJWKSBytes {
		return StaticKeySet{}, 0, errors.New("read key set: it is too large")
	}
	keys, err := ParseJWKS(body)
	if err != nil {
		return StaticKeySet{}, 0, fmt.Errorf("read key set: %w", err)
	}
	return keys, freshFor(response.Header), nil
}

// freshFor reads max-age less the time that the answer has spent in caches on the way
// (RFC 9111, section 4.2). An answer that is not to be kept is fresh for no time.
func freshFor(header http.Header) time.Duration {
	lifetime := defaultLifetime
	for directive := range strings.SplitSeq(strings.Join(header.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			if seconds, ok := parseSeconds(strings.Trim(value, `"`)); ok {
				lifetime = seconds
			}
		}
	}
	if age, ok := parseSeconds(header.Get("Age")); ok {
		lifetime -= age
	}
	return max(lifetime, 0)
}

func parseSeconds(text string) (time.Duration, bool) {
	seconds, err := strconv.ParseUint(text, 10, 31)
	return time.Duration(seconds) * time.Second, err == nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
