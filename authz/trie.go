package authz

import "strings"

// trie finds the patterns that cover a given one without comparing each with
// each: two sets of 64 can meet in 4,096, and a request must not pay for their square.
type trie struct {
	children map[string]*trie
	end      bool
}

func (t *trie) add(p Pattern) {
	node := t
	for segment := range strings.SplitSeq(string(p), ":") {
		child := node.children[segment]
		if child == nil {
			child = &trie{}
			if node.children == nil {
				node.children = map[string]*trie{}
			}
			node.children[segment] = child
		}
		node = child
	}
	node.end = true
}

// coversByAnother reports whether a pattern of the trie other than p covers p.
func (t *trie) coversByAnother(p Pattern) bool {
	return t.covers(strings.Split(string(p), ":"), true)
}

// coversPattern reports whether any pattern of the trie, p included, covers p.
func (t *trie) coversPattern(p Pattern) bool {
	return t.covers(strings.Split(string(p), ":"), false)
}

// covers walks the trie along segments; exact says that every step so far was
// the very same segment, so that the pattern does not find itself.
func (t *trie) covers(segments []string, exact bool) bool {
	last := len(segments) == 1
	head := segments[0]
	star := t.children[wildcard]
	if star != nil {
		same := exact && head == wildcard
		if star.end && (!last || !same) {
			return true
		}
		// A final "*" in the covered pattern may stand for many segments, one inside cannot cover it.
		if !last && star.covers(segments[1:], same) {
			return true
		}
	}
	if head == wildcard {
		return false
	}
	child := t.children[head]
	if child == nil {
		return false
	}
	if last {
		return child.end && !exact
	}
	return child.covers(segments[1:], exact)
}
