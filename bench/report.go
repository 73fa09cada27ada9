package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

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

// spread is the lowest and the highest ratio of two turns of the same round.
func spread(turns, floor []turn) (lowest, highest float64) {
	ratios := make([]float64, len(turns))
	for i := range turns {
		ratios[i] = float64(turns[i].cpu) / float64(floor[i].cpu)
	}
	return slices.Min(ratios), slices.Max(ratios)
}

// report prints a column for each server, the floor first.
func report(out io.Writer, p plan, servers []*contender) error {
	size, err := os.Stat(p.binary)
	if err != nil {
		return err
	}
	floor := servers[0]
	floorCPU, _ := cost(floor.turns)
	rows := []string{
		"", "CPU per token, µs", "ratio", "tokens a second", "idle memory, MiB (≤ 40)", "peak memory, MiB", "start to ready, ms (≤ 300)",
	}
	for _, server := range servers {
		busy, err := server.process.memory()
		if err != nil {
			return err
		}
		perToken, perSecond := cost(server.turns)
		ratio, ready := "1", ""
		if server != floor {
			lowest, highest := spread(server.turns, floor.turns)
			ratio = fmt.Sprintf("%.2f (turns: %.2f to %.2f; ≤ %.1f)", float64(perToken)/float64(floorCPU), lowest, highest, server.target)
			ready = fmt.Sprintf("%.0f", server.process.readyAfter.Seconds()*1000)
		}
		for i, cell := range []string{
			server.process.name, fmt.Sprintf("%.1f", micros(perToken)), ratio, fmt.Sprintf("%.0f", perSecond),
			fmt.Sprintf("%.1f", mebi(server.idle.now)), fmt.Sprintf("%.1f", mebi(busy.peak)), ready,
		} {
			rows[i] += "\t" + cell
		}
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	text := fmt.Sprintf("%d turns of %d tokens each over %d connections\n\n%s\nbinary: %.1f MiB (≤ 40)\n",
		p.rounds, p.tokens, p.connections, strings.Join(rows, "\n"), mebi(size.Size()))
	if _, err := io.WriteString(table, text); err != nil {
		return err
	}
	return table.Flush()
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func mebi(bytes int64) float64 { return float64(bytes) / (1 << 20) }
