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

// target is the most that a token may cost, as a multiple of the floor.
const target = 1.5

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
	signet, requests, err := startSignet(ctx, p.binary, folder)
	if err != nil {
		return err
	}
	defer signet.stop()

	time.Sleep(time.Second) // what starting left to do is not part of idling
	idle, err := signet.memory()
	if err != nil {
		return err
	}
	results, err := measure(ctx, p, floor, signet, requests)
	if err != nil {
		return err
	}
	return report(out, p, results, signet, idle)
}

// measure lets both servers work in turns. The first turn of each is not counted.
func measure(ctx context.Context, p plan, floor, signet *process, requests []string) (results, error) {
	var r results
	for round := range p.rounds + 1 {
		for _, one := range []struct {
			process *process
			into    *[]turn
		}{{floor, &r.floor}, {signet, &r.signet}} {
			got, err := one.process.work(ctx, p, requests)
			if err != nil {
				return results{}, fmt.Errorf("%s: %w", one.process.name, err)
			}
			if round > 0 {
				*one.into = append(*one.into, got)
			}
		}
	}
	return r, nil
}
