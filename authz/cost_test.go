package authz_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signet-issuer/signet/authz"
)

// hostile returns pairs of sets that meet in as many patterns as they can.
func hostile() map[string][2]authz.Set {
	grid := func(format string) authz.Set {
		texts := make([]string, authz.MaxPatterns)
		for i := range texts {
			texts[i] = fmt.Sprintf(format, i)
		}
		return authz.MustSet(texts...)
	}
	// Every mixture of letters and wildcards before the name makes a search branch at each step.
	branching := func(before, after string) authz.Set {
		texts := make([]string, authz.MaxPatterns)
		for i := range texts {
			segments := make([]string, 3)
			for bit := range segments {
				segments[bit] = "x"
				if i>>bit&1 == 1 {
					segments[bit] = "*"
				}
			}
			texts[i] = before + strings.Join(segments, ":") + fmt.Sprintf(":n%d", i) + after
		}
		return authz.MustSet(texts...)
	}
	return map[string][2]authz.Set{
		"a row and a column":   {grid("r%d:*"), grid("*:c%d")},
		"long shared prefixes": {grid("x:x:x:x:x:x:r%d:*"), grid("x:x:x:x:x:x:*:c%d")},
		"branching":            {branching("", ":*"), branching("*:*:*:*:", "")},
		"wildcards in between": {grid("*:*:*:r%d:*:*:*:*"), grid("*:*:*:*:*:*:c%d:*")},
	}
}

// A request must not pay for the square of what it meets.
func TestI39_HostileSetsIntersectCheaply(t *testing.T) {
	const meets = authz.MaxPatterns * authz.MaxPatterns
	for name, pair := range hostile() {
		t.Run(name, func(t *testing.T) {
			met := pair[0].Intersect(pair[1])
			if met.Len() != meets {
				t.Fatalf("they meet in %d patterns, want the worst case of %d", met.Len(), meets)
			}
			perMeet := testing.AllocsPerRun(1, func() { pair[0].Intersect(pair[1]) }) / meets
			if perMeet > 20 {
				t.Errorf("%.1f allocations for each pattern met", perMeet)
			}
			// The best of several runs: what the code costs, not what the machine does besides.
			best := time.Hour
			for range 20 {
				start := time.Now()
				pair[0].Intersect(pair[1])
				if best = min(best, time.Since(start)); best <= 50*time.Millisecond {
					break
				}
			}
			t.Logf("%.1f allocations each, %v", perMeet, best)
			if best > 50*time.Millisecond {
				t.Errorf("took %v", best)
			}
		})
	}
}

// Holding much under many ceilings must cost no more than one product of the limits.
func TestI39_HugeSetsMeetInNothing(t *testing.T) {
	huge := func(n int, format string) authz.Set {
		texts := make([]string, n)
		for i := range texts {
			texts[i] = fmt.Sprintf(format, i)
		}
		return authz.TrustedSet(strings.Join(texts, " "))
	}
	held, ceiling := huge(authz.MaxHeld, "r%d:*"), huge(authz.MaxPatterns, "*:c%d:*")
	both := held.Restrict(ceiling)
	if both.Len() != authz.MaxMeets {
		t.Fatalf("the most that one may hold meets a whole ceiling in %d", both.Len())
	}
	if left := both.Restrict(huge(authz.MaxPatterns, "*:*:d%d:*")); !left.Empty() {
		t.Errorf("a second ceiling leaves %d patterns", left.Len())
	}
}

// Covering by the search tree means what comparing each with each means.
func TestMinusAgreesWithCovers(t *testing.T) {
	for name, pair := range hostile() {
		met := pair[0].Intersect(pair[1])
		for what, sets := range map[string][2]authz.Set{
			"product in row": {met, pair[0]}, "row in product": {pair[0], met}, "row in column": {pair[0], pair[1]},
		} {
			want := sets[0].Filter(func(p authz.Pattern) bool { return !sets[1].Covers(p) })
			if got := sets[0].Minus(sets[1]); !got.Equal(want) {
				t.Errorf("%s, %s: %d patterns are left, want %d", name, what, got.Len(), want.Len())
			}
		}
		began := time.Now()
		if !met.Contains(met) {
			t.Errorf("%s: a set does not contain itself", name)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}
