package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

type results struct{ floor, signet []turn }

// cost is the processor time of a token over all turns, and the rate of the median turn.
func cost(turns []turn) (perToken time.Duration, perSecond float64) {
	var cpu time.Duration
	tokens := 0
	rates := make([]float64, len(turns))
	for i, t := range turns {
		cpu += t.cpu
		tokens += t.tokens
		rates[i] = float64(t.tokens) / t.took.Seconds()
	}
	slices.Sort(rates)
	return cpu / time.Duration(tokens), rates[len(rates)/2]
}

// spread is the lowest and the highest ratio of two turns that followed each other.
func (r results) spread() (lowest, highest float64) {
	ratios := make([]float64, len(r.signet))
	for i := range r.signet {
		ratios[i] = float64(r.signet[i].cpu) / float64(r.floor[i].cpu)
	}
	return slices.Min(ratios), slices.Max(ratios)
}

func report(out io.Writer, p plan, r results, signet *process, idle memory) error {
	size, err := os.Stat(signet.binary)
	if err != nil {
		return err
	}
	busy, err := signet.memory()
	if err != nil {
		return err
	}
	floorCPU, floorRate := cost(r.floor)
	signetCPU, signetRate := cost(r.signet)
	lowest, highest := r.spread()
	text := fmt.Sprintf("%d turns of %d tokens each over %d connections\n\n", p.rounds, p.tokens, p.connections) +
		"\tfloor\tsignet\ttarget\n" +
		fmt.Sprintf("CPU per token, µs\t%.1f\t%.1f\t\n", micros(floorCPU), micros(signetCPU)) +
		fmt.Sprintf("ratio\t1\t%.2f (turns: %.2f to %.2f)\t≤ %.1f\n", float64(signetCPU)/float64(floorCPU), lowest, highest, target) +
		fmt.Sprintf("tokens a second\t%.0f\t%.0f\t\n", floorRate, signetRate) +
		fmt.Sprintf("idle memory, MiB\t\t%.1f\t≤ 40\n", mebi(idle.now)) +
		fmt.Sprintf("peak memory, MiB\t\t%.1f\t\n", mebi(busy.peak)) +
		fmt.Sprintf("start to ready, ms\t\t%.0f\t≤ 300\n", signet.readyAfter.Seconds()*1000) +
		fmt.Sprintf("binary, MiB\t\t%.1f\t≤ 40\n", mebi(size.Size()))
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if _, err := io.WriteString(table, text); err != nil {
		return err
	}
	return table.Flush()
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func mebi(bytes int64) float64 { return float64(bytes) / (1 << 20) }
