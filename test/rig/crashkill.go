package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// casualty is what a cycle kills.
type casualty struct {
	servers  []int
	redis    bool
	postgres bool
}

func (v casualty) String() string {
	return fmt.Sprintf("servers %v, Redis %v, PostgreSQL %v", v.servers, v.redis, v.postgres)
}

// allEach is how often everything is killed at once.
const allEach = 10

// chooseCasualty picks a server in 60 of 100 cycles, Redis and PostgreSQL in 20 each, and
// everything in each tenth. Without engines it is always the server.
func chooseCasualty(random *rand.Rand, cycle, servers int, engines bool) casualty {
	everyone := make([]int, servers)
	for i := range everyone {
		everyone[i] = i
	}
	one := casualty{servers: []int{random.IntN(servers)}}
	if !engines {
		return one
	}
	if (cycle+1)%allEach == 0 {
		return casualty{servers: everyone, redis: true, postgres: true}
	}
	switch n := random.IntN(10); {
	case n < 6:
		return one
	case n < 8:
		return casualty{redis: true}
	}
	return casualty{postgres: true}
}

// strike kills everything of it at the same time.
func (f *fleet) strike(hit casualty) error {
	var kills []func() error
	for _, i := range hit.servers {
		kills = append(kills, f.replica(i).kill)
	}
	if hit.redis {
		kills = append(kills, f.redis.Kill)
	}
	if hit.postgres {
		kills = append(kills, f.postgres.Kill)
	}
	errs := make([]error, len(kills))
	var all sync.WaitGroup
	for i, kill := range kills {
		all.Go(func() { errs[i] = kill() })
	}
	all.Wait()
	return errors.Join(errs...)
}

func (f *fleet) restartEngines(ctx context.Context, hit casualty) error {
	if hit.postgres {
		if err := f.postgres.Restart(ctx); err != nil {
			return err
		}
	}
	if hit.redis {
		return f.redis.Restart(ctx)
	}
	return nil
}

// restartServers starts the killed servers at the same time and returns the longest start.
func (f *fleet) restartServers(ctx context.Context, hit casualty) (time.Duration, error) {
	took, errs := make([]time.Duration, len(hit.servers)), make([]error, len(hit.servers))
	var all sync.WaitGroup
	for i, number := range hit.servers {
		all.Go(func() { took[i], errs[i] = f.replica(number).start(ctx) })
	}
	all.Wait()
	var longest time.Duration
	for _, t := range took {
		longest = max(longest, t)
	}
	return longest, errors.Join(errs...)
}
