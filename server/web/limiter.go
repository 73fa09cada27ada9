package web

import (
	"context"
	"time"
)

// Limiter counts events by key. Allow counts one and reports whether the key had at most
// limit of them within the window that began with its first, else how long that still lasts.
// It never fails: an implementation that cannot count allows.
type Limiter interface {
	Allow(ctx context.Context, key string, limit int, window time.Duration) (allowed bool, retryAfter time.Duration)
}
