package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// redisRows break Redis while it serves. None may be seen at /token, and nothing that has
// ended may come back. All rows of Redis share one test, whose promises are in [fault.run].
func redisRows() []row {
	return []row{
		{"redis-down", "Redis is killed and comes back", redisFleet, fault{begin: redisDown, merged: true}.run},
		{"redis-hung", "Redis accepts connections and answers nothing", redisFleet, fault{begin: redisHung, merged: true}.run},
		{"redis-slow", "every answer of Redis takes 300 ms more", redisFleet, fault{begin: redisSlow, merged: true}.run},
		{"redis-reset", "every connection to Redis is reset", redisFleet, fault{begin: redisReset, merged: true}.run},
		{"redis-flushed", "FLUSHALL each 200 ms", redisFleet, fault{begin: redisFlushed}.run},
		{"redis-evicting", "8 MB with allkeys-lru, and another user who fills it", redisFleet, fault{begin: redisEvicting}.run},
		{"redis-read-only", "Redis has become the replica of a server that is gone", redisFleet, fault{begin: redisReadOnly, merged: true}.run},
		{"redis-full", "8 MB with noeviction, and another user who fills it", redisFleet, fault{begin: redisFull, merged: true}.run},
		{"redis-clock", "the clock of Redis jumps by two hours", redisFleet, fault{begin: redisClock}.run},
		{"redis-garbage", "what answers in the place of Redis speaks nonsense", redisFleet, fault{begin: redisGarbage, merged: true}.run},
	}
}

// nodeRows break one node of several.
func nodeRows() []row {
	return []row{
		{"redis-failed-over", "the master is lost after its link to the replica was cut", sentinelFleet, fault{begin: failedOver}.run},
		{"redis-cluster-master-down", "one of three masters is killed and comes back", clusterFleet, fault{begin: clusterMasterDown, merged: true}.run},
	}
}

// undo ends a fault. It returns when the thing that was broken works again.
type undo func(context.Context) error

// nothing is an undo when the fault has mended itself.
func nothing(context.Context) error { return nil }

func redisDown(_ context.Context, st *stage) (undo, error) {
	return st.redis.Restart, st.redis.Kill()
}

func redisHung(_ context.Context, st *stage) (undo, error) {
	return func(context.Context) error { return st.redis.Resume() }, st.redis.Pause()
}

func redisSlow(_ context.Context, st *stage) (undo, error) {
	return st.healCaches, st.eachCache(func(p *proxy) error { return p.latency(300 * time.Millisecond) })
}

func redisReset(_ context.Context, st *stage) (undo, error) {
	return st.healCaches, st.eachCache((*proxy).reset)
}

func (st *stage) eachCache(do func(*proxy) error) error {
	var errs []error
	for _, p := range st.cacheLinks {
		errs = append(errs, do(p))
	}
	return errors.Join(errs...)
}

func (st *stage) healCaches(ctx context.Context) error {
	return st.eachCache(func(p *proxy) error { return p.heal(ctx) })
}

// repeatedly does something until it is undone.
func repeatedly(ctx context.Context, pause time.Duration, do func(context.Context) error) undo {
	ctx, cancel := context.WithCancel(ctx)
	failed := make(chan error, 1)
	go func() {
		var err error
		for ctx.Err() == nil && err == nil {
			err = do(context.WithoutCancel(ctx))
			sleep(ctx, pause)
		}
		failed <- err
	}()
	return func(context.Context) error {
		cancel()
		return <-failed
	}
}

func redisFlushed(ctx context.Context, st *stage) (undo, error) {
	flush := func(ctx context.Context) error { return st.redisDo(ctx, "FLUSHALL") }
	return repeatedly(ctx, 200*time.Millisecond, flush), nil
}

func (st *stage) redisDo(ctx context.Context, args ...string) error {
	_, err := st.redis.Do(ctx, args...)
	return err
}

// filler makes 100 values of 10 kB that no two calls share.
const filler = `for i = 1, 100 do redis.call('SET', 'junk:' .. ARGV[1] .. ':' .. i, string.rep('x', 10000)) end`

// fill lets another user of Redis write until it is undone.
func (st *stage) fill(ctx context.Context, policy string) (undo, error) {
	err := errors.Join(
		st.redisDo(ctx, "CONFIG", "SET", "maxmemory-policy", policy),
		st.redisDo(ctx, "CONFIG", "SET", "maxmemory", "8mb"))
	turn := 0
	stop := repeatedly(ctx, 50*time.Millisecond, func(ctx context.Context) error {
		turn++
		err := st.redisDo(ctx, "EVAL", filler, "0", fmt.Sprint(turn))
		if policy == "noeviction" {
			return nil // it is full, which is what is wanted
		}
		return err
	})
	return func(ctx context.Context) error {
		return errors.Join(stop(ctx),
			st.redisDo(ctx, "CONFIG", "SET", "maxmemory", "0"),
			st.redisDo(ctx, "CONFIG", "SET", "maxmemory-policy", "noeviction"),
			st.redisDo(ctx, "EVAL", `for _, k in ipairs(redis.call('KEYS', 'junk:*')) do redis.call('DEL', k) end`, "0"))
	}, err
}

func redisEvicting(ctx context.Context, st *stage) (undo, error) { return st.fill(ctx, "allkeys-lru") }

func redisFull(ctx context.Context, st *stage) (undo, error) { return st.fill(ctx, "noeviction") }

func redisReadOnly(ctx context.Context, st *stage) (undo, error) {
	return func(ctx context.Context) error { return st.redisDo(ctx, "REPLICAOF", "NO", "ONE") },
		st.redisDo(ctx, "REPLICAOF", "127.0.0.1", "1")
}

func redisGarbage(ctx context.Context, st *stage) (undo, error) {
	fake, err := startFakeRedis(ctx)
	if err != nil {
		return nothing, err
	}
	return func(ctx context.Context) error {
		err := st.healCaches(ctx)
		fake.close()
		return err
	}, st.eachCache(func(p *proxy) error { return p.lead(fake.addr()) })
}

// redisClock leads the replicas to a Redis of the rig's own, whose clock then jumps.
func redisClock(ctx context.Context, st *stage) (undo, error) {
	skewed, err := startSkewedRedis(ctx, st.session.newFolder("redis-clock"))
	if err != nil {
		return nothing, err
	}
	back := func(ctx context.Context) error { return errors.Join(st.healCaches(ctx), skewed.close()) }
	if err := st.eachCache(func(p *proxy) error { return p.lead(skewed.addr) }); err != nil {
		return back, err
	}
	sleep(ctx, st.session.tier.fault/4) // so that there is something to lose
	return back, skewed.jump(ctx, 2*time.Hour)
}
