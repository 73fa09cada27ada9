package authz

import (
	"fmt"
	"slices"
	"strings"
)

// Set is a set of patterns in canonical form: sorted, none covered by another.
// The zero value is the empty set. A Set is immutable and safe to share.
type Set struct{ patterns []Pattern }

// ParseSet reads at most [MaxPatterns] patterns. Errors wrap [ErrPattern].
func ParseSet(texts []string) (Set, error) {
	if len(texts) > MaxPatterns {
		return Set{}, fmt.Errorf("%w: at most %d in a set", ErrPattern, MaxPatterns)
	}
	patterns := make([]Pattern, 0, len(texts))
	for i, text := range texts {
		p, err := ParsePattern(text)
		if err != nil {
			return Set{}, fmt.Errorf("item %d: %w", i, err)
		}
		patterns = append(patterns, p)
	}
	return reduce(patterns), nil
}

// MustSet is [ParseSet] for constants. It panics on anything else.
func MustSet(texts ...string) Set {
	s, err := ParseSet(texts)
	if err != nil {
		panic(err)
	}
	return s
}

// TrustedSet reads the form that [Set.String] writes, of patterns that were
// checked when they were written. It knows no limit, as unions outgrow it.
func TrustedSet(text string) Set {
	fields := strings.Fields(text)
	patterns := make([]Pattern, len(fields))
	for i, field := range fields {
		patterns[i] = Pattern(field)
	}
	return reduce(patterns)
}

// Empty reports whether the set has no pattern.
func (s Set) Empty() bool { return len(s.patterns) == 0 }

// Len is the number of patterns.
func (s Set) Len() int { return len(s.patterns) }

// Patterns returns the patterns as sorted strings, never nil.
func (s Set) Patterns() []string {
	texts := make([]string, len(s.patterns))
	for i, p := range s.patterns {
		texts[i] = string(p)
	}
	return texts
}

// String joins the patterns by spaces: the form of OAuth's scope (RFC 6749, section 3.3).
func (s Set) String() string { return strings.Join(s.Patterns(), " ") }

// Equal reports whether both sets stand for the same permissions.
func (s Set) Equal(t Set) bool { return slices.Equal(s.patterns, t.patterns) }

// Covers reports whether everything that p stands for is in the set.
func (s Set) Covers(p Pattern) bool {
	return slices.ContainsFunc(s.patterns, func(q Pattern) bool { return q.Covers(p) })
}

// Contains reports whether t is a subset of s.
func (s Set) Contains(t Set) bool { return t.Minus(s).Empty() }

// Minus returns the patterns of s that no pattern of t covers.
func (s Set) Minus(t Set) Set {
	if len(s.patterns) <= 1 {
		return s.Filter(func(p Pattern) bool { return !t.Covers(p) })
	}
	// Not each with each: both can be the product of a hostile pair.
	var known trie
	for _, p := range t.patterns {
		known.add(p)
	}
	return s.Filter(func(p Pattern) bool { return !known.coversPattern(p) })
}

// Union returns what is in s or in any of the others.
func (s Set) Union(others ...Set) Set {
	all := slices.Clone(s.patterns)
	for _, other := range others {
		all = append(all, other.patterns...)
	}
	if len(all) == len(s.patterns) {
		return s
	}
	return reduce(all)
}

// Intersect returns what is in both s and t. Sets with more than [MaxMeets] pairs have
// nothing in common, so that no request pays for their product.
func (s Set) Intersect(t Set) Set {
	if len(s.patterns)*len(t.patterns) > MaxMeets {
		return Set{}
	}
	var met []Pattern
	for _, p := range s.patterns {
		for _, q := range t.patterns {
			if m, ok := p.Meet(q); ok {
				met = append(met, m)
			}
		}
	}
	return reduce(met)
}

// Filter returns the patterns for which keep answers true.
func (s Set) Filter(keep func(Pattern) bool) Set {
	var kept []Pattern
	for _, p := range s.patterns {
		if keep(p) {
			kept = append(kept, p)
		}
	}
	return Set{patterns: kept}
}

// reduce sorts patterns and drops each that another one covers.
func reduce(patterns []Pattern) Set {
	patterns = slices.Clone(patterns)
	slices.Sort(patterns)
	patterns = slices.Compact(patterns)
	if len(patterns) < 2 {
		return Set{patterns: patterns}
	}
	var known trie
	for _, p := range patterns {
		known.add(p)
	}
	return Set{patterns: slices.DeleteFunc(patterns, known.coversByAnother)}
}
