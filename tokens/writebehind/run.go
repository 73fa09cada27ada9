package writebehind

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"
)

const (
	firstBackoff = 50 * time.Millisecond
	// lastTries is for how long Close tries again, lastPause how soon.
	lastTries = 3 * time.Second
	lastPause = 20 * time.Millisecond
)

// run writes whenever something is queued, until stop. Only then does it need a timer.
func (q *Queue) run(ctx context.Context) {
	defer close(q.stopped)
	backoff := time.Duration(0)
	for {
		select {
		case <-q.wake:
		case <-q.stop:
			return
		}
		err := q.flush(ctx)
		q.logTurn(ctx, err, backoff > 0)
		wait, hurry := q.cfg.Pause, q.hurry
		if err != nil {
			// What fails is not tried more often because more waits, nor by all replicas at once.
			backoff = min(max(2*backoff, firstBackoff), q.cfg.MaxBackoff)
			wait, hurry = backoff*3/4+rand.N(backoff/4), nil
			q.Wake()
		} else {
			backoff = 0
		}
		if !q.sleep(wait, hurry) {
			return
		}
	}
}

// sleep ends early on hurry. It reports whether the queue goes on.
func (q *Queue) sleep(d time.Duration, hurry <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-hurry:
	case <-q.stop:
		return false
	}
	return true
}

// logTurn tells when writing begins to fail and when it works again, not each time.
func (q *Queue) logTurn(ctx context.Context, err error, failing bool) {
	switch {
	case err != nil && !failing:
		q.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "the state is not written: it waits in memory", slog.Any("error", err))
	case err == nil && failing:
		q.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "the state is written again", slog.Uint64("dropped", q.Dropped()))
	}
}

// flush writes what is queued. What was not written is queued again.
func (q *Queue) flush(ctx context.Context) error {
	release, err := q.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	q.mu.Lock()
	q.queue, q.inFlight = q.inFlight, q.queue
	q.mu.Unlock()

	left, err := q.cfg.Write(ctx, &q.inFlight)

	q.mu.Lock()
	defer q.mu.Unlock()
	if left != nil {
		q.dropped.Add(uint64(q.queue.putBack(left)))
	}
	q.inFlight.clear()
	return err
}

// writeLast writes what is left once nothing is added any more.
func (q *Queue) writeLast(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, lastTries)
	defer cancel()
	var err error
	for limited.Err() == nil {
		if err = q.flush(limited); err == nil || q.Waiting() == 0 {
			return err
		}
		select {
		case <-limited.Done():
		case <-time.After(lastPause):
		}
	}
	return err
}
