package authn

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/server/web"
)

// Within a window, so many failures get the answer that every failure gets; the others are
// put off. Only failures are counted and only failures are put off, so that nobody locks
// out somebody else. A client that tries a header and then the body, as some do, fails twice.
const (
	failuresPerClaim  = 30
	failuresPerSource = 100
	failureWindow     = time.Minute
)

const (
	maxNameBytes = 160 // the longest userId has 130
	nameless     = "-"
)

// failed counts a failure of source as name and returns what to answer.
func failed(ctx context.Context, limiter web.Limiter, from netip.Addr, name string) error {
	bySource, afterSource := limiter.Allow(ctx, sourceKey(from), failuresPerSource, failureWindow)
	byClaim, afterClaim := limiter.Allow(ctx, sourceKey(from)+" "+name, failuresPerClaim, failureWindow)
	switch {
	case !bySource && !byClaim:
		return web.TooManyRequests(failuresPerClaim, max(afterSource, afterClaim))
	case !bySource:
		return web.TooManyRequests(failuresPerSource, afterSource)
	case !byClaim:
		return web.TooManyRequests(failuresPerClaim, afterClaim)
	}
	return accounts.ErrUnauthenticated
}

func sourceKey(from netip.Addr) string { return "authn:failures:" + sourceOf(from) }

// sourceOf is the address, or for IPv6 the network that one site has to itself (RFC 6177).
func sourceOf(from netip.Addr) string {
	from = from.Unmap()
	if !from.IsValid() {
		return "unknown"
	}
	if from.Is4() {
		return from.String()
	}
	network, err := from.WithZone("").Prefix(64)
	if err != nil {
		return "unknown"
	}
	return network.String()
}

// likelyName is the reading that could name a client, the later ones first: they are
// longer where a colon belongs to the id.
func likelyName(presented []reading) string {
	for _, one := range slices.Backward(presented) {
		if name := limiterName(one.id); name != nameless {
			return name
		}
	}
	return nameless
}

// limiterName gives one bounded spelling to a claimed id. What cannot be one shares a name.
func limiterName(id string) string {
	if len(id) > maxNameBytes || strings.ContainsFunc(id, outsideName) {
		return nameless
	}
	id = strings.ToLower(id)
	if parsed, ok := accounts.ParseID(id); ok {
		return parsed.String()
	}
	return id
}

func outsideName(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("-_.~:", r)
}
