package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// The most that a token may cost, as a multiple of the floor.
const (
	embeddedTarget   = 1.5
	productionTarget = 2.5
)

// floorArgument makes this program the floor instead.
const floorArgument = "floor"

func main() {
	if len(os.Args) == 2 && os.Args[1] == floorArgument {
		if err := serveFloor(os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// plan is what is measured.
type plan struct {
	rounds, tokens, connections int
	binary                      string
}

func parsePlan(args []string) (plan, error) {
	var p plan
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&p.rounds, "rounds", 6, "turns of each server")
	flags.IntVar(&p.tokens, "tokens", 10_000, "tokens a turn")
	flags.IntVar(&p.connections, "connections", 16, "kept connections, each with one request at a time")
	flags.StringVar(&p.binary, "binary", "", "a signet to measure instead of one built from here")
	if err := flags.Parse(args); err != nil {
		return plan{}, err
	}
	if p.rounds < 1 || p.tokens < p.connections || p.connections < 1 {
		return plan{}, fmt.Errorf("there must be a round, a connection, and a token for each connection")
	}
	return p, nil
}

func run(ctx context.Context, args []string, out io.Writer) error {
	p, err := parsePlan(args)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "signet-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if p.binary == "" {
		p.binary = filepath.Join(folder, "signet")
		if err := build(ctx, p.binary); err != nil {
			return err
		}
	}
	floor, err := startFloor(ctx)
	if err != nil {
		return err
	}
	defer floor.stop()
	servers := []*contender{{process: floor}}
	for _, open := range []func(context.Context, string, string) (*contender, error){startEmbedded, startProduction} {
		server, err := open(ctx, p.binary, folder)
		if err != nil {
			return err
		}
		defer server.close()
		servers = append(servers, server)
	}
	time.Sleep(time.Second) // what starting left to do is not part of idling
	for _, server := range servers {
		if server.idle, err = server.process.memory(); err != nil {
			return err
		}
	}
	servers[0].requests = servers[1].requests // the floor takes any
	if err := measure(ctx, p, servers); err != nil {
		return err
	}
	return report(out, p, servers)
}

// contender is a server with the load that is meant for it.
type contender struct {
	process  *process
	target   float64
	requests []string
	idle     memory
	turns    []turn
	engines  []interface{ Close() error } // what it runs on
}

func (c *contender) close() {
	c.process.stop()
	for _, engine := range c.engines {
		_ = engine.Close() // its folder goes with the whole run's
	}
}

// measure lets the servers work in turns. The first turn of each is not counted.
func measure(ctx context.Context, p plan, servers []*contender) error {
	for round := range p.rounds + 1 {
		for _, server := range servers {
			got, err := server.process.work(ctx, p, server.requests)
			if err != nil {
				return fmt.Errorf("%s: %w", server.process.name, err)
			}
			if round > 0 {
				server.turns = append(server.turns, got)
			}
		}
	}
	return nil
}
